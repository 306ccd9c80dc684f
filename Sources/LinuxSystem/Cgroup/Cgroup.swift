import Glibc

/// One group of processes in every cgroup tree of the node, v1 and v2 behind one interface.
///
/// A value: it names folders, which `create` makes and `remove` takes away.
public struct Cgroup: Hashable, Sendable {
    public let layout: CgroupLayout
    /// Below the mount points, without slashes at its ends: `swarm/tasks/ID`.
    public let path: String

    public init(layout: CgroupLayout, path: String) {
        self.layout = layout
        self.path = path.split(separator: "/").joined(separator: "/")
    }

    /// A group inside this one.
    public func child(_ name: String) -> Cgroup { Cgroup(layout: layout, path: path + "/" + name) }

    /// What went wrong, and with which file.
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var path: String
        public var errno: Errno

        public var description: String { "cgroup \(path): \(errno)" }
    }

    /// The folder in the v2 tree, if there is one.
    public var unifiedFolder: String? {
        switch layout {
        case .unified(let root): root + "/" + path
        case .legacy(_, let unified): unified.map { $0 + "/" + path }
        }
    }

    /// The folders in the v1 trees.
    public var legacyFolders: [String] { hierarchies.map { $0.root + "/" + path } }

    private var hierarchies: [CgroupLayout.Hierarchy] {
        if case .legacy(let hierarchies, _) = layout { hierarchies } else { [] }
    }

    /// The v1 folder of a controller.
    func legacyFolder(_ controller: String) -> String? {
        hierarchies.first { $0.controllers.contains(controller) }.map { $0.root + "/" + path }
    }

    var folders: [String] { legacyFolders + (unifiedFolder.map { [$0] } ?? []) }

    public var exists: Bool { folders.contains(where: File.exists) }

    // MARK: Making

    /// Makes the folders, those above included, and hands the controllers down to them.
    public func create() throws(Failure) {
        for hierarchy in hierarchies {
            try Cgroup.createFolder(hierarchy.root, path) { (above, folder) throws(Failure) in
                // A v1 cpuset starts empty, and nothing can enter it then (cpuset(7)).
                guard hierarchy.controllers.contains("cpuset") else { return }
                for file in ["cpuset.cpus", "cpuset.mems"] { try Cgroup.inherit(file, from: above, to: folder) }
            }
        }
        guard let root = unifiedRoot else { return }
        try Cgroup.createFolder(root, path) { (above, _) throws(Failure) in
            if case .unified = layout { try Cgroup.enableControllers(in: above) }
        }
    }

    private var unifiedRoot: String? {
        switch layout {
        case .unified(let root): root
        case .legacy(_, let unified): unified
        }
    }

    private static func createFolder(
        _ root: String, _ path: String, prepare: (_ above: String, _ folder: String) throws(Failure) -> Void
    ) throws(Failure) {
        var above = root
        for name in path.split(separator: "/") {
            let folder = above + "/" + name
            if mkdir(folder, 0o755) == -1, Errno.current != .exists {
                throw Failure(path: folder, errno: Errno.current)
            }
            try prepare(above, folder)
            above = folder
        }
    }

    private static func inherit(_ file: String, from above: String, to folder: String) throws(Failure) {
        let own = try read(folder, file)
        guard own.isEmpty else { return }
        try write(folder, file, try read(above, file))
    }

    private static let wantedControllers = ["cpuset", "cpu", "io", "memory", "pids"]

    /// Lets the groups below use the controllers that are there.
    private static func enableControllers(in folder: String) throws(Failure) {
        let there = try read(folder, "cgroup.controllers").split(separator: " ").map(String.init)
        let enabled = try read(folder, "cgroup.subtree_control").split(separator: " ").map(String.init)
        for controller in wantedControllers where there.contains(controller) && !enabled.contains(controller) {
            try write(folder, "cgroup.subtree_control", "+" + controller)
        }
    }

    // MARK: Limiting

    public func apply(_ limits: CgroupLimits) throws(Failure) {
        for hierarchy in hierarchies {
            for controller in hierarchy.controllers {
                try write(limits.legacySettings(controller: controller), to: hierarchy.root + "/" + path)
            }
        }
        if case .unified(let root) = layout { try write(limits.unifiedSettings, to: root + "/" + path) }
    }

    private func write(_ settings: [CgroupSetting], to folder: String) throws(Failure) {
        for setting in settings {
            if setting.isOptional, !File.exists(folder + "/" + setting.file) { continue }
            try Cgroup.write(folder, setting.file, setting.value)
        }
    }

    /// Refuses every device that no rule allows.
    public func restrictDevices(to rules: [DeviceRule]) throws(Failure) {
        if let folder = legacyFolder("devices") {
            try Cgroup.write(folder, "devices.deny", "a")
            for rule in rules { try Cgroup.write(folder, "devices.allow", rule.description) }
        } else if case .unified(let root) = layout {
            do throws(Errno) {
                try DeviceProgram.attach(rules, toFolder: root + "/" + path)
            } catch {
                throw Failure(path: root + "/" + path + " (device program)", errno: error)
            }
        }
    }

    // MARK: Members

    /// Moves a process (0: the caller) into the group of every tree.
    public func add(process pid: Int32) throws(Failure) {
        for folder in folders { try Cgroup.write(folder, "cgroup.procs", "\(pid)") }
    }

    /// The processes in the group and the groups below it, as pids of the reader's namespace, sorted.
    public var processes: [Int32] {
        Set(folders.flatMap(Cgroup.processes)).sorted()
    }

    private static func processes(in folder: String) -> [Int32] {
        let own = (try? File.readText(folder + "/cgroup.procs")) ?? ""
        return own.split(separator: "\n").compactMap { Int32($0) }
            + children(of: folder).flatMap(processes)
    }

    private static func children(of folder: String) -> [String] {
        ((try? File.names(in: folder)) ?? []).map { folder + "/" + $0 }.filter(File.isDirectory)
    }

    /// Sends SIGKILL to every member. They may still be there when this returns.
    public func killAll() {
        if let folder = unifiedFolder, (try? File.writeValue(folder + "/cgroup.kill", "1")) != nil {
            if case .unified = layout { return }
        }
        for pid in processes where pid > 0 { kill(pid, SIGKILL) }
    }

    /// Kills what is left in the groups and removes them, those below first; groups that are not there are fine.
    ///
    /// Blocks, at most for the deadline: the kernel keeps a group busy until its last process has been reaped.
    public func remove(deadlineMilliseconds: Int = 5_000) throws(Failure) {
        var waited = 0
        while true {
            var busy: Failure?
            for folder in folders {
                do throws(Failure) { try Cgroup.removeFolder(folder) } catch {
                    if error.errno != .busy { throw error }
                    busy = error
                }
            }
            guard let busy else { return }
            guard waited < deadlineMilliseconds else { throw busy }
            killAll()
            let step = 2
            usleep(UInt32(step * 1_000))
            waited += step
        }
    }

    private static func removeFolder(_ folder: String) throws(Failure) {
        for child in children(of: folder) { try removeFolder(child) }
        if rmdir(folder) == -1, Errno.current != .noSuchFile { throw Failure(path: folder, errno: Errno.current) }
    }

    // MARK: Files

    static func read(_ folder: String, _ file: String) throws(Failure) -> String {
        do throws(Errno) {
            let text = try File.readText(folder + "/" + file)
            return String(text.reversed().drop { $0.isWhitespace }.reversed())
        } catch {
            throw Failure(path: folder + "/" + file, errno: error)
        }
    }

    static func write(_ folder: String, _ file: String, _ value: String) throws(Failure) {
        do throws(Errno) {
            try File.writeValue(folder + "/" + file, value)
        } catch {
            throw Failure(path: folder + "/" + file + " = " + value, errno: error)
        }
    }
}
