import ArgumentParser
import AsyncHTTPClient
import DockerSchema
import Foundation
import NIOCore
import Primitives

struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Manage this node's images.",
        subcommands: [
            ImageList.self, ImageInspect.self, ImagePull.self, ImagePush.self, ImageImport.self, ImageLoad.self,
            ImageTag.self, ImageRemove.self,
        ])
}

struct ImageList: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List images.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions
    @Option(name: .shortAndLong, help: "reference, label, dangling: KEY=VALUE.") var filter: [String] = []

    func run(_ engine: EngineClient) async throws {
        let images = try await engine.get(
            ["images", "json"], try EngineClient.filters(parsing: filter), as: [Docker.ImageSummary].self)
        let now = Int64(Date().timeIntervalSince1970)
        let rows = images.flatMap { image -> [[String: String]] in
            let id = image.Id.replacingOccurrences(of: "sha256:", with: "")
            // Pulled by digest, as services' images are, it has a repository and no tag.
            let repositories = Set(image.RepoDigests.map { $0.prefix { $0 != "@" } }).sorted()
            let untagged = repositories.isEmpty ? ["<none>:<none>"] : repositories.map { "\($0):<none>" }
            let tags = image.RepoTags.isEmpty ? untagged : image.RepoTags
            return tags.map { reference in
                let (repository, tag) = ImageList.split(reference)
                return [
                    "ID": output.isWhole ? image.Id : id.shortID(false), "Repository": repository, "Tag": tag,
                    "Digest": image.RepoDigests.first?.split(separator: "@").last.map(String.init) ?? "<none>",
                    "CreatedSince": Humanize.duration(.seconds(now - image.Created)) + " ago",
                    "Size": Humanize.size(image.Size),
                ]
            }
        }
        try Listing(
            columns: [
                ("REPOSITORY", "Repository"), ("TAG", "Tag"), ("IMAGE ID", "ID"), ("CREATED", "CreatedSince"),
                ("SIZE", "Size"),
            ], rows: rows
        ).print(output)
    }

    /// A colon after the last slash begins the tag.
    static func split(_ reference: String) -> (repository: String, tag: String) {
        guard let colon = reference.lastIndex(of: ":"), !reference[colon...].contains("/") else {
            return (reference, "<none>")
        }
        return (String(reference[..<colon]), String(reference[reference.index(after: colon)...]))
    }
}

struct ImageInspect: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Show all of an image.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var images: [String]
    @Option(name: .shortAndLong, help: "json or TEMPLATE.") var format: String?

    func run(_ engine: EngineClient) async throws {
        var found: [JSONValue] = []
        for image in images { found.append(try await engine.get(["images", image, "json"])) }
        try Inspection.print(found, format: format)
    }
}

struct ImagePull: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "pull", abstract: "Pull an image from its registry.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var credentials: CredentialOptions
    @Argument var image: String
    @Flag(name: .shortAndLong, help: "Print no progress.") var quiet = false

    func run(_ engine: EngineClient) async throws {
        let (repository, tag) = ImageList.split(image)
        var query = [("fromImage", image)]
        if !image.contains("@") { query = [("fromImage", repository), ("tag", tag == "<none>" ? "latest" : tag)] }
        let body = try await engine.stream(
            "POST", ["images", "create"], query, headers: try credentials.headers(for: image))
        try await ProgressLines.print(body, isQuiet: quiet)
    }
}

struct ImagePush: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "push", abstract: "Push an image to its registry.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var credentials: CredentialOptions
    @Argument var image: String
    @Flag(name: .shortAndLong, help: "Print no progress.") var quiet = false

    func run(_ engine: EngineClient) async throws {
        let (repository, tag) = ImageList.split(image)
        let body = try await engine.stream(
            "POST", ["images", repository, "push"], [("tag", tag == "<none>" ? "latest" : tag)],
            headers: try credentials.headers(for: image))
        try await ProgressLines.print(body, isQuiet: quiet)
    }
}

struct ImageImport: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make an image from a rootfs tar, plain or compressed.",
        discussion: """
            EXAMPLES
              swarmctl image import rootfs.tar.gz web:1 --change 'CMD ["/serve"]'
              tar -c . | swarmctl image import - web:1
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "File, or - for standard input.") var file: String
    @Argument(help: "NAME[:TAG].") var image: String
    @Option(name: .shortAndLong, help: "Dockerfile instruction for the image's configuration; may be repeated.")
    var change: [String] = []

    func run(_ engine: EngineClient) async throws {
        let (repository, tag) = ImageList.split(image)
        var query = [("fromSrc", "-"), ("repo", repository), ("tag", tag == "<none>" ? "latest" : tag)]
        query += change.map { ("changes", $0) }
        let body = try await engine.stream(
            "POST", ["images", "create"], query, headers: [("Content-Type", "application/x-tar")],
            body: try Upload.body(of: file))
        try await ProgressLines.print(body, isQuiet: false)
    }
}

struct ImageLoad: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Load images from a 'docker save' or OCI archive.")

    @OptionGroup var connection: ConnectionOptions
    @Option(name: .shortAndLong, help: "File; standard input by default.") var input = "-"

    func run(_ engine: EngineClient) async throws {
        let body = try await engine.stream(
            "POST", ["images", "load"], headers: [("Content-Type", "application/x-tar")],
            body: try Upload.body(of: input))
        try await ProgressLines.print(body, isQuiet: false)
    }
}

struct ImageTag: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "tag", abstract: "Give an image another name.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var image: String
    @Argument var name: String

    func run(_ engine: EngineClient) async throws {
        let (repository, tag) = ImageList.split(name)
        try await engine.send(
            "POST", ["images", image, "tag"], [("repo", repository), ("tag", tag == "<none>" ? "latest" : tag)])
    }
}

struct ImageRemove: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove images of this node.")

    @OptionGroup var connection: ConnectionOptions
    @Argument var images: [String]
    @Flag(name: .shortAndLong, help: "Remove although it has several names.") var force = false

    func run(_ engine: EngineClient) async throws {
        for image in images {
            let bytes = try await engine.send("DELETE", ["images", image], force ? [("force", "true")] : [])
            for item in try DockerJSON.decode([Docker.ImageDeleted].self, from: bytes) {
                if let name = item.Untagged { Console.line("Untagged: \(name)") }
                if let id = item.Deleted { Console.line("Deleted: \(id)") }
            }
        }
    }
}

/// A file as a request's body, read in pieces.
enum Upload {
    static func body(of path: String) throws -> HTTPClientRequest.Body {
        let handle: FileHandle
        if path == "-" {
            handle = .standardInput
        } else {
            guard let opened = FileHandle(forReadingAtPath: path) else {
                throw CommandFailure("cannot open \(path): \(String(cString: strerror(errno)))")
            }
            handle = opened
        }
        let pieces = AsyncThrowingStream<ByteBuffer, any Error>(unfolding: {
            guard let data = try handle.read(upToCount: CommandLimits.uploadPieceBytes), !data.isEmpty else {
                return nil
            }
            return ByteBuffer(bytes: data)
        })
        return .stream(pieces, length: .unknown)
    }
}

/// Progress as lines of JSON.
enum ProgressLines {
    /// - Throws: ``CommandFailure`` with the error that a line carries.
    static func print(_ body: HTTPClientResponse.Body, isQuiet: Bool) async throws {
        var rest: [UInt8] = []
        for try await piece in body {
            rest.append(contentsOf: piece.readableBytesView)
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                try show(rest[..<end], isQuiet)
                rest.removeSubrange(...end)
            }
        }
        try show(rest[...], isQuiet)
    }

    private static func show(_ line: ArraySlice<UInt8>, _ isQuiet: Bool) throws {
        guard line.contains(where: { $0 > UInt8(ascii: " ") }) else { return }
        let progress = try DockerJSON.decode(Docker.Progress.self, from: line)
        if let error = progress.error { throw CommandFailure(error) }
        guard !isQuiet else { return }
        if let text = progress.stream { Console.line(text.trimmingCharacters(in: .newlines)) }
        guard let status = progress.status else { return }
        // Every received byte is for terminals only.
        if let detail = progress.progressDetail, let current = detail.current {
            guard Console.isTerminal else { return }
            let total = detail.total.map { "/" + Humanize.size($0) } ?? ""
            Console.status("\(progress.id ?? ""): \(status) \(Humanize.size(current))\(total)")
        } else {
            if Console.isTerminal { Console.status("") }
            Console.line(progress.id.map { "\($0): \(status)" } ?? status)
        }
    }
}
