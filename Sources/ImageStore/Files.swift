import CArchive
import Glibc

/// A system call on a file that failed: which, on what, why.
struct FileError: Error, CustomStringConvertible {
    var operation: String
    var path: String
    var number: Int32

    /// Reads `errno`: make it directly after the call.
    init(_ operation: String, _ path: String, _ number: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.number = number
    }

    var description: String { "\(operation) \(path): " + String(cString: strerror(number)) }
}

/// An open file or folder, closed with its last reference.
final class OpenFile: Sendable {
    let descriptor: Int32

    init(owning descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Opens `path`, never left open in a program that is started meanwhile.
    convenience init(_ path: String, _ flags: Int32, mode: mode_t = 0o600) throws(FileError) {
        let descriptor = open(path, flags | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileError("open", path) }
        self.init(owning: descriptor)
    }

    /// Opens `name` in `folder`, following no symbolic link.
    convenience init(in folder: OpenFile, _ name: [CChar], _ flags: Int32, mode: mode_t = 0o600) throws(FileError) {
        let descriptor = openat(folder.descriptor, name, flags | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw FileError("open", text(name)) }
        self.init(owning: descriptor)
    }

    func size() throws(FileError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("stat", "descriptor \(descriptor)") }
        return Int64(status.st_size)
    }

    /// Everything in it, from its current position; a file longer than `limit` is an error.
    func readAll(limit: Int, path: String) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let chunk = try readChunk(Limits.fileChunkBytes, path: path)
            if chunk.isEmpty { return bytes }
            bytes += chunk
            guard bytes.count <= limit else { throw FileError("read", path, EFBIG) }
        }
    }

    /// Up to `count` bytes; empty at the end.
    func readChunk(_ count: Int, path: String) throws(FileError) -> [UInt8] {
        while true {
            var number: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                let result = read(descriptor, buffer.baseAddress, count)
                initialized = max(0, result)
                if result < 0 { number = errno }
            }
            if number == 0 { return chunk }
            guard number == EINTR else { throw FileError("read", path, number) }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64? = nil, path: String) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let rest = bytes.baseAddress.map { $0 + done }
            let result =
                if let offset { pwrite(descriptor, rest, bytes.count - done, off_t(offset) + off_t(done)) } else {
                    Glibc.write(descriptor, rest, bytes.count - done)
                }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { throw FileError("write", path) }
            done += result
        }
    }

    /// Refuses what would take the last of the disk, and with it the log of a manager that keeps its state there.
    func requireSpace(for bytes: Int, path: String) throws(FileError) {
        var status = statvfs()
        guard fstatvfs(descriptor, &status) == 0 else { throw FileError("statvfs", path) }
        let unit = UInt64(status.f_frsize)
        let reserve = Limits.reservedBytes(ofDisk: UInt64(status.f_blocks) * unit)
        guard UInt64(status.f_bavail) * unit >= reserve + UInt64(bytes) else {
            throw FileError(
                "keep \(reserve >> 20) MiB free for the cluster's state while writing", path, ENOSPC)
        }
    }

    func sync(path: String) throws(FileError) {
        guard fsync(descriptor) == 0 else { throw FileError("fsync", path) }
    }

    /// Writes out the whole file system that it lies on: one call for a layer's many small files.
    func syncFileSystem(path: String) throws(FileError) {
        guard image_syncfs(descriptor) == 0 else { throw FileError("syncfs", path) }
    }
}

/// A file name for a message; bytes that are not UTF-8 are replaced.
func text(_ name: [CChar]) -> String {
    String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func nullTerminated(_ name: some Collection<UInt8>) -> [CChar] {
    name.map { CChar(bitPattern: $0) } + [0]
}

enum Files {
    /// Makes the folder and those above it; existing ones are left as they are.
    static func makeFolder(_ path: String, mode: mode_t = 0o700) throws(FileError) {
        if mkdir(path, mode) == 0 { return }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeFolder(String(path[..<slash]), mode: mode)
            if mkdir(path, mode) == 0 { return }
        }
        guard errno == EEXIST else { throw FileError("mkdir", path) }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func syncFolder(_ path: String) throws(FileError) {
        try OpenFile(path, O_RDONLY | O_DIRECTORY).sync(path: path)
    }

    static func rename(_ from: String, _ to: String) throws(FileError) {
        guard Glibc.rename(from, to) == 0 else { throw FileError("rename \(from) to", to) }
    }

    /// Replaces `folder/name` as a whole: after a crash it is the old or the new one.
    static func replace(_ name: String, in folder: String, with bytes: [UInt8]) throws(FileError) {
        let path = folder + "/" + name
        let temporary = path + ".new"
        let file = try OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC)
        try bytes.withUnsafeBufferPointer { buffer throws(FileError) in
            try file.write(UnsafeRawBufferPointer(buffer), path: temporary)
        }
        try file.sync(path: temporary)
        try rename(temporary, path)
        try syncFolder(folder)
    }

    /// Names in a folder without `.` and `..`, sorted.
    static func names(in path: String) throws(FileError) -> [String] {
        try names(in: OpenFile(path, O_RDONLY | O_DIRECTORY), path: path).map(text).sorted()
    }

    private static func names(in folder: OpenFile, path: String) throws(FileError) -> [[CChar]] {
        let copy = dup(folder.descriptor)
        guard copy >= 0, let stream = fdopendir(copy) else {
            if copy >= 0 { close(copy) }
            throw FileError("read folder", path)
        }
        defer { closedir(stream) }
        rewinddir(stream)
        var names: [[CChar]] = []
        while let entry = readdir(stream) {
            // d_name is 256 bytes, always terminated (readdir(3)).
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in nullTerminated(bytes.prefix { $0 != 0 }) }
            if text(name) != ".", text(name) != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a file or a whole folder, following no symbolic link; absence is success.
    static func removeTree(_ path: String) throws(FileError) {
        guard let slash = path.lastIndex(of: "/") else { throw FileError("remove", path, EINVAL) }
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        let name = nullTerminated(path[path.index(after: slash)...].utf8)
        try removeTree(name, in: OpenFile(parent, O_RDONLY | O_DIRECTORY))
    }

    static func removeTree(_ name: [CChar], in folder: OpenFile) throws(FileError) {
        if unlinkat(folder.descriptor, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw FileError("remove", text(name)) }
        let inner = try OpenFile(in: folder, name, O_RDONLY | O_DIRECTORY)
        for child in try names(in: inner, path: text(name)) { try removeTree(child, in: inner) }
        guard unlinkat(folder.descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT else {
            throw FileError("remove folder", text(name))
        }
    }
}
