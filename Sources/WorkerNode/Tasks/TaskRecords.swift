import AgentCore
import ClusterMessages
import ClusterModel
import ImageStore
import LinuxSystem
import Primitives
import Synchronization

/// The agent's records, a file a task, for the daemon's next life.
final class TaskRecords: Sendable {
    private let folder: String
    private let known = Mutex<[TaskID: TaskRecord]>([:])

    init(folder: String) throws {
        self.folder = folder
        do {
            try File.createFolders(folder, mode: 0o700)
        } catch { throw Failure(.unavailable, "cannot make \(folder): \(error)") }
    }

    subscript(task: TaskID) -> TaskRecord? { known.withLock { $0[task] } }

    var all: [TaskRecord] { known.withLock { Array($0.values) } }

    func save(_ record: TaskRecord) throws {
        known.withLock { $0[record.task.id] = record }
        do {
            // After a power cut nothing of it is true: the managers know what should run here.
            try File.replace("\(folder)/\(record.task.id)", with: record.encoded, isDurable: false)
        } catch { throw Failure(.internal, "cannot write \(folder)/\(record.task.id): \(error)") }
    }

    func remove(_ task: TaskID) throws {
        known.withLock { $0[task] = nil }
        do throws(Errno) {
            try File.remove("\(folder)/\(task)")
            try File.remove(imageFile(task))
        } catch { throw Failure(.internal, "cannot remove \(folder)/\(task): \(error)") }
    }

    /// Tasks that have, or are about to have, a container that has not ended.
    var unended: [TaskRecord] {
        all.filter { record in
            switch record.phase {
            case .preparing, .prepared, .starting, .running, .draining, .stopping: true
            case .accepted, .ended, .removing: false
            }
        }
    }

    // MARK: Images

    private func imageFile(_ task: TaskID) -> String { "\(folder)/\(task).image" }

    /// Notes which image the task's container is made of: its name may lead to another one later.
    func save(image: ContentDigest, of task: TaskID) throws {
        do {
            try File.replace(imageFile(task), with: Array(image.description.utf8), isDurable: false)
        } catch { throw Failure(.internal, "cannot write \(imageFile(task)): \(error)") }
    }

    func image(of task: TaskID) -> ContentDigest? {
        (try? File.readText(imageFile(task))).flatMap { ContentDigest($0) }
    }

    /// A record that cannot be read is dropped: the managers know what should run here.
    func load() throws -> [TaskRecord] {
        let records: [TaskRecord]
        do {
            let names = try File.names(in: folder)
            records = names.sorted().compactMap { name in
                guard TaskID(name) != nil else { return nil }
                return try? TaskRecord(
                    encoded: try File.read("\(folder)/\(name)", maximumBytes: WorkerLimits.recordBytes))
            }
            // What belongs to no record is left from a crash.
            let kept = Set(records.flatMap { ["\($0.task.id)", "\($0.task.id).image"] })
            for name in names where !kept.contains(name) { try File.remove("\(folder)/\(name)") }
        } catch { throw Failure(.internal, "cannot read \(folder): \(error)") }
        known.withLock { known in
            for record in records { known[record.task.id] = record }
        }
        return records
    }
}

extension TaskRecord {
    /// Version, phase, the task as assigned, and once more with what was reported of it and the health check in force.
    var encoded: [UInt8] {
        var observed = task
        observed.status = status
        observed.spec.container.healthcheck = healthcheck
        var writer = ByteWriter()
        writer.write(UInt8(1))
        writer.write(phase.number)
        writer.write(UInt8(isForgotten ? 1 : 0))
        writer.writePrefixed(bytes: ClusterObject.task(task).encoded())
        writer.writePrefixed(bytes: ClusterObject.task(observed).encoded())
        return writer.bytes
    }

    init(encoded: [UInt8]) throws {
        var reader = ByteReader(encoded)
        let version = try reader.readUInt8()
        guard version == 1 else { throw DecodeError("version \(version) of a task record", offset: 0) }
        let phase = try Phase(number: reader.readUInt8())
        let isForgotten = try reader.readUInt8() == 1
        let task = try ClusterObject(encoded: Array(reader.readPrefixedBytes(maximum: encoded.count)))
        let observed = try ClusterObject(encoded: Array(reader.readPrefixedBytes(maximum: encoded.count)))
        guard case .task(let task) = task, case .task(let observed) = observed else {
            throw DecodeError("a record that is not of a task", offset: 0)
        }
        self.init(task: task, phase: phase, status: observed.status, isForgotten: isForgotten)
        healthcheck = observed.spec.container.healthcheck
    }
}

extension TaskRecord.Phase {
    fileprivate var number: UInt8 {
        switch self {
        case .accepted: 0
        case .preparing: 1
        case .prepared: 2
        case .starting: 3
        case .running: 4
        case .draining: 5
        case .stopping: 6
        case .ended: 7
        case .removing: 8
        }
    }

    /// A drain goes on as running: what is wanted of the task is looked at again.
    fileprivate init(number: UInt8) throws(DecodeError) {
        switch number {
        case 0: self = .accepted
        case 1: self = .preparing
        case 2: self = .prepared
        case 3: self = .starting
        case 4, 5: self = .running
        case 6: self = .stopping
        case 7: self = .ended
        case 8: self = .removing
        default: throw DecodeError("phase \(number) of a task record", offset: 1)
        }
    }
}
