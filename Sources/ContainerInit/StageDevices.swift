import Glibc
import LaunchProtocol
import LinuxSystem

/// Fills the container's /dev.
enum StageDevices {
    /// The nodes of the OCI runtime specification's default list.
    private static let usual: [(path: String, node: DeviceNode)] = [
        ("/dev/null", DeviceNode(.character, 1, 3)),
        ("/dev/zero", DeviceNode(.character, 1, 5)),
        ("/dev/full", DeviceNode(.character, 1, 7)),
        ("/dev/random", DeviceNode(.character, 1, 8)),
        ("/dev/urandom", DeviceNode(.character, 1, 9)),
        ("/dev/tty", DeviceNode(.character, 5, 0)),
    ]

    private static let links: [(path: String, target: String)] = [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
        ("/dev/ptmx", "pts/ptmx"),
        ("/dev/core", "/proc/kcore"),
    ]

    static func build(_ root: borrowing AnchoredFolder, _ devices: [LaunchDevice]) throws(LaunchFailure) {
        for (path, node) in usual {
            try during("mknod", path) { () throws(Errno) in try root.createDevice(path, node) }
        }
        for (path, target) in links {
            try during("symlink", path) { () throws(Errno) in try root.createLink(path, to: target) }
        }
        for device in devices {
            try during("mknod", device.path) { () throws(Errno) in
                if let slash = device.path.lastIndex(of: "/"), slash != device.path.startIndex {
                    _ = try root.createFolders(String(device.path[..<slash]))
                }
                let kind: DeviceNode.Kind = device.isBlock ? .block : .character
                try root.createDevice(
                    device.path, DeviceNode(kind, device.major, device.minor, mode: device.mode))
            }
        }
    }
}
