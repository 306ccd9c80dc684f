import ArgumentParser
import Compose
import Foundation

/// Which compose files are read, and with which variables.
struct ComposeOptions: ParsableArguments {
    @Option(
        name: [.customShort("c"), .customLong("compose-file")],
        help: ArgumentHelp("A compose file, or - for standard input; may be repeated.", valueName: "file"))
    var composeFile: [String]

    @Option(
        help: ArgumentHelp(
            "A file of variables beside those of the environment, which win; may be repeated.", valueName: "file"))
    var envFile: [String] = []

    /// - Throws: ``CommandFailure`` with file, line and column.
    func plan(stack: String?) throws -> StackPlan {
        try reporting { loader, files throws(ComposeError) in
            loader.stack = stack
            return try loader.load(files)
        }
    }

    /// - Throws: ``CommandFailure`` with file, line and column.
    func mergedText() throws -> String {
        try reporting { loader, files throws(ComposeError) in try loader.mergedText(files) }
    }

    private func reporting<Result>(
        _ body: (inout ComposeLoader, [ComposeFile]) throws(ComposeError) -> Result
    ) throws -> Result {
        let files = try composeFile.map { ComposeFile(name: $0, bytes: try Self.bytes(of: $0)) }
        let dotEnv = try envFile.map { ComposeFile(name: $0, bytes: try Self.bytes(of: $0)) }
        do throws(ComposeError) {
            var loader = ComposeLoader(
                stack: nil, environment: ProcessInfo.processInfo.environment,
                folder: Self.folder(of: composeFile.first),
                readFile: { try Self.read($0) })
            try loader.addEnvironment(dotEnv: dotEnv)
            return try body(&loader, files)
        } catch {
            throw CommandFailure(error.description)
        }
    }

    /// The folder of a file; the current one for standard input.
    private static func folder(of file: String?) -> String {
        guard let file, file != "-" else { return FileManager.default.currentDirectoryPath }
        return URL(fileURLWithPath: file).deletingLastPathComponent().standardizedFileURL.path
    }

    private static func bytes(of file: String) throws -> [UInt8] {
        do {
            if file == "-" { return [UInt8](try FileHandle.standardInput.readToEnd() ?? Data()) }
            return try read(URL(fileURLWithPath: file).path)
        } catch {
            throw CommandFailure("cannot read \(file): \(error)")
        }
    }

    private static func read(_ path: String) throws -> [UInt8] {
        do {
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw UnreadableFile(description: reason(error))
        }
    }

    private struct UnreadableFile: Error, CustomStringConvertible {
        var description: String
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile: "no such file"
        case .fileReadNoPermission: "permission denied"
        default: error.localizedDescription
        }
    }
}
