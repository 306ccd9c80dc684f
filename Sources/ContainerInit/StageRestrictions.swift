import Glibc
import LaunchProtocol
import LinuxSystem

/// Sets the container's kernel parameters, then hides and locks what would reach the node.
struct StageRestrictions {
    let configuration: LaunchConfiguration
    /// The container's null device, taken before anything could be mounted over it.
    let nullDevice: NullDevice

    func apply(_ root: borrowing AnchoredFolder) throws(LaunchFailure) {
        // Before /proc/sys becomes read-only.
        try setParameters(root)
        try lock(root)
        try mask(root)
    }

    /// Parameters that a namespace of the container has its own copy of; any other would change the node.
    static func isNamespaced(_ name: String) -> Bool {
        let ofInterProcess: Set<String> = [
            "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced",
        ]
        return ofInterProcess.contains(name) || name.hasPrefix("net.") || name.hasPrefix("fs.mqueue.")
    }

    /// Where a parameter is below /proc/sys; nil for a name that leads elsewhere.
    ///
    /// A name's dots are slashes, and its slashes dots: net.ipv4.conf.eth0/1.forwarding (sysctl(8)).
    static func path(of name: String) -> String? {
        let path = String(name.map { $0 == "." ? "/" : $0 == "/" ? "." : $0 })
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.contains { $0.isEmpty || $0 == "." || $0 == ".." } ? nil : path
    }

    private func setParameters(_ root: borrowing AnchoredFolder) throws(LaunchFailure) {
        for parameter in configuration.sysctls {
            guard StageRestrictions.isNamespaced(parameter.key) else {
                throw LaunchFailure(
                    stage: "sysctl", subject: parameter.key, errno: EPERM,
                    reason: "is not of the container's own namespaces; setting it would change the node")
            }
            guard let path = StageRestrictions.path(of: parameter.key) else {
                throw LaunchFailure(
                    stage: "sysctl", subject: parameter.key, errno: EINVAL, reason: "is no name of a kernel parameter")
            }
            try during("sysctl", parameter.key) { () throws(Errno) in
                try root.open("/proc/sys/" + path, O_WRONLY).write(all: Array(parameter.value.utf8))
            }
        }
    }

    private func lock(_ root: borrowing AnchoredFolder) throws(LaunchFailure) {
        for path in configuration.readOnlyPaths {
            try during("make read-only", path) { () throws(Errno) in
                do throws(Errno) {
                    let place = try root.openPath(path)
                    let copy = try DetachedMount(copyOf: place, isRecursive: true)
                    try copy.set(DetachedMount.Attributes.readOnly, isRecursive: true)
                    try copy.attach(to: place)
                } catch .noSuchFile {
                    // This kernel has no such thing to protect.
                }
            }
        }
    }

    /// Nil where this kernel has no such thing.
    private static func find(_ path: String, _ root: borrowing AnchoredFolder) throws(Errno) -> OwnedDescriptor? {
        do throws(Errno) {
            return try root.openPath(path)
        } catch {
            if error == .noSuchFile { return nil }
            throw error
        }
    }

    private func mask(_ root: borrowing AnchoredFolder) throws(LaunchFailure) {
        for path in configuration.maskedPaths {
            try during("mask", path) { () throws(Errno) in
                // Only what is to be hidden may be missing; what hides it may not.
                guard let place = try StageRestrictions.find(path, root) else { return }
                if File.isDirectory(place.path) {
                    let empty = try DetachedMount(
                        fileSystem: "tmpfs", options: [("source", "tmpfs")],
                        attributes: [.readOnly, .noSetUserID, .noDevices, .noExecution])
                    try empty.attach(to: place)
                } else {
                    let nothing = try DetachedMount(copyOf: nullDevice.descriptor, isRecursive: false)
                    try nothing.attach(to: place)
                }
            }
        }
    }
}
