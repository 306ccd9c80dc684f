import CLinux
import Glibc

/// The mounts of the calling process's namespace.
public enum MountTree {
    /// Cuts the whole tree off from other namespaces: nothing mounted here appears there.
    public static func makePrivate() throws(Errno) {
        try checked(mount(nil, "/", nil, UInt(MS_REC | MS_PRIVATE), nil))
    }

    /// Mounts an overlay; `lower` lists the layers, the uppermost first, and an empty list is an error.
    ///
    /// The folders are named by descriptor: the option text is limited to a page whatever their paths are, needs no
    /// escaping of `:` and `,`, and the container reads none of the node's paths in its own /proc/mounts.
    public static func mountOverlay(lower: [String], upper: String, work: String, at target: String) throws(Errno) {
        var held: [Int32] = []
        defer { for number in held { close(number) } }
        func shortPath(_ path: String) throws(Errno) -> String {
            held.append(try File.open(path, File.pathOnly | O_DIRECTORY).release())
            return "/proc/self/fd/\(held[held.count - 1])"
        }
        guard !lower.isEmpty else { throw .invalidArgument }
        var lowers: [String] = []
        for path in lower { lowers.append(try shortPath(path)) }
        let options =
            "lowerdir=" + lowers.joined(separator: ":") + ",upperdir=" + (try shortPath(upper)) + ",workdir="
            + (try shortPath(work))
        guard options.utf8.count < 4096 else { throw .nameTooLong }
        try checked(options.withCString { mount("overlay", target, "overlay", 0, $0) })
    }

    /// Mounts an overlay for reading only; as for the writable one, `lower` lists the layers, the uppermost first.
    ///
    /// Without an upper folder the kernel wants two lower ones (overlayfs.rst): the target, an empty folder, is the last.
    public static func mountOverlay(lower: [String], at target: String) throws(Errno) {
        var held: [Int32] = []
        defer { for number in held { close(number) } }
        guard !lower.isEmpty else { throw .invalidArgument }
        for path in lower + [target] { held.append(try File.open(path, File.pathOnly | O_DIRECTORY).release()) }
        let options = "lowerdir=" + held.map { "/proc/self/fd/\($0)" }.joined(separator: ":")
        guard options.utf8.count < 4096 else { throw .nameTooLong }
        let flags = UInt(MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC)
        try checked(options.withCString { mount("overlay", target, "overlay", flags, $0) })
    }

    /// Makes a folder, which must be a mount point, the root of this process and its namespace, and drops the old root.
    public static func pivot(into root: borrowing OwnedDescriptor) throws(Errno) {
        try checked(fchdir(root.number))
        // Both arguments ".": the old root ends up mounted over the new one and is taken off from there (pivot_root(2)).
        try checked(clinux_pivot_root(".", "."))
        try checked(umount2(".", Int32(MNT_DETACH)))
        try checked(chdir("/"))
    }

    /// Changes the flags of the mount that a descriptor's place belongs to.
    public static func set(
        _ attributes: DetachedMount.Attributes, on place: borrowing OwnedDescriptor, isRecursive: Bool = false
    ) throws(Errno) {
        try checked(clinux_mount_setattr(place.number, isRecursive ? 0x8000 : 0, attributes.rawValue, 0, 0))
    }
}
