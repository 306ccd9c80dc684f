import CArchive
import Glibc
import Primitives

/// Writes files below one open folder and nowhere else.
///
/// Every component is opened relative to its parent's descriptor with O_NOFOLLOW: no symbolic link of a hostile archive
/// is ever followed, whatever is swapped meanwhile. The folders of the last path stay open, since archives go depth first.
struct TreeWriter {
    private let root: OpenFile
    private var open: [(name: [UInt8], folder: OpenFile)] = []

    init(root: OpenFile) {
        self.root = root
    }

    /// Splits a path of an archive; leading slashes and `.` are dropped, `..` is refused.
    static func components(of path: [UInt8]) throws -> [[UInt8]] {
        guard path.count <= Limits.maximumPathBytes else {
            throw Failure(.invalidArgument, "a path in the archive is longer than \(Limits.maximumPathBytes) bytes")
        }
        let parts = path.split(separator: UInt8(ascii: "/")).map(Array.init).filter { $0 != Array(".".utf8) }
        guard !parts.contains(Array("..".utf8)) else {
            throw Failure(
                .invalidArgument, "\(name(path)): a path in the archive has a \"..\", which could leave its folder")
        }
        guard parts.count <= Limits.maximumPathDepthComponents else {
            throw Failure(
                .invalidArgument, "a path in the archive has over \(Limits.maximumPathDepthComponents) components")
        }
        return parts
    }

    /// The folder of these components; missing ones are made (0755, as tar does) if `creating`.
    mutating func folder(_ components: ArraySlice<[UInt8]>, creating: Bool = true) throws -> OpenFile {
        var common = 0
        for (wanted, have) in zip(components, open) {
            guard wanted == have.name else { break }
            common += 1
        }
        open.removeSubrange(common...)
        for component in components.dropFirst(common) {
            let parent = open.last?.folder ?? root
            let name = nullTerminated(component)
            var next = try Self.openFolder(in: parent, name)
            if next == nil, creating, Self.status(parent, name) == nil || Self.isWhiteout(parent, name) {
                try makeFolder(in: parent, name)
                next = try Self.openFolder(in: parent, name)
            }
            guard let next else {
                let path = Self.name(Array(components.joined(separator: [47])))
                throw Failure(.invalidArgument, "\(path): \(text(name)) on its way is no folder in this layer")
            }
            open.append((component, next))
        }
        return open.last?.folder ?? root
    }

    /// Nil where there is none, or something else: a symbolic link is ELOOP or ENOTDIR, depending on the kernel.
    private static func openFolder(in parent: OpenFile, _ name: [CChar]) throws(FileError) -> OpenFile? {
        let descriptor = openat(parent.descriptor, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        if descriptor >= 0 { return OpenFile(owning: descriptor) }
        guard [ENOENT, ELOOP, ENOTDIR].contains(errno) else { throw FileError("open", text(name)) }
        return nil
    }

    /// Makes the folder unless it is there; whatever else has the name makes way.
    ///
    /// Over a whiteout of the same layer it becomes opaque: what lower layers have below it stays hidden.
    func makeFolder(in parent: OpenFile, _ name: [CChar]) throws {
        if try Self.makeNewFolder(in: parent, name) { return }
        let replacesWhiteout = Self.isWhiteout(parent, name)
        if !replacesWhiteout, let status = Self.status(parent, name), status.st_mode & S_IFMT == S_IFDIR { return }
        guard unlinkat(parent.descriptor, name, 0) == 0 else { throw FileError("remove", text(name)) }
        guard try Self.makeNewFolder(in: parent, name) else { throw FileError("mkdir", text(name), EEXIST) }
        if replacesWhiteout { try Self.makeOpaque(OpenFile(in: parent, name, O_RDONLY | O_DIRECTORY)) }
    }

    /// False where the name is taken. The mode is set again, as mkdir takes off the process' umask.
    private static func makeNewFolder(in parent: OpenFile, _ name: [CChar]) throws(FileError) -> Bool {
        guard mkdirat(parent.descriptor, name, 0o755) == 0 else {
            if errno == EEXIST { return false }
            throw FileError("mkdir", text(name))
        }
        guard fchmodat(parent.descriptor, name, 0o755, 0) == 0 else { throw FileError("chmod", text(name)) }
        return true
    }

    static func status(_ parent: OpenFile, _ name: [CChar]) -> stat? {
        var status = stat()
        return fstatat(parent.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status : nil
    }

    /// overlayfs' mark of a removed name: a character device 0/0 (kernel, Documentation/filesystems/overlayfs.rst).
    static func isWhiteout(_ parent: OpenFile, _ name: [CChar]) -> Bool {
        status(parent, name).map { $0.st_mode & S_IFMT == S_IFCHR && $0.st_rdev == 0 } ?? false
    }

    /// overlayfs' mark of a folder that hides what lower layers have in it.
    static func makeOpaque(_ folder: OpenFile) throws(FileError) {
        guard fsetxattr(folder.descriptor, "trusted.overlay.opaque", "y", 1, 0) == 0 else {
            throw FileError("set trusted.overlay.opaque on", "a folder of the layer")
        }
    }

    static func name(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
}
