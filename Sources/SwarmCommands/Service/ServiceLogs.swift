import ArgumentParser
import AsyncHTTPClient
import DockerSchema
import Foundation
import NIOCore

struct ServiceLogs: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print what a service's (or one task's) containers wrote, on all nodes.",
        discussion: """
            EXAMPLES
              swarmctl service logs -f web
              swarmctl service logs --tail 20 --since 10m web
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Service or task.") var name: String
    @Flag(name: .shortAndLong, help: "Go on with what they write from now on.") var follow = false
    @Option(name: [.customShort("n"), .long], help: "Lines from the end of each task, or all.") var tail = "all"
    @Option(help: "Not older than this: a time (RFC 3339) or 10m.") var since: String?
    @Flag(name: .shortAndLong, help: "Print each line's time.") var timestamps = false
    @Flag(help: "Print the containers' bytes and nothing else.") var raw = false
    @Flag(help: "Print ids of nodes and tasks instead of names.") var noResolve = false
    @Flag(name: .customLong("no-trunc"), help: "Do not shorten ids.") var isWhole = false
    @Flag(help: "Leave out the ids of tasks.") var noTaskIds = false

    func run(_ engine: EngineClient) async throws {
        let (path, isTerminal) = try await target(engine)
        var query = [("stdout", "1"), ("stderr", "1"), ("tail", tail)]
        if follow { query.append(("follow", "1")) }
        if timestamps { query.append(("timestamps", "1")) }
        let isRaw = raw || isTerminal
        if !isRaw { query.append(("details", "1")) }
        if let since { query.append(("since", try ServiceLogs.time(since, now: Date()))) }
        let body = try await engine.stream("GET", path, query)
        var printer = LogPrinter(
            names: isRaw || noResolve ? [:] : try await names(engine), isWhole: isWhole, showsTaskIDs: !noTaskIds,
            hasTime: timestamps, isRaw: isRaw)
        var frames = LogFrames(isRaw: isTerminal)
        do {
            for try await piece in body {
                for frame in frames.add(piece.readableBytesView) {
                    Console.write(bytes: printer.text(of: frame), toError: frame.stream != 1)
                }
            }
        } catch {
            throw CommandFailure("the log broke off: \(error)")
        }
    }

    private func target(_ engine: EngineClient) async throws -> ([String], Bool) {
        do {
            let service = try await engine.get(["services", name], as: Docker.Service.self)
            return (["services", service.ID, "logs"], service.Spec.TaskTemplate?.ContainerSpec?.TTY == true)
        } catch let failure as CommandFailure where failure.message.contains("not found") {
            guard let task = try? await engine.get(["tasks", name], as: Docker.Task.self) else {
                throw CommandFailure("no such service or task: \(name)")
            }
            return (["tasks", task.ID, "logs"], task.Spec.ContainerSpec?.TTY == true)
        }
    }

    /// Names of tasks and nodes by id.
    private func names(_ engine: EngineClient) async throws -> [String: String] {
        var names: [String: String] = [:]
        for node in try await engine.get(["nodes"], as: [Docker.Node].self) {
            names[node.ID] = node.Description?.Hostname
        }
        for task in try await engine.get(["tasks"], as: [Docker.Task].self) {
            names[task.ID] = (task.Name ?? task.ID).replacingOccurrences(of: "." + task.ID, with: "")
        }
        return names
    }

    static func time(_ text: String, now: Date) throws -> String {
        if text.contains("T") || text.allSatisfy(\.isNumber) { return text }
        let age = Double(try FlagValue.duration(text)) / 1e9
        return String(format: "%.3f", now.timeIntervalSince1970 - age)
    }
}

/// Takes Docker's multiplexed stream apart: 8 bytes of header, the first naming the stream, the last four the length.
struct LogFrames {
    struct Frame: Hashable {
        var stream: UInt8
        var bytes: [UInt8]
    }

    /// A terminal's bytes come without headers.
    var isRaw: Bool
    private var rest: [UInt8] = []

    init(isRaw: Bool) { self.isRaw = isRaw }

    /// - Returns: the frames that are complete now.
    mutating func add(_ bytes: some Sequence<UInt8>) -> [Frame] {
        if isRaw { return [Frame(stream: 1, bytes: Array(bytes))] }
        rest.append(contentsOf: bytes)
        var frames: [Frame] = []
        var start = 0
        while rest.count - start >= 8 {
            let length = rest[start + 4..<start + 8].reduce(0) { $0 << 8 | Int($1) }
            guard rest.count - start - 8 >= length else { break }
            frames.append(Frame(stream: rest[start], bytes: Array(rest[start + 8..<start + 8 + length])))
            start += 8 + length
        }
        rest.removeFirst(start)
        return frames
    }
}

/// Puts the task and its node before each line: `web.1.abc@n1    | text`.
struct LogPrinter {
    var names: [String: String]
    var isWhole: Bool
    var showsTaskIDs: Bool
    var hasTime: Bool
    var isRaw: Bool
    private var width = 0

    init(names: [String: String], isWhole: Bool, showsTaskIDs: Bool, hasTime: Bool, isRaw: Bool) {
        self.names = names
        self.isWhole = isWhole
        self.showsTaskIDs = showsTaskIDs
        self.hasTime = hasTime
        self.isRaw = isRaw
    }

    mutating func text(of frame: LogFrames.Frame) -> [UInt8] {
        // 3 is the daemon's own word, without details.
        guard !isRaw, frame.stream != 3 else { return frame.bytes }
        let fields = frame.bytes.split(
            separator: UInt8(ascii: " "), maxSplits: hasTime ? 2 : 1, omittingEmptySubsequences: false)
        guard fields.count == (hasTime ? 3 : 2) else { return frame.bytes }
        let details = String(decoding: fields[fields.count - 2], as: UTF8.self).split(separator: ",")
        func detail(_ key: String) -> String {
            details.first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) } ?? ""
        }
        let task = detail("com.docker.swarm.task.id")
        let node = detail("com.docker.swarm.node.id")
        var name = names[task] ?? task
        if showsTaskIDs, names[task] != nil { name += "." + task.shortID(isWhole) }
        name += "@" + (names[node] ?? node)
        width = max(width, name.count)
        let prefix = name + String(repeating: " ", count: width - name.count) + "    | "
        let time = hasTime ? Array(fields[0]) + [UInt8(ascii: " ")] : []
        return time + Array(prefix.utf8) + Array(fields[fields.count - 1])
    }
}
