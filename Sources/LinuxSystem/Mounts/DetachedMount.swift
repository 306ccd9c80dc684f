import CLinux
import Glibc

/// A mount that is in no tree yet (open_tree and fsmount, Linux 5.2): it is set up first, then put in place in one step.
///
/// Both ends of that step are descriptors, so no path of the container is resolved twice.
public struct DetachedMount: ~Copyable {
    public let descriptor: OwnedDescriptor

    /// Flags of a mount point (mount_setattr(2)).
    public struct Attributes: OptionSet, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        public static let readOnly = Attributes(rawValue: 0x1)
        public static let noSetUserID = Attributes(rawValue: 0x2)
        public static let noDevices = Attributes(rawValue: 0x4)
        public static let noExecution = Attributes(rawValue: 0x8)
    }

    /// How later mounts below are shared with other namespaces (mount_namespaces(7)).
    public enum Propagation: UInt64, Sendable {
        case `private` = 0x4_0000
        case slave = 0x8_0000
        case shared = 0x10_0000
    }

    private enum Configuration {
        static let setFlag: UInt32 = 0
        static let setString: UInt32 = 1
        static let create: UInt32 = 6
    }

    private static let recursive: UInt32 = 0x8000
    private static let cloneTree: UInt32 = 1
    private static let emptyPath: UInt32 = 0x1000

    /// A new instance of a file system. An option without a value is a flag; the key `source` is what /proc/mounts shows.
    public init(
        fileSystem: String, options: [(key: String, value: String?)] = [], attributes: Attributes = []
    ) throws(Errno) {
        let context = OwnedDescriptor(adopting: try checked(clinux_fsopen(fileSystem)))
        for (key, value) in options {
            let command = value == nil ? Configuration.setFlag : Configuration.setString
            try checked(clinux_fsconfig(context.number, command, key, value))
        }
        try checked(clinux_fsconfig(context.number, Configuration.create, nil, nil))
        descriptor = OwnedDescriptor(
            adopting: try checked(clinux_fsmount(context.number, UInt32(truncatingIfNeeded: attributes.rawValue))))
    }

    /// A copy of the mount at a descriptor's place, with the mounts below it when `isRecursive`.
    public init(copyOf place: borrowing OwnedDescriptor, isRecursive: Bool) throws(Errno) {
        let flags = DetachedMount.emptyPath | DetachedMount.cloneTree | UInt32(bitPattern: O_CLOEXEC)
        descriptor = OwnedDescriptor(
            adopting: try checked(
                clinux_open_tree(place.number, "", flags | (isRecursive ? DetachedMount.recursive : 0))))
    }

    public func set(_ attributes: Attributes, isRecursive: Bool) throws(Errno) {
        let flags = isRecursive ? DetachedMount.recursive : 0
        try checked(clinux_mount_setattr(descriptor.number, flags, attributes.rawValue, 0, 0))
    }

    public func set(_ propagation: Propagation, isRecursive: Bool) throws(Errno) {
        let flags = isRecursive ? DetachedMount.recursive : 0
        try checked(clinux_mount_setattr(descriptor.number, flags, 0, 0, propagation.rawValue))
    }

    /// Puts it in place, above what is there.
    public func attach(to place: borrowing OwnedDescriptor) throws(Errno) {
        try checked(clinux_move_mount(descriptor.number, place.number, 0))
    }
}
