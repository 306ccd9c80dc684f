/// Where the cgroup trees of this node are mounted.
public enum CgroupLayout: Hashable, Sendable {
    /// cgroup v2 alone.
    case unified(root: String)
    /// One v1 tree for each controller (or group of them) and, on hybrid systems, a v2 tree beside them.
    case legacy(hierarchies: [Hierarchy], unified: String?)

    /// A mounted v1 tree.
    public struct Hierarchy: Hashable, Sendable {
        /// `["cpu", "cpuacct"]`, or `["name=systemd"]` for a tree without controllers.
        public var controllers: [String]
        public var root: String

        public init(controllers: [String], root: String) {
            self.controllers = controllers
            self.root = root
        }
    }

    static let controllersOfVersion1: Set<String> = [
        "blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "misc", "net_cls", "net_prio",
        "perf_event", "pids", "rdma",
    ]

    /// What is mounted in the calling process's namespace; `ENODEV` when there are no cgroups.
    public static func ofThisNode() throws(Errno) -> CgroupLayout {
        guard let layout = CgroupLayout(mountInfo: try File.readText("/proc/self/mountinfo")) else { throw .noDevice }
        return layout
    }

    /// Reads /proc/PID/mountinfo; nil when no cgroup tree is mounted. The first mount of a tree counts.
    public init?(mountInfo: String) {
        var unified: String?
        var hierarchies: [Hierarchy] = []
        for mount in MountInfo.parse(mountInfo) {
            switch mount.fileSystem {
            case "cgroup2":
                if unified == nil { unified = mount.mountPoint }
            case "cgroup":
                let controllers = mount.superOptions.filter {
                    CgroupLayout.controllersOfVersion1.contains($0) || $0.hasPrefix("name=")
                }
                if !controllers.isEmpty, !hierarchies.contains(where: { $0.controllers == controllers }) {
                    hierarchies.append(Hierarchy(controllers: controllers, root: mount.mountPoint))
                }
            default: break
            }
        }
        if !hierarchies.isEmpty {
            self = .legacy(hierarchies: hierarchies, unified: unified)
        } else if let unified {
            self = .unified(root: unified)
        } else {
            return nil
        }
    }
}
