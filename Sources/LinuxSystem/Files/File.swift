import CLinux
import Glibc

/// Whole files and folders by path.
public enum File {
    /// O_PATH, which Glibc's module does not show: a descriptor that only names the file.
    public static let pathOnly: Int32 = 0x20_0000

    /// Opens a path; `flags` are `O_…`, close-on-exec is added.
    public static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0o644) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try retrying { Glibc.open(path, flags | O_CLOEXEC, mode_t(mode)) })
    }

    public static func read(_ path: String, maximumBytes: Int) throws(Errno) -> [UInt8] {
        try open(path, O_RDONLY).readAll(maximumBytes: maximumBytes)
    }

    /// The text of a file; bytes that are not UTF-8 become U+FFFD.
    public static func readText(_ path: String, maximumBytes: Int = 4 << 20) throws(Errno) -> String {
        String(decoding: try read(path, maximumBytes: maximumBytes), as: UTF8.self)
    }

    /// Writes a value into an existing file in one call, as the files of /proc, /sys and cgroups want it.
    public static func writeValue(_ path: String, _ value: String) throws(Errno) {
        let file = try open(path, O_WRONLY)
        try file.write(all: Array(value.utf8))
    }

    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    public static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes a folder and the missing ones above it; one that exists is left as it is.
    public static func createFolders(_ path: String, mode: UInt32 = 0o755) throws(Errno) {
        if mkdir(path, mode_t(mode)) == 0 { return }
        switch Errno.current {
        case .exists where isDirectory(path): return
        case .noSuchFile:
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { throw .noSuchFile }
            try createFolders(String(path[..<slash]), mode: mode)
            if mkdir(path, mode_t(mode)) == -1, Errno.current != .exists { throw Errno.current }
        case let error: throw error
        }
    }

    /// Replaces a file so that a reader sees the old bytes or the new ones, never a mixture.
    ///
    /// - Parameter isDurable: whether that holds for a power cut, too. Else the file outlives its writer alone: enough
    ///   for what a restart of the machine makes void, and two fsyncs less.
    public static func replace(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o600, isDurable: Bool = true
    ) throws(Errno) {
        let temporary = path + ".new"
        let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        try file.write(all: bytes)
        if isDurable { try file.synchronize() }
        try file.close()
        try checked(rename(temporary, path))
        if isDurable { try synchronizeFolder(of: path) }
    }

    /// Makes the names in a path's folder durable.
    public static func synchronizeFolder(of path: String) throws(Errno) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY).synchronize()
    }

    /// Removes a name; one that is not there is fine.
    public static func remove(_ path: String) throws(Errno) {
        if unlink(path) == -1, Errno.current != .noSuchFile { throw Errno.current }
    }

    /// The names in a folder, sorted, without `.` and `..`.
    public static func names(in path: String) throws(Errno) -> [String] {
        guard let stream = opendir(path) else { throw Errno.current }
        defer { closedir(stream) }
        return try entries(of: stream).map(\.name).sorted()
    }

    /// Removes a folder with all that is in it, following no symbolic link; one that is not there is fine.
    public static func removeTree(_ path: String) throws(Errno) {
        let slash = path.lastIndex(of: "/")
        let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let folder: OwnedDescriptor
        do throws(Errno) {
            folder = try open(parent, O_RDONLY | O_DIRECTORY)
        } catch {
            if error == .noSuchFile { return }
            throw error
        }
        try TreeRemoval.remove(Array(name.utf8CString), in: folder)
    }

    private static func entries(of stream: OpaquePointer) throws(Errno) -> [(name: String, type: UInt8)] {
        var found: [(name: String, type: UInt8)] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno.current }
                return found
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { found.append((name, entry.pointee.d_type)) }
        }
    }

    /// A file that exists only in memory, with these bytes, positioned at its start.
    public static func inMemory(named name: String, _ bytes: [UInt8]) throws(Errno) -> OwnedDescriptor {
        let file = OwnedDescriptor(adopting: try checked(clinux_memfd_create(name, 0)))
        try file.write(all: bytes)
        try checked(lseek(file.number, 0, SEEK_SET))
        return file
    }
}
