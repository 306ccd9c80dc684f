import LaunchProtocol
import LinuxSystem
import Primitives

/// Where one container's things are.
struct ContainerPaths: Sendable {
    let id: String
    let stateFolder: String
    let runFolder: String
    let cgroup: Cgroup
    let supervisors: Cgroup

    init(id: String, settings: RuntimeSettings, layout: CgroupLayout) {
        self.id = id
        stateFolder = settings.stateFolder + "/" + id
        runFolder = settings.runFolder + "/" + id
        let parent = Cgroup(layout: layout, path: settings.cgroupParent)
        cgroup = parent.child("containers").child(id)
        supervisors = parent.child("supervisors")
    }

    var logPath: String { stateFolder + "/container-json.log" }
    var filesFolder: String { stateFolder + "/etc" }

    /// An id is a folder's name in four places.
    static func check(id: String) throws(Failure) {
        let isFit = id.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isFit, !id.isEmpty, id.utf8.count <= 128, !id.hasPrefix(".") else {
            throw Failure(.invalidArgument, "invalid container id \"\(id)\": letters, digits, '.', '_' and '-' only")
        }
    }

    /// The cgroup folders as the supervisor is told them.
    var placement: CgroupPlacement {
        var legacy: [KeyValue] = []
        var memoryEvents: String?
        switch cgroup.layout {
        case .unified(let root): memoryEvents = root + "/" + cgroup.path + "/memory.events"
        case .legacy(let hierarchies, _):
            for hierarchy in hierarchies {
                let name = hierarchy.root.split(separator: "/").last.map(String.init) ?? hierarchy.root
                let folder = hierarchy.root + "/" + cgroup.path
                legacy.append(KeyValue(name, folder))
                if hierarchy.controllers.contains("memory") { memoryEvents = folder + "/memory.oom_control" }
            }
        }
        let supervisor = supervisors.legacyFolders + [supervisors.unifiedFolder].compactMap { $0 }
        return CgroupPlacement(
            unified: cgroup.unifiedFolder, legacy: legacy, supervisor: supervisor, memoryEvents: memoryEvents)
    }
}
