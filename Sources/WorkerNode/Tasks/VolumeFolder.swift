import ClusterModel
import ImageStore
import LinuxSystem
import Primitives

/// This node's volumes: folders below one folder.
public struct VolumeFolder: Sendable {
    private let path: String
    private let content: VolumeContent

    /// A volume as the API shows it.
    public struct Volume: Hashable, Sendable {
        public var name: String
        public var mountpoint: String
    }

    public init(path: String) {
        self.path = path
        content = VolumeContent(mountPoint: "\(path)/.image")
    }

    public func list() throws -> [Volume] {
        try names().sorted().map { Volume(name: $0, mountpoint: mountpoint($0)) }
    }

    public func find(_ name: String) throws -> Volume {
        guard try names().contains(name) else { throw Failure(.notFound, "get \(name): no such volume") }
        return Volume(name: name, mountpoint: mountpoint(name))
    }

    /// Makes a volume; one that exists is kept with what it holds.
    @discardableResult
    public func create(_ name: String) throws -> Volume {
        guard let first = name.utf8.first, VolumeFolder.isLetterOrDigit(first), name.utf8.count <= 255,
            name.utf8.allSatisfy({ VolumeFolder.isLetterOrDigit($0) || "_.-".utf8.contains($0) })
        else {
            throw Failure(
                .invalidArgument,
                "\"\(name)\" is no volume name: letters, digits, _, . and -, beginning with a letter or digit")
        }
        do {
            try File.createFolders(mountpoint(name), mode: 0o755)
        } catch { throw Failure(.internal, "cannot make the volume \(name): \(error)") }
        return Volume(name: name, mountpoint: mountpoint(name))
    }

    public func remove(_ name: String) throws {
        _ = try find(name)
        do {
            try File.removeTree("\(path)/\(name)")
        } catch { throw Failure(.internal, "cannot remove the volume \(name): \(error)") }
    }

    /// The folder to mount; a volume without a name is the task's own and ends with it.
    func prepare(_ mount: ClusterModel.Mount, task: ClusterTask) throws -> String {
        guard case .volume(let name, _) = mount.source else {
            throw Failure(.internal, "\(mount.target) is no volume")
        }
        return try create(name.isEmpty ? anonymousName(mount.target, task.id) : name).mountpoint
    }

    /// Gives empty volumes what the image has at their mount points.
    func fill(_ fillings: [VolumeFilling], from layers: [String]) async throws {
        try await content.fill(fillings, from: layers)
    }

    func removeAnonymous(of task: TaskID) throws {
        for name in try names() where VolumeFolder.isAnonymous(name, of: task) { try remove(name) }
    }

    static func isAnonymous(_ name: String, of task: TaskID) -> Bool { name.hasPrefix("\(task)-") }

    private func anonymousName(_ target: String, _ task: TaskID) -> String {
        "\(task)-" + ContentDigest(hashing: Array(target.utf8)).short
    }

    private func mountpoint(_ name: String) -> String { "\(path)/\(name)/_data" }

    private func names() throws -> [String] {
        do {
            // A dot begins no volume's name.
            return try File.names(in: path).filter { !$0.hasPrefix(".") }
        } catch { throw Failure(.internal, "cannot list \(path): \(error)") }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
