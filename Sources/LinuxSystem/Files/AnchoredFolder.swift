import CLinux
import Glibc

/// A folder in which paths are resolved as if it were the root: neither `..` nor a symbolic link leads out of it.
///
/// An image is written by strangers: `/etc/hosts` in it may be a link to the host's. openat2 with RESOLVE_IN_ROOT
/// (Linux 5.6) makes the kernel do the resolution, so there is no moment between check and use.
public struct AnchoredFolder: ~Copyable {
    public let descriptor: OwnedDescriptor

    public init(_ descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    public init(path: String) throws(Errno) {
        descriptor = try File.open(path, File.pathOnly | O_DIRECTORY)
    }

    private static let resolveInRoot: UInt64 = 0x10
    private static let resolveNoMagicLinks: UInt64 = 0x02

    /// Opens what a path inside means; `flags` are `O_…`.
    public func open(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> OwnedDescriptor {
        let resolve = AnchoredFolder.resolveInRoot | AnchoredFolder.resolveNoMagicLinks
        while true {
            let number = clinux_openat2(
                descriptor.number, path.isEmpty ? "/" : path, UInt64(UInt32(bitPattern: flags)), UInt64(mode), resolve)
            if number != -1 { return OwnedDescriptor(adopting: number) }
            let error = Errno.current
            // EAGAIN: something was renamed elsewhere during the resolution (openat2(2)); the answer is to ask again.
            if error != .interrupted && error != .tryAgain { throw error }
        }
    }

    /// Opens a path without following a link at its end, for a mount on it.
    public func openPath(_ path: String) throws(Errno) -> OwnedDescriptor { try open(path, File.pathOnly) }

    /// Links followed in one path; the kernel's own limit.
    private static let linksMax = 40

    /// The folder at a path, made with the missing ones above it; what a link to nowhere means is made as well.
    public func createFolders(_ path: String, mode: UInt32 = 0o755) throws(Errno) -> OwnedDescriptor {
        do throws(Errno) {
            return try open(path, File.pathOnly | O_DIRECTORY)
        } catch .noSuchFile {
            // Something is missing: name by name.
        }
        var pending = path.split(separator: "/").map(String.init)[...]
        var made: [String] = []
        var linksLeft = AnchoredFolder.linksMax
        while let name = pending.popFirst() {
            if name == "." { continue }
            if name == ".." {
                _ = made.popLast()
                continue
            }
            let parent = try open("/" + made.joined(separator: "/"), File.pathOnly | O_DIRECTORY)
            if let target = AnchoredFolder.link(name, in: parent) {
                guard linksLeft > 0 else { throw .tooManyLinks }
                linksLeft -= 1
                if target.hasPrefix("/") { made = [] }
                pending = target.split(separator: "/").map(String.init)[...] + pending
                continue
            }
            if mkdirat(parent.number, name, mode_t(mode)) == -1, Errno.current != .exists { throw Errno.current }
            made.append(name)
        }
        return try open("/" + made.joined(separator: "/"), File.pathOnly | O_DIRECTORY)
    }

    /// The file at a path, made empty with its folders when it is missing; an existing file, device or socket stays.
    public func createFile(_ path: String, mode: UInt32 = 0o644) throws(Errno) -> OwnedDescriptor {
        try createFile(path, mode: mode, linksLeft: AnchoredFolder.linksMax)
    }

    private func createFile(_ path: String, mode: UInt32, linksLeft: Int) throws(Errno) -> OwnedDescriptor {
        do throws(Errno) {
            return try open(path, File.pathOnly)
        } catch .noSuchFile {
            let (parent, name) = AnchoredFolder.split(path)
            let folder = parent ?? "/"
            let place = try createFolders(folder)
            // A link to nowhere, such as an image's /etc/resolv.conf: what it means is made, inside the root.
            if let target = AnchoredFolder.link(name, in: place) {
                guard linksLeft > 0 else { throw .tooManyLinks }
                let meant = target.hasPrefix("/") ? target : folder + "/" + target
                return try createFile(meant, mode: mode, linksLeft: linksLeft - 1)
            }
            _ = try open(path, O_WRONLY | O_CREAT, mode: mode)
            return try open(path, File.pathOnly)
        }
    }

    /// What a symbolic link says; nil when there is none of that name.
    private static func link(_ name: String, in folder: borrowing OwnedDescriptor) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { readlinkat(folder.number, name, $0, text.count) } ?? -1
            }
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }

    /// Makes a symbolic link where nothing is yet.
    public func createLink(_ path: String, to target: String) throws(Errno) {
        try withParent(of: path) { (parent, name) throws(Errno) in
            if symlinkat(target, parent, name) == -1, Errno.current != .exists { throw Errno.current }
        }
    }

    /// Makes a device node; the umask does not apply.
    public func createDevice(_ path: String, _ device: DeviceNode) throws(Errno) {
        try withParent(of: path) { (parent, name) throws(Errno) in
            let kind: UInt32 = device.kind == .block ? S_IFBLK : S_IFCHR
            try checked(mknodat(parent, name, kind | device.mode, dev_t(clinux_makedev(device.major, device.minor))))
            try checked(fchmodat(parent, name, device.mode, 0))
            try checked(fchownat(parent, name, device.user, device.group, 0))
        }
    }

    private func withParent(of path: String, _ body: (Int32, String) throws(Errno) -> Void) throws(Errno) {
        let (parent, name) = AnchoredFolder.split(path)
        guard !name.isEmpty else { throw .invalidArgument }
        let folder = try open(parent ?? "/", File.pathOnly | O_DIRECTORY)
        try body(folder.number, name)
    }

    private static func split(_ path: String) -> (parent: String?, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (nil, path) }
        let parent = path[..<slash]
        return (parent.isEmpty ? nil : String(parent), String(path[path.index(after: slash)...]))
    }
}

/// A device file.
public struct DeviceNode: Hashable, Sendable {
    public enum Kind: UInt8, Hashable, Sendable {
        case character = 0
        case block = 1
    }

    public var kind: Kind
    public var major: UInt32
    public var minor: UInt32
    /// Permission bits.
    public var mode: UInt32
    public var user: UInt32
    public var group: UInt32

    public init(
        _ kind: Kind, _ major: UInt32, _ minor: UInt32, mode: UInt32 = 0o666, user: UInt32 = 0, group: UInt32 = 0
    ) {
        self.kind = kind
        self.major = major
        self.minor = minor
        self.mode = mode
        self.user = user
        self.group = group
    }

    /// What a device file of the node is; `ENODEV` when the path is not one.
    public init(path: String) throws(Errno) {
        var status = stat()
        try checked(stat(path, &status))
        try self.init(status)
    }

    /// What an open device file is; `ENODEV` when it is none.
    public init(_ descriptor: borrowing OwnedDescriptor) throws(Errno) {
        var status = stat()
        try checked(fstat(descriptor.number, &status))
        try self.init(status)
    }

    private init(_ status: stat) throws(Errno) {
        switch status.st_mode & S_IFMT {
        case S_IFCHR: kind = .character
        case S_IFBLK: kind = .block
        default: throw .noDevice
        }
        major = clinux_major(UInt64(status.st_rdev))
        minor = clinux_minor(UInt64(status.st_rdev))
        mode = status.st_mode & 0o7777
        user = status.st_uid
        group = status.st_gid
    }
}
