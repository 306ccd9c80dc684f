import ArgumentParser
import AsyncHTTPClient
import DockerSchema
import Foundation
import NIOCore
import NIOHTTP1

struct BackupCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Write the cluster's whole state to a file.",
        discussion: """
            The authority, tokens, services, networks, secrets and configs, as of now; images and volumes are not in it. The
            file is sealed: with the unlock key where managers are locked, else with a new key, which is printed once, or is
            kept in --key-file for the backups that follow.

            EXAMPLES
              swarmctl backup cluster.backup
              swarmctl backup --key-file /root/backup.key /mnt/$(date +%F).backup
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "Where to write it; a file that exists is replaced once the backup is whole.") var file: String
    @Option(help: "Seal with the key in this file; it is made where it does not exist.") var keyFile: String?

    func run(_ engine: EngineClient) async throws {
        let known = try keyFile.flatMap { try BackupKey.read($0) }
        let wanted = known ?? (keyFile == nil ? nil : BackupKey.new)
        let headers = wanted.map { [(BackupKey.header, $0)] } ?? []
        let answer = try await engine.answer("POST", ["swarm", "backup"], headers: headers)
        let newKey = answer.headers.first(name: BackupKey.header)
        let target = AtomicFile(path: file)
        var bytes = 0
        do {
            for try await piece in answer.body {
                try target.write(piece)
                bytes += piece.readableBytes
            }
            if let newKey, let keyFile { try BackupKey.write(newKey, to: keyFile) }
            try target.commit()
        } catch {
            target.abandon()
            throw (error as? CommandFailure) ?? CommandFailure("the backup broke off, nothing was written: \(error)")
        }
        Console.line("\(file): \(bytes) bytes")
        if let newKey, keyFile == nil {
            Console.line("\nTo restore it, `swarmctl restore` asks for this key, which is shown only now:\n")
            Console.line("    \(newKey)\n")
            Console.line("Keep it apart from the file: whoever has both has the cluster.")
        } else if known == nil, newKey == nil {
            Console.line("It is sealed with the unlock key of `swarmctl unlock-key`.")
        }
    }
}

struct RestoreCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Begin the cluster of a backup again, with this node as its only manager.",
        discussion: """
            This node must be in no cluster. Workers whose managers were at this address come back by themselves; others
            are told with `swarmctl join`. The key is read from the terminal, or from standard input.

            EXAMPLES
              swarmctl restore cluster.backup
              swarmctl restore --key-file /root/backup.key --advertise-addr 192.0.2.10 cluster.backup
            """)

    @OptionGroup var connection: ConnectionOptions
    @Argument(help: "The file of `swarmctl backup`.") var file: String
    @Option(help: "Take the key from this file.") var keyFile: String?
    @Option(help: "Address that other nodes reach this one at: ADDRESS|INTERFACE[:PORT].") var advertiseAddr: String?
    @Option(help: "Address to listen at (0.0.0.0:2377).") var listenAddr: String?
    @Option(help: "Address for traffic between containers.") var dataPathAddr: String?

    func run(_ engine: EngineClient) async throws {
        let body = try Upload.body(of: file)
        guard try await engine.get(["info"], as: Docker.Info.self).Swarm.LocalNodeState == "inactive" else {
            throw CommandFailure("this node is already part of a swarm: `swarmctl leave --force` first")
        }
        let key: String
        if let keyFile {
            guard let known = try BackupKey.read(keyFile) else { throw CommandFailure("there is no file \(keyFile)") }
            key = known
        } else {
            key = try Console.secret("Enter the backup's key: ")
        }
        guard !key.isEmpty else { throw CommandFailure("standard input holds no key") }
        let query = [("advertiseaddr", advertiseAddr), ("listenaddr", listenAddr), ("datapathaddr", dataPathAddr)]
            .compactMap { name, value in value.map { (name, $0) } }
        let answer = try await engine.answer(
            "POST", ["swarm", "restore"], query, headers: [(BackupKey.header, key)], body: body)
        let bytes = try await answer.body.collect(upTo: CommandLimits.answerBytes)
        let plan = try DockerJSON.decode(Docker.RecoveryPlan.self, from: Array(buffer: bytes))
        Console.line("The cluster goes on as of change \(plan.Index): this node (\(plan.NodeID)) is its only manager.")
        Console.line("`swarmctl token manager` tells how to add others; `swarmctl node ls` shows who is still away.")
    }
}

/// A file that one key stands in.
enum BackupKey {
    static let header = "X-Swarm-Backup-Key"
    /// In the place of a key: a fresh one is to be made, also where managers are locked.
    static let new = "new"

    /// Nil where there is no such file.
    static func read(_ path: String) throws -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        do {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        } catch { throw CommandFailure("cannot read the key in \(path): \(error.localizedDescription)") }
    }

    /// For its owner alone; never over another key.
    static func write(_ key: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CommandFailure("cannot make \(path): \(String(cString: strerror(errno)))") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data((key + "\n").utf8))
        try handle.synchronize()
    }
}

/// A file for its owner alone, which has its name only once it is whole and on the disk.
struct AtomicFile {
    let path: String
    private let aside: String
    private let handle: FileHandle?

    init(path: String) {
        self.path = path
        aside = path + ".part"
        let descriptor = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        handle = descriptor < 0 ? nil : FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func write(_ buffer: ByteBuffer) throws {
        guard let handle else { throw CommandFailure("cannot write \(aside): look at its folder and who owns it") }
        try handle.write(contentsOf: Data(buffer.readableBytesView))
    }

    func commit() throws {
        try handle?.synchronize()
        guard handle != nil, rename(aside, path) == 0 else {
            throw CommandFailure("cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }

    func abandon() { unlink(aside) }
}
