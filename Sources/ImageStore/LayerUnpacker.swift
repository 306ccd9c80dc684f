import CArchive
import Glibc
import Primitives

/// Unpacks one tar stream below a folder, whiteouts converted to overlayfs' form.
struct LayerUnpacker {
    /// What the archive's names mean.
    enum Mode {
        /// A layer: whiteouts, owners, devices.
        case layer
        /// A container of files (`docker save`): plain files, folders and links, all owned by this process.
        case files
    }

    struct Totals {
        var entries = 0
        var bytes: Int64 = 0
    }

    private let mode: Mode
    private var tree: TreeWriter
    private(set) var totals = Totals()
    /// Set when all is written: making files changes their folders' times.
    private var folderTimes = FolderTimes(bytesMax: Limits.maximumFolderTimesBytes)

    private static let whiteoutPrefix = Array(".wh.".utf8)
    private static let opaqueName = Array(".wh..wh..opq".utf8)
    private static let reservedPrefix = Array(".wh..wh.".utf8)

    private init(mode: Mode, root: OpenFile) {
        self.mode = mode
        tree = TreeWriter(root: root)
    }

    /// Unpacks all of `file` into `folder`; blocks. Returns the digest of the uncompressed archive.
    @discardableResult
    static func unpack(
        _ file: OpenFile, into folder: OpenFile, mode: Mode
    ) throws -> (diffID: ContentDigest, compression: Compression, totals: Totals) {
        let source = try DecompressedBytes(file)
        var unpacker = LayerUnpacker(mode: mode, root: folder)
        do {
            let tar = try TarReader(source)
            while let entry = try tar.next() { try unpacker.add(entry, from: tar) }
        }
        try unpacker.setFolderTimes()
        return (try source.finish(), source.compression, unpacker.totals)
    }

    private mutating func add(_ entry: TarEntry, from tar: TarReader) throws {
        totals.entries += 1
        guard totals.entries <= Limits.maximumLayerEntries else {
            throw Failure(.resourceExhausted, "the archive has more than \(Limits.maximumLayerEntries) members")
        }
        let path = try TreeWriter.components(of: entry.path)
        guard let last = path.last else {
            if mode == .layer, case .directory = entry.kind { try addFolder(entry, path) }
            return
        }
        if mode == .layer, last.starts(with: Self.whiteoutPrefix) {
            try addWhiteout(last, in: tree.folder(path.dropLast()))
            return
        }
        do {
            try addMember(entry, path, last, from: tar)
        } catch let error as FileError {
            throw Failure(.internal, "cannot unpack \(TreeWriter.name(entry.path))", cause: error)
        }
    }

    private mutating func addMember(_ entry: TarEntry, _ path: [[UInt8]], _ last: [UInt8], from tar: TarReader) throws {
        let name = nullTerminated(last)
        switch entry.kind {
        case .directory:
            try tree.makeFolder(in: tree.folder(path.dropLast()), name)
            try addFolder(entry, path)
        case .file:
            try addFile(entry, in: clear(path, name), name, from: tar)
        case .symbolicLink(let target):
            let parent = try clear(path, name)
            guard symlinkat(nullTerminated(target), parent.descriptor, name) == 0 else {
                throw FileError("symlink", text(name))
            }
            try setOwnerAndTime(entry, in: parent, name)
        case .hardLink(let target):
            try addHardLink(entry, target, path, name)
        case .fifo:
            guard mode == .layer else { return }
            try addNode(entry, type: S_IFIFO, device: 0, in: clear(path, name), name)
        case .device(let type, let major, let minor):
            guard mode == .layer else { return }
            try addNode(entry, type: type, device: image_makedev(major, minor), in: clear(path, name), name)
        case .unknown:
            throw Failure(.invalidArgument, "\(TreeWriter.name(entry.path)): a member of an unknown type")
        }
    }

    /// The folder of `path`, with nothing under its last name.
    private mutating func clear(_ path: [[UInt8]], _ name: [CChar]) throws -> OpenFile {
        let parent = try tree.folder(path.dropLast())
        try Files.removeTree(name, in: parent)
        return parent
    }

    private mutating func addFolder(_ entry: TarEntry, _ path: [[UInt8]]) throws {
        let folder = try tree.folder(path[...])
        guard mode == .layer else { return }
        try setAttributes(entry, of: folder)
        try folderTimes.set(entry.modified, of: Array(path.joined(separator: [47])))
    }

    private func addFile(_ entry: TarEntry, in parent: OpenFile, _ name: [CChar], from tar: TarReader) throws {
        guard (0...Limits.maximumLayerBytes).contains(entry.size) else {
            throw Failure(.resourceExhausted, "\(TreeWriter.name(entry.path)): a file of \(entry.size) bytes")
        }
        let file = try OpenFile(in: parent, name, O_WRONLY | O_CREAT | O_EXCL)
        var end: Int64 = 0
        try tar.content { bytes, offset in
            // libarchive has checked offsets against the declared size; a sparse map is the archive's word, so again.
            let (sum, overflow) = offset.addingReportingOverflow(Int64(bytes.count))
            guard offset >= 0, !overflow, sum <= entry.size else {
                throw Failure(.invalidArgument, "\(TreeWriter.name(entry.path)): its content exceeds its size")
            }
            try file.requireSpace(for: bytes.count, path: text(name))
            try file.write(bytes, at: offset, path: text(name))
            end = max(end, sum)
        }
        if end < entry.size, ftruncate(file.descriptor, off_t(entry.size)) != 0 {
            throw FileError("truncate", text(name))
        }
        guard mode == .layer else { return }
        try setAttributes(entry, of: file)
        try setTime(entry.modified, in: parent, name)
    }

    private mutating func addHardLink(_ entry: TarEntry, _ target: [UInt8], _ path: [[UInt8]], _ name: [CChar]) throws {
        let targetPath = try TreeWriter.components(of: target)
        guard let targetLast = targetPath.last, targetPath != path else { return }
        let source = try tree.folder(targetPath.dropLast(), creating: false)
        let parent = try clear(path, name)
        // Without AT_SYMLINK_FOLLOW a link to a symbolic link links the link itself.
        guard linkat(source.descriptor, nullTerminated(targetLast), parent.descriptor, name, 0) == 0 else {
            throw FileError("link to \(TreeWriter.name(target)) from", TreeWriter.name(entry.path))
        }
    }

    private func addNode(_ entry: TarEntry, type: mode_t, device: dev_t, in parent: OpenFile, _ name: [CChar]) throws {
        guard mknodat(parent.descriptor, name, type | 0o600, device) == 0 else { throw FileError("mknod", text(name)) }
        try setOwnerAndTime(entry, in: parent, name)
        // Just made here by this process, in a folder nobody else may enter: no link can be in its place.
        guard fchmodat(parent.descriptor, name, entry.mode, 0) == 0 else { throw FileError("chmod", text(name)) }
    }

    private func addWhiteout(_ last: [UInt8], in parent: OpenFile) throws {
        if last == Self.opaqueName { return try TreeWriter.makeOpaque(parent) }
        if last.starts(with: Self.reservedPrefix) { return }
        let hidden = Array(last.dropFirst(Self.whiteoutPrefix.count))
        guard !hidden.isEmpty, hidden != Array(".".utf8), hidden != Array("..".utf8) else {
            throw Failure(.invalidArgument, "\(TreeWriter.name(last)): a whiteout of nothing")
        }
        let name = nullTerminated(hidden)
        // A whiteout is about lower layers; what this layer has under the name stays, a folder without their content.
        if let status = TreeWriter.status(parent, name) {
            if status.st_mode & S_IFMT == S_IFDIR {
                try TreeWriter.makeOpaque(OpenFile(in: parent, name, O_RDONLY | O_DIRECTORY))
            }
            return
        }
        guard mknodat(parent.descriptor, name, S_IFCHR, 0) == 0 else { throw FileError("make whiteout", text(name)) }
    }

    /// Owner first: changing it clears set-user-id bits and file capabilities.
    private func setAttributes(_ entry: TarEntry, of file: OpenFile) throws {
        let path = TreeWriter.name(entry.path)
        guard fchown(file.descriptor, entry.owner, entry.group) == 0 else { throw FileError("chown", path) }
        guard fchmod(file.descriptor, entry.mode) == 0 else { throw FileError("chmod", path) }
        for (name, value) in entry.xattrs where Self.isAllowed(text(name)) {
            let status = value.withUnsafeBytes { fsetxattr(file.descriptor, name, $0.baseAddress, $0.count, 0) }
            // A file system without them is no reason to refuse an image; Docker does the same.
            guard status == 0 || errno == EOPNOTSUPP || errno == EPERM else {
                throw FileError("set \(text(name)) on", path)
            }
        }
    }

    /// `trusted.overlay.*` of an archive would redirect overlayfs to other folders; `security.selinux` is the host's.
    private static func isAllowed(_ xattr: String) -> Bool {
        xattr == "security.capability" || xattr == "system.posix_acl_access" || xattr == "system.posix_acl_default"
            || (xattr.hasPrefix("user.") && !xattr.hasPrefix("user.overlay."))
    }

    private func setOwnerAndTime(_ entry: TarEntry, in parent: OpenFile, _ name: [CChar]) throws {
        guard mode == .layer else { return }
        guard fchownat(parent.descriptor, name, entry.owner, entry.group, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw FileError("chown", text(name))
        }
        try setTime(entry.modified, in: parent, name)
    }

    private func setTime(_ modified: timespec, in parent: OpenFile, _ name: [CChar]) throws {
        let times = [modified, modified]
        guard utimensat(parent.descriptor, name, times, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw FileError("set times of", text(name))
        }
    }

    private mutating func setFolderTimes() throws {
        for (joined, modified) in folderTimes.sorted {
            let path = joined.split(separator: 47).map(Array.init)
            // A later member may have taken the folder's place.
            guard let folder = try? tree.folder(path[...], creating: false) else { continue }
            let times = [modified, modified]
            guard futimens(folder.descriptor, times) == 0 else {
                throw FileError("set times of", TreeWriter.name(joined))
            }
        }
    }
}
