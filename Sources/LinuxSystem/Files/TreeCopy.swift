import CLinux
import Glibc

/// Copies a folder's content into another folder: kinds, bytes, owners, modes, times and extended attributes.
///
/// No symbolic link is followed on either side: each name is opened below its folder's descriptor, and a link is copied
/// as a link. What the target has already is kept, so a copy that was cut off goes on where it ended: a file gets its
/// name when it is complete.
public enum TreeCopy {
    /// What could not be copied, and why.
    public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
        /// Below the source.
        public var path: String
        public var error: Errno

        public var description: String { "\(path.isEmpty ? "." : path): \(error)" }
    }

    /// Folders below each other; each holds two descriptors open.
    private static let depthMax = 256
    private static let pieceBytes = 128 << 10
    private static let unfinishedName = Array(".swarm-unfinished".utf8CString)

    /// - Parameters:
    ///   - source: a folder, open for reading.
    ///   - target: a folder, open for reading; it gets the owner and mode of the source.
    public static func copyContent(
        of source: borrowing OwnedDescriptor, to target: borrowing OwnedDescriptor
    ) throws(Problem) {
        try copyFolder(source.number, target.number, path: "", depth: 0)
    }

    private static func copyFolder(_ source: Int32, _ target: Int32, path: String, depth: Int) throws(Problem) {
        guard depth < depthMax else { throw Problem(path: path, error: .nameTooLong) }
        let names: [[CChar]]
        do throws(Errno) {
            names = try self.names(in: source)
        } catch { throw Problem(path: path, error: error) }
        for name in names {
            let text = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
            let inner = path.isEmpty ? text : path + "/" + text
            if let (from, to) = try subfolders(name, source, target, inner) {
                try copyFolder(from.descriptor.number, to.descriptor.number, path: inner, depth: depth + 1)
            } else {
                do throws(Errno) {
                    try copyEntry(name, source, target)
                } catch { throw Problem(path: inner, error: error) }
            }
        }
        do throws(Errno) {
            var status = stat()
            try checked(fstat(source, &status))
            try copyAttributes(status, source, target)
        } catch { throw Problem(path: path, error: error) }
    }

    /// Both sides of a folder, made at the target where it is missing; nil where it is no folder in the source, or
    /// something else at the target.
    private static func subfolders(
        _ name: [CChar], _ source: Int32, _ target: Int32, _ path: String
    ) throws(Problem) -> (SharedDescriptor, SharedDescriptor)? {
        do throws(Errno) {
            var status = stat()
            try checked(fstatat(source, name, &status, AT_SYMLINK_NOFOLLOW))
            guard status.st_mode & S_IFMT == S_IFDIR else { return nil }
            if mkdirat(target, name, 0o700) == -1 {
                let error = Errno.current
                guard error == .exists else { throw error }
                var existing = stat()
                try checked(fstatat(target, name, &existing, AT_SYMLINK_NOFOLLOW))
                guard existing.st_mode & S_IFMT == S_IFDIR else { return nil }
            }
            let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
            return (
                SharedDescriptor(try open(name, in: source, flags)), SharedDescriptor(try open(name, in: target, flags))
            )
        } catch { throw Problem(path: path, error: error) }
    }

    private static func copyEntry(_ name: [CChar], _ source: Int32, _ target: Int32) throws(Errno) {
        var status = stat()
        try checked(fstatat(source, name, &status, AT_SYMLINK_NOFOLLOW))
        var existing = stat()
        if fstatat(target, name, &existing, AT_SYMLINK_NOFOLLOW) == 0 { return }
        switch status.st_mode & S_IFMT {
        case S_IFREG: try copyFile(name, status, source, target)
        case S_IFLNK:
            try checked(symlinkat(try link(name, in: source), target, name))
            try checked(fchownat(target, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW))
            try setTimes(status, name, in: target)
        case S_IFIFO, S_IFCHR, S_IFBLK:
            try checked(mknodat(target, name, status.st_mode & S_IFMT | 0o600, status.st_rdev))
            try checked(fchownat(target, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW))
            try checked(fchmodat(target, name, status.st_mode & 0o7777, 0))
            try setTimes(status, name, in: target)
        default: return  // A socket without its server is of no use; a folder's name is taken at the target.
        }
    }

    private static func copyFile(_ name: [CChar], _ status: stat, _ source: Int32, _ target: Int32) throws(Errno) {
        let from = try open(name, in: source, O_RDONLY | O_NOFOLLOW)
        if unlinkat(target, unfinishedName, 0) == -1, Errno.current != .noSuchFile { throw Errno.current }
        let to = try open(unfinishedName, in: target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
        while case let piece = try from.read(upTo: pieceBytes), !piece.isEmpty { try to.write(all: piece) }
        try copyAttributes(status, from.number, to.number)
        try to.close()
        try checked(renameat(target, unfinishedName, target, name))
    }

    /// Owner first: changing it clears set-user-id bits and file capabilities. Times last.
    private static func copyAttributes(_ status: stat, _ source: Int32, _ target: Int32) throws(Errno) {
        try checked(fchown(target, status.st_uid, status.st_gid))
        try checked(fchmod(target, status.st_mode & 0o7777))
        for name in try extendedAttributes(of: source) {
            let size = try checked(fgetxattr(source, name, nil, 0))
            var value = [UInt8](repeating: 0, count: size)
            let count = try checked(value.withUnsafeMutableBytes { fgetxattr(source, name, $0.baseAddress, $0.count) })
            let result = value.withUnsafeBytes { fsetxattr(target, name, $0.baseAddress, count, 0) }
            // A file system without them is no reason to refuse a volume.
            if result == -1, Errno.current != .notSupported { throw Errno.current }
        }
        let times = [status.st_atim, status.st_mtim]
        try checked(futimens(target, times))
    }

    /// Those that belong to a file's content; the host's own (security labels, overlayfs' marks) do not.
    private static func extendedAttributes(of file: Int32) throws(Errno) -> [String] {
        let size = flistxattr(file, nil, 0)
        if size == -1, Errno.current == .notSupported { return [] }
        var list = [CChar](repeating: 0, count: try checked(size))
        let count = try checked(list.withUnsafeMutableBufferPointer { flistxattr(file, $0.baseAddress, $0.count) })
        return list[..<count].split(separator: 0)
            .map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
            .filter { name in
                ["security.capability", "system.posix_acl_access", "system.posix_acl_default"].contains(name)
                    || name.hasPrefix("user.") && !name.hasPrefix("user.overlay.")
            }
    }

    private static func setTimes(_ status: stat, _ name: [CChar], in folder: Int32) throws(Errno) {
        try checked(utimensat(folder, name, [status.st_atim, status.st_mtim], AT_SYMLINK_NOFOLLOW))
    }

    private static func link(_ name: [CChar], in folder: Int32) throws(Errno) -> [CChar] {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = try checked(
            target.withUnsafeMutableBufferPointer { buffer in
                buffer.baseAddress.map { readlinkat(folder, name, $0, buffer.count - 1) } ?? -1
            })
        return Array(target[..<count]) + [0]
    }

    private static func open(_ name: [CChar], in folder: Int32, _ flags: Int32) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try retrying { openat(folder, name, flags | O_CLOEXEC, 0o600) })
    }

    /// Bytes as they are, since a file's name need not be UTF-8.
    private static func names(in folder: Int32) throws(Errno) -> [[CChar]] {
        let again = try open([46, 0], in: folder, O_RDONLY | O_DIRECTORY)
        let number = again.release()
        guard let stream = fdopendir(number) else {
            let error = Errno.current
            close(number)
            throw error
        }
        defer { closedir(stream) }
        var found: [[CChar]] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno.current }
                return found
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
            }
            if name != [46] && name != [46, 46] { found.append(name + [0]) }
        }
    }
}
