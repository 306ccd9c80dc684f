import Glibc
import LaunchProtocol
import LinuxSystem

/// Builds the container's tree in the stage's own mount namespace and makes it the root.
///
/// All of it is gone with the namespace's last process. Every path of the container is resolved in the container.
struct StageMounts {
    let configuration: LaunchConfiguration

    init(_ configuration: LaunchConfiguration) {
        self.configuration = configuration
    }

    /// A bind's source, taken before the tree is cut off so that a shared one stays shared.
    final class PreparedBind {
        let mount: DetachedMount
        let isFolder: Bool

        init(_ mount: consuming DetachedMount, isFolder: Bool) {
            self.mount = mount
            self.isFolder = isFolder
        }
    }

    /// Returns the container's null device.
    func build() throws(LaunchFailure) -> NullDevice {
        let binds = try prepareBinds()
        let cgroups = try prepareCgroups()
        try during("make mounts private") { () throws(Errno) in try MountTree.makePrivate() }
        let memoryFiles = try prepareMemoryFiles()
        let root = try mountRoot()
        try mountKernelFileSystems(root)
        try attachCgroups(cgroups, root)
        try StageDevices.build(root, configuration.devices)
        let nullDevice = try during("open", "/dev/null") { () throws(Errno) in try NullDevice(in: root) }
        try attachMounts(binds, root)
        try attachMemoryFiles(memoryFiles, root)
        try StageRestrictions(configuration: configuration, nullDevice: nullDevice).apply(root)
        if configuration.rootIsReadOnly {
            try during("make / read-only") { () throws(Errno) in
                try MountTree.set(.readOnly, on: root.descriptor)
            }
        }
        try during("pivot_root") { () throws(Errno) in try MountTree.pivot(into: root.descriptor) }
        return nullDevice
    }

    // MARK: Root

    private func mountRoot() throws(LaunchFailure) -> AnchoredFolder {
        let place = configuration.stateFolder + "/rootfs"
        try during("create folder", place) { () throws(Errno) in try File.createFolders(place) }
        switch configuration.rootfs {
        case .overlay(let lower, let upper, let work):
            try during("mount overlay", place) { () throws(Errno) in
                try File.createFolders(upper)
                try File.createFolders(work, mode: 0o700)
                try MountTree.mountOverlay(lower: lower, upper: upper, work: work, at: place)
            }
        case .folder(let path):
            try during("mount", path) { () throws(Errno) in
                let mount = try DetachedMount(
                    copyOf: try File.open(path, File.pathOnly | O_DIRECTORY), isRecursive: false)
                try mount.attach(to: try File.open(place, File.pathOnly | O_DIRECTORY))
            }
        }
        return try during("open rootfs", place) { () throws(Errno) in try AnchoredFolder(path: place) }
    }

    // MARK: Kernel file systems

    private func mountKernelFileSystems(_ root: borrowing AnchoredFolder) throws(LaunchFailure) {
        let closed: DetachedMount.Attributes = [.noSetUserID, .noDevices, .noExecution]
        try mount("proc", at: "/proc", [("source", "proc")], closed, root)
        try mount("sysfs", at: "/sys", [("source", "sysfs")], closed.union(.readOnly), root)
        try mount(
            "tmpfs", at: "/dev", [("source", "tmpfs"), ("mode", "755"), ("size", "65536k")], [.noSetUserID], root)
        try mount(
            "devpts", at: "/dev/pts",
            [("source", "devpts"), ("newinstance", nil), ("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")],
            [.noSetUserID, .noExecution], root)
        try mount(
            "tmpfs", at: "/dev/shm",
            [("source", "shm"), ("mode", "1777"), ("size", "\(configuration.sharedMemoryBytes)")], closed, root)
        try mount("mqueue", at: "/dev/mqueue", [("source", "mqueue")], closed, root)
    }

    private func mount(
        _ fileSystem: String, at target: String, _ options: [(key: String, value: String?)],
        _ attributes: DetachedMount.Attributes, _ root: borrowing AnchoredFolder
    ) throws(LaunchFailure) {
        try during("mount", target) { () throws(Errno) in
            let mount = try DetachedMount(fileSystem: fileSystem, options: options, attributes: attributes)
            try mount.attach(to: try root.createFolders(target))
        }
    }

    // MARK: Cgroups

    /// Copies of the container's own groups, read-only: inside they are the roots of the trees.
    private func prepareCgroups() throws(LaunchFailure) -> [(name: String, bind: PreparedBind)] {
        var named = configuration.cgroups.legacy
        if let unified = configuration.cgroups.unified {
            named.append(KeyValue(named.isEmpty ? "" : "unified", unified))
        }
        var prepared: [(name: String, bind: PreparedBind)] = []
        for entry in named {
            let bind = try during("mount", entry.value) { () throws(Errno) in
                let mount = try DetachedMount(
                    copyOf: try File.open(entry.value, File.pathOnly | O_DIRECTORY), isRecursive: false)
                try mount.set([.readOnly, .noSetUserID, .noDevices, .noExecution], isRecursive: false)
                try mount.set(DetachedMount.Propagation.private, isRecursive: false)
                return PreparedBind(mount, isFolder: true)
            }
            prepared.append((entry.key, bind))
        }
        return prepared
    }

    private func attachCgroups(
        _ cgroups: [(name: String, bind: PreparedBind)], _ root: borrowing AnchoredFolder
    ) throws(LaunchFailure) {
        let place = "/sys/fs/cgroup"
        if configuration.cgroups.legacy.isEmpty {
            guard let only = cgroups.first else { return }
            return try during("mount", place) { () throws(Errno) in
                try only.bind.mount.attach(to: try root.openPath(place))
            }
        }
        try during("mount", place) { () throws(Errno) in
            let folder = try DetachedMount(
                fileSystem: "tmpfs", options: [("source", "tmpfs"), ("mode", "755"), ("size", "64k")],
                attributes: [.noSetUserID, .noDevices, .noExecution])
            try folder.attach(to: try root.openPath(place))
            for (name, bind) in cgroups { try bind.mount.attach(to: try root.createFolders(place + "/" + name)) }
            try MountTree.set(.readOnly, on: try root.openPath(place))
        }
    }

    // MARK: Binds and tmpfs

    /// One for each mount, nil where it is no bind.
    private func prepareBinds() throws(LaunchFailure) -> [PreparedBind?] {
        var binds: [PreparedBind?] = []
        for mount in configuration.mounts {
            guard case .bind(let source, let propagation, let isRecursive) = mount.kind else {
                binds.append(nil)
                continue
            }
            let bind = try during("mount", source) { () throws(Errno) in
                let place = try File.open(source, File.pathOnly)
                let copy = try DetachedMount(copyOf: place, isRecursive: isRecursive)
                switch propagation {
                case .private: try copy.set(DetachedMount.Propagation.private, isRecursive: isRecursive)
                case .slave: try copy.set(DetachedMount.Propagation.slave, isRecursive: isRecursive)
                case .shared: break
                }
                if mount.isReadOnly { try copy.set(DetachedMount.Attributes.readOnly, isRecursive: isRecursive) }
                return PreparedBind(copy, isFolder: File.isDirectory(place.path))
            }
            binds.append(bind)
        }
        return binds
    }

    /// Outer targets before inner ones, so that none is covered.
    private func attachMounts(_ binds: [PreparedBind?], _ root: borrowing AnchoredFolder) throws(LaunchFailure) {
        func depth(_ index: Int) -> Int { configuration.mounts[index].target.split(separator: "/").count }
        for index in configuration.mounts.indices.sorted(by: { (depth($0), $0) < (depth($1), $1) }) {
            let mount = configuration.mounts[index]
            switch mount.kind {
            case .bind:
                guard let bind = binds[index] else { continue }
                try during("mount", mount.target) { () throws(Errno) in
                    let place =
                        bind.isFolder ? try root.createFolders(mount.target) : try root.createFile(mount.target)
                    try refuseKernelFolder(place, root)
                    try bind.mount.attach(to: place)
                }
            case .tmpfs(let sizeBytes, let mode):
                var options: [(key: String, value: String?)] = [
                    ("source", "tmpfs"), ("mode", String(mode == 0 ? 0o1777 : mode, radix: 8)),
                ]
                if sizeBytes > 0 { options.append(("size", "\(sizeBytes)")) }
                let attributes: DetachedMount.Attributes = [.noSetUserID, .noDevices, .noExecution]
                try during("mount", mount.target) { () throws(Errno) in
                    try refuseKernelFolder(try root.createFolders(mount.target), root)
                }
                try self.mount(
                    "tmpfs", at: mount.target, options, mount.isReadOnly ? attributes.union(.readOnly) : attributes,
                    root)
            }
        }
    }

    /// /dev and all of /proc are the runtime's: a link of the image may lead a mount there that names another place.
    private func refuseKernelFolder(
        _ place: borrowing OwnedDescriptor, _ root: borrowing AnchoredFolder
    ) throws(Errno) {
        let identity = try FileIdentity(place)
        let devices = try FileIdentity(try root.openPath("/dev"))
        let processes = try FileIdentity(try root.openPath("/proc"))
        if identity == devices || identity.device == processes.device { throw .operationNotPermitted }
    }

    // MARK: Files in memory

    /// A tmpfs with the files' bytes under numbers, at a place of the node that only this namespace sees.
    private func prepareMemoryFiles() throws(LaunchFailure) -> [PreparedBind] {
        guard !configuration.files.isEmpty else { return [] }
        let place = configuration.stateFolder + "/files"
        return try during("write secrets and configs") { () throws(Errno) in
            try File.createFolders(place, mode: 0o700)
            let bytes = configuration.files.reduce(1 << 16) { $0 + ($1.contents.count + 8191) / 4096 * 4096 }
            let memory = try DetachedMount(
                fileSystem: "tmpfs", options: [("source", "tmpfs"), ("mode", "700"), ("size", "\(bytes)")],
                attributes: [.noSetUserID, .noDevices, .noExecution])
            try memory.attach(to: try File.open(place, File.pathOnly | O_DIRECTORY))
            var binds: [PreparedBind] = []
            for (number, file) in configuration.files.enumerated() {
                let path = "\(place)/\(number)"
                let written = try File.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
                try written.write(all: file.contents)
                try written.changeOwner(user: file.user, group: file.group)
                if fchmod(written.number, file.mode & 0o7777) == -1 { throw Errno.current }
                let copy = try DetachedMount(copyOf: try File.open(path, File.pathOnly), isRecursive: false)
                try copy.set(DetachedMount.Attributes.readOnly, isRecursive: false)
                binds.append(PreparedBind(copy, isFolder: false))
            }
            return binds
        }
    }

    private func attachMemoryFiles(
        _ binds: [PreparedBind], _ root: borrowing AnchoredFolder
    ) throws(LaunchFailure) {
        for (file, bind) in zip(configuration.files, binds) {
            try during("mount", file.target) { () throws(Errno) in
                try bind.mount.attach(to: try root.createFile(file.target))
            }
        }
    }
}
