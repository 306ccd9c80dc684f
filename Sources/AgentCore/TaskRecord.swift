public import ClusterModel
public import Primitives

/// A task on this node: what is wanted of it and how far it is.
public struct TaskRecord: Hashable, Sendable {
    public enum Phase: Hashable, Sendable {
        case accepted
        case preparing
        /// Created, not started.
        case prepared
        case starting
        case running
        /// Withdrawn from names and ports; told to stop at this time.
        case draining(until: Instant)
        case stopping
        /// Nothing runs; the folder with its logs is still here.
        case ended
        case removing
    }

    public var task: ClusterTask
    public var phase: Phase
    /// What the managers were told last.
    public var status: TaskStatus
    /// The managers do not know it any more: it goes once it has ended.
    public var isForgotten: Bool
    /// The check in force: the service's, and for what it leaves open the image's.
    public var healthcheck: Healthcheck?

    public init(task: ClusterTask, phase: Phase, status: TaskStatus, isForgotten: Bool = false) {
        healthcheck = task.spec.container.healthcheck
        self.task = task
        self.phase = phase
        self.status = status
        self.isForgotten = isForgotten
    }

    var isWantedRunning: Bool { task.desiredState <= .running && !isForgotten }
}

/// What a daemon that starts again finds of a task's container.
public enum RestoredContainer: Hashable, Sendable {
    case running(ContainerStatus)
    case exited(ContainerExit)
    case none
}

/// How a container ended.
public struct ContainerExit: Hashable, Sendable {
    /// 0 to 255; 128 + n after signal n.
    public var code: Int32
    public var wasOutOfMemory: Bool
    public var finishedAt: Timestamp

    public init(code: Int32, wasOutOfMemory: Bool = false, finishedAt: Timestamp) {
        self.code = code
        self.wasOutOfMemory = wasOutOfMemory
        self.finishedAt = finishedAt
    }
}
