import Glibc
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
