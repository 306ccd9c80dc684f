public import DurableLog
import Glibc
import LinuxSystem
public import Primitives
import Synchronization

/// The log's files in a folder of the machine's.
public struct PosixLogFiles: SharedLogFiles {
    private let folder: String
    /// The file in use, open: the segment that is written to, with one fdatasync a write, or a snapshot that is read.
    private var open: (name: String, file: OpenFile)?
    private let removals: Removals

    /// Closed when the last copy of the handle lets go of it.
    private final class OpenFile: Sendable {
        let descriptor: Int32

        init(_ descriptor: Int32) {
            self.descriptor = descriptor
        }

        deinit { Glibc.close(descriptor) }
    }

    /// - Throws: ``Failure`` when the folder cannot be made or is not writable.
    public init(folder: String) throws(Failure) {
        self.folder = folder
        removals = Removals()
        if mkdir(folder, 0o700) != 0 && errno != EEXIST { throw problem("make the folder", folder) }
        if access(folder, R_OK | W_OK | X_OK) != 0 { throw problem("use the folder", folder) }
    }

    private init(sharing folder: String, _ removals: Removals) {
        self.folder = folder
        self.removals = removals
    }

    public func another() -> PosixLogFiles { PosixLogFiles(sharing: folder, removals) }

    public mutating func close() { open = nil }

    public func path(of name: String) -> String { "\(folder)/\(name)" }

    public func list() throws(Failure) -> [String] {
        guard let stream = opendir(folder) else { throw problem("list", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    public func read(_ name: String) throws(Failure) -> [UInt8] {
        let descriptor = try openFile(name, O_RDONLY)
        defer { Glibc.close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        guard size >= 0 else { throw problem("measure", path(of: name)) }
        var bytes = [UInt8](repeating: 0, count: size)
        var done = 0
        while done < size {
            let count = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress?.advanced(by: done), size - done, off_t(done))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw problem("read", path(of: name)) }
            done += count
        }
        return bytes
    }

    public mutating func read(_ name: String, at offset: Int, count: Int) throws(Failure) -> [UInt8] {
        let descriptor = try descriptor(for: name)
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            done = 0
            while done < count {
                let read = pread(
                    descriptor, buffer.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
                if read < 0 && errno == EINTR { continue }
                if read < 0 { code = errno }
                if read <= 0 { break }
                done += read
            }
        }
        if code != 0 { throw problem("read", path(of: name), code) }
        return bytes
    }

    public mutating func create(_ name: String, bytes: Int) throws(Failure) {
        let descriptor = try openFile(name, O_RDWR | O_CREAT | O_TRUNC)
        if bytes > 0 {
            var result = posix_fallocate(descriptor, 0, off_t(bytes))
            if result == ENOSPC {
                // What was removed may not be free yet.
                removals.wait()
                result = posix_fallocate(descriptor, 0, off_t(bytes))
            }
            if result != 0 {
                Glibc.close(descriptor)
                unlink(path(of: name))
                throw problem("reserve \(bytes) bytes for", path(of: name), result)
            }
        }
        open = (name, OpenFile(descriptor))
    }

    public mutating func write(_ name: String, _ bytes: [UInt8], at offset: Int) throws(Failure) {
        let descriptor = try descriptor(for: name)
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                pwrite(descriptor, buffer.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw problem("write", path(of: name)) }
            done += count
        }
    }

    public mutating func sync(_ name: String) throws(Failure) {
        if fdatasync(try descriptor(for: name)) != 0 { throw problem("sync", path(of: name)) }
    }

    public mutating func truncate(_ name: String, to bytes: Int) throws(Failure) {
        if ftruncate(try descriptor(for: name), off_t(bytes)) != 0 { throw problem("cut off", path(of: name)) }
    }

    public mutating func rename(_ name: String, to other: String) throws(Failure) {
        closeOpen(name)
        if Glibc.rename(path(of: name), path(of: other)) != 0 { throw problem("rename", path(of: name)) }
    }

    /// Its blocks are freed by a thread of its own, as the last to have it open: that takes 25 ms for 100 MB.
    public mutating func remove(_ name: String) throws(Failure) {
        closeOpen(name)
        // Where it cannot be opened, they are freed here.
        let descriptor = Glibc.open(path(of: name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        let result = unlink(path(of: name))
        let code = errno
        if descriptor >= 0 { removals.close(descriptor) }
        if result != 0 { throw problem("remove", path(of: name), code) }
    }

    public mutating func syncFolder() throws(Failure) {
        let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem("open", folder) }
        defer { Glibc.close(descriptor) }
        if fsync(descriptor) != 0 { throw problem("sync", folder) }
    }

    private mutating func closeOpen(_ name: String) {
        if open?.name == name { open = nil }
    }

    private mutating func descriptor(for name: String) throws(Failure) -> Int32 {
        if let open, open.name == name { return open.file.descriptor }
        let descriptor = try openFile(name, O_RDWR)
        open = (name, OpenFile(descriptor))
        return descriptor
    }

    private func openFile(_ name: String, _ flags: Int32) throws(Failure) -> Int32 {
        let descriptor = Glibc.open(path(of: name), flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw problem("open", path(of: name)) }
        return descriptor
    }

    private func problem(_ action: String, _ path: String, _ code: Int32 = errno) -> Failure {
        let hint =
            switch code {
            case ENOSPC, EDQUOT: "; the disk is full: make room, then start swarmd again"
            case EACCES, EPERM: "; swarmd must run as root and own its state folder"
            case EROFS: "; the file system is read-only: look at the kernel's log"
            default: ""
            }
        let kind: Failure.Code = code == ENOSPC || code == EDQUOT ? .resourceExhausted : .unavailable
        return Failure(kind, "cannot \(action) \(path): \(String(cString: strerror(code)))\(hint)")
    }
}

/// Removed files whose blocks are being freed.
private final class Removals: Sendable {
    private let pending = Mutex(0)
    private let hasEnded = ThreadSignal()

    /// Frees the blocks of a removed file, which nobody else has open, on a thread of its own; without one, here.
    func close(_ descriptor: Int32) {
        pending.withLock { $0 += 1 }
        do {
            try SystemThread.start(name: "log-remove") { self.free(descriptor) }
        } catch { free(descriptor) }
    }

    private func free(_ descriptor: Int32) {
        Glibc.close(descriptor)
        pending.withLock { $0 -= 1 }
        hasEnded.set()
    }

    /// Until all are free, or for as long as ``ManagerLimits/removalWait``. One thread waits at a time.
    func wait() {
        let end = Clock.now + ManagerLimits.removalWait
        while pending.withLock({ $0 }) > 0, Clock.now < end { hasEnded.wait(until: end) }
    }
}
