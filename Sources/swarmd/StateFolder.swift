import ClusterIdentity
import ClusterModel
import Glibc
import OverlayProtocol
import Primitives

/// The node's state folder: taken by one daemon at a time; holds who this node is.
final class StateFolder: Sendable {
    let path: String
    private let lock: Int32

    /// - Throws: ``Failure`` when the folder cannot be used, or another swarmd uses it.
    init(_ path: String) throws(Failure) {
        self.path = path
        // A file there is no folder, whatever mkdir(2) says of its name.
        if mkdir(path, 0o700) != 0 && errno != EEXIST { throw StateFolder.problem("make the folder", path) }
        var status = stat()
        if stat(path, &status) != 0 { throw StateFolder.problem("use the state folder", path) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw Failure(
                .failedPrecondition,
                "cannot use the state folder \(path): it is not a folder; move it away, or choose another with --state")
        }
        for folder in ["\(path)/identity", "\(path)/tasks", "\(path)/volumes"] {
            if mkdir(folder, 0o700) != 0 && errno != EEXIST { throw StateFolder.problem("make the folder", folder) }
        }
        let file = "\(path)/lock"
        lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw StateFolder.problem("open", file) }
        if flock(lock, LOCK_EX | LOCK_NB) != 0 {
            close(lock)
            throw Failure(
                .alreadyExists, "another swarmd uses the state folder \(path): end it, or choose one with --state")
        }
    }

    deinit { close(lock) }

    func read(_ name: String) throws(Failure) -> String? {
        let file = "\(path)/\(name)"
        guard let stream = fopen(file, "re") else {
            if errno == ENOENT { return nil }
            throw StateFolder.problem("read", file)
        }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 { bytes += buffer[..<count] }
        if ferror(stream) != 0 { throw StateFolder.problem("read", file) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Durable when it returns: written aside, synced, renamed, the folder synced.
    func write(_ text: String, to name: String) throws(Failure) {
        let file = "\(path)/\(name)"
        let aside = file + ".tmp"
        let descriptor = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StateFolder.problem("write", aside) }
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw StateFolder.abandoned(aside, descriptor, "write", file) }
            done += count
        }
        guard fsync(descriptor) == 0 else { throw StateFolder.abandoned(aside, descriptor, "sync", file) }
        close(descriptor)
        guard rename(aside, file) == 0 else { throw StateFolder.problem("write", file) }
        let parent = String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)])
        let folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw StateFolder.problem("open", parent) }
        defer { close(folder) }
        if fsync(folder) != 0 { throw StateFolder.problem("sync", parent) }
    }

    func remove(_ name: String) { unlink("\(path)/\(name)") }

    /// The half written file gives its room back; the one before it is as it was.
    private static func abandoned(
        _ aside: String, _ descriptor: Int32, _ action: String, _ file: String
    ) -> Failure {
        let failure = problem(action, file)
        close(descriptor)
        unlink(aside)
        return failure
    }

    private static func problem(_ action: String, _ path: String) -> Failure {
        let code = errno
        let hint =
            switch code {
            case EACCES, EPERM: ": swarmd must run as root and own its state folder"
            case ENOSPC, EDQUOT: ": the disk is full; make room, then start swarmd again"
            case EROFS: ": its file system is mounted read-only; look at the kernel's log, then mount it for writing"
            case ENOTDIR, ENOENT: ": its parent is missing or not a folder"
            default: ""
            }
        return Failure(.unavailable, "cannot \(action) \(path): \(String(cString: strerror(code)))\(hint)")
    }
}

/// What a node remembers of its membership, beside its certificate.
struct NodeMembership: Sendable {
    /// `HOST:PORT`.
    var listenAddress: String
    var advertiseAddress: String
    var dataPathAddress: String
    var dataPathPort: UInt16
    /// 0 on a worker.
    var raftID: UInt64
    /// Began the cluster.
    var isFounder: Bool
    var managers: [String]
    /// Where a joiner finds the other managers before the log has told it: raft ids with addresses.
    var peers: [UInt64: String]
    /// The raft id under which the log was lost; 0 unless that happened.
    var lostRaftID: UInt64 = 0
    /// The interface of the machine that had the advertised address; empty where none had.
    var interface = ""

    var host: String { String(advertiseAddress[..<(advertiseAddress.lastIndex(of: ":") ?? advertiseAddress.endIndex)]) }

    var text: String {
        """
        listen=\(listenAddress)
        advertise=\(advertiseAddress)
        data-path=\(dataPathAddress)
        data-path-port=\(dataPathPort)
        raft-id=\(raftID)
        founder=\(isFounder)
        managers=\(managers.joined(separator: ","))
        peers=\(peers.sorted { $0.key < $1.key }.map { "\($0.key)@\($0.value)" }.joined(separator: ","))
        lost-raft-id=\(lostRaftID)
        interface=\(interface)

        """
    }

    /// - Throws: ``Failure`` `dataLoss` naming what is missing.
    init(parsing text: String) throws(Failure) {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        guard let listen = values["listen"], let advertise = values["advertise"], let dataPath = values["data-path"],
            let port = values["data-path-port"].flatMap({ UInt16($0) }),
            let raftID = values["raft-id"].flatMap({ UInt64($0) }), let managers = values["managers"]
        else {
            throw Failure(
                .dataLoss, "identity/node.conf is damaged: `swarmctl leave --force`, then join the cluster again")
        }
        self.init(
            listenAddress: listen, advertiseAddress: advertise, dataPathAddress: dataPath, dataPathPort: port,
            raftID: raftID, isFounder: values["founder"] == "true",
            managers: managers.split(separator: ",").map(String.init),
            peers: NodeMembership.peers(values["peers"] ?? ""))
        lostRaftID = values["lost-raft-id"].flatMap { UInt64($0) } ?? 0
        interface = values["interface"] ?? ""
    }

    init(
        listenAddress: String, advertiseAddress: String, dataPathAddress: String, dataPathPort: UInt16, raftID: UInt64,
        isFounder: Bool, managers: [String], peers: [UInt64: String]
    ) {
        self.listenAddress = listenAddress
        self.advertiseAddress = advertiseAddress
        self.dataPathAddress = dataPathAddress
        self.dataPathPort = dataPathPort
        self.raftID = raftID
        self.isFounder = isFounder
        self.managers = managers
        self.peers = peers
    }

    private static func peers(_ text: String) -> [UInt64: String] {
        var result: [UInt64: String] = [:]
        for peer in text.split(separator: ",") {
            let parts = peer.split(separator: "@", maxSplits: 1).map(String.init)
            if parts.count == 2, let id = UInt64(parts[0]) { result[id] = parts[1] }
        }
        return result
    }
}

extension StateFolder {
    func loadMembership() throws -> (NodeMembership, Credentials)? {
        guard let text = try read("identity/node.conf") else { return nil }
        guard let certificate = try read("identity/node.pem"), let key = try read("identity/key.pem"),
            let roots = try read("identity/roots.pem")
        else {
            throw Failure(
                .dataLoss, "\(path)/identity is incomplete: `swarmctl leave --force`, then join the cluster again")
        }
        let pems = roots.split(separator: "-----END CERTIFICATE-----").filter { $0.contains("BEGIN") }
            .map { String($0) + "-----END CERTIFICATE-----\n" }
        return (
            try NodeMembership(parsing: text),
            try Credentials(certificatePEM: certificate, keyPEM: key, rootsPEM: pems)
        )
    }

    /// The membership goes last: without it the node has not joined.
    func save(_ membership: NodeMembership, _ credentials: Credentials) throws {
        try write(try credentials.certificatePEM(), to: "identity/node.pem")
        try write(try credentials.keyPEM(), to: "identity/key.pem")
        try write(try credentials.rootsPEM().joined(separator: "\n"), to: "identity/roots.pem")
        try write(membership.text, to: "identity/node.conf")
    }

    /// The node's key pair of the overlay; made when it is first asked for.
    func overlayKeys() throws -> KeyPair {
        let name = "identity/overlay.key"
        if let text = try read(name) {
            let digits = Array(text.utf8.filter { $0 != 10 })
            let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
                UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
            }
            guard let keys = KeyPair(secretBytes: bytes) else {
                throw Failure(.dataLoss, "\(path)/\(name) is damaged: remove it, and the node gets a new overlay key")
            }
            return keys
        }
        var random = SystemRandomNumberGenerator()
        guard let keys = KeyPair(using: &random) else {
            throw Failure(.internal, "libsodium made no key for the overlay")
        }
        let text = keys.withSecretBytes { bytes in
            bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
        }
        try write(text + "\n", to: name)
        return keys
    }

    func forgetMembership() {
        for name in ["node.conf", "node.pem", "key.pem", "roots.pem", "overlay.key"] { remove("identity/\(name)") }
    }
}
