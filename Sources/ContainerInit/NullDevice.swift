import Glibc
import LinuxSystem

/// An open /dev/null of the container that is one: its path is the container's to change.
///
/// What a program gets as its standard input, and what hides a file, would else be whatever a link in its place leads to
/// (CVE-2025-31133).
final class NullDevice {
    let descriptor: OwnedDescriptor

    /// `ENODEV` when it is anything else than character device 1:3 (Documentation/admin-guide/devices.txt).
    init(checking descriptor: consuming OwnedDescriptor) throws(Errno) {
        guard try DeviceNode(descriptor).isNull else { throw .noDevice }
        self.descriptor = descriptor
    }

    /// The one in a container that is being built.
    convenience init(in root: borrowing AnchoredFolder) throws(Errno) {
        try self.init(checking: try root.open("/dev/null", NullDevice.flags))
    }

    /// The one of a container that was entered, whose root user may have replaced it. The caller is in the container's
    /// cgroup, so that only the devices that the container may use can be opened.
    static func ofCurrentRoot() throws(Errno) -> NullDevice {
        try NullDevice(checking: try File.open("/dev/null", flags))
    }

    /// A fifo in its place must not hold the caller up.
    private static let flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY

    /// Becomes descriptor 0. A null device never blocks, with or without O_NONBLOCK.
    func becomeStandardInput() throws(Errno) { try descriptor.duplicate(onto: 0) }
}

extension DeviceNode {
    fileprivate var isNull: Bool { kind == .character && major == 1 && minor == 3 }
}
