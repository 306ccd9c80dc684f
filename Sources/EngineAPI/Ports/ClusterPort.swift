public import ClusterModel
public import ClusterState
public import Primitives

/// The cluster as this node sees and changes it; the daemon implements it.
///
/// Every method throws ``Failure``. A write on a manager that does not lead goes to the leader, which is this port's
/// work, not the caller's.
public protocol ClusterPort: Sendable {
    /// What this node is in the cluster, at once and without the network. Asked before every change, so it costs little.
    func membership() async -> Membership

    /// Managers that this node knows, `HOST:PORT` each.
    func knownManagers() async -> [(id: NodeID, address: String)]

    /// The state, at least as new as the last write through this node.
    func tables() async throws -> ClusterTables

    /// Proposes a transaction and waits until it is applied here.
    ///
    /// - Returns: its raft index.
    /// - Throws: ``Failure`` made by ``Failure/init(_:)`` from a refusal; `unavailable` without a leader.
    func propose(_ transaction: Transaction) async throws -> UInt64

    /// Makes this node the first manager of a new cluster.
    func initialize(_ request: InitRequest) async throws -> NodeID
    func join(_ request: JoinRequest) async throws
    /// Without `force` a manager refuses.
    func leave(force: Bool) async throws

    func joinTokens() async throws -> TokenPair
    /// Makes the role's old token worthless.
    func rotateToken(of role: NodeRole) async throws

    /// The cluster's authority with a new root, `own` (PEM) or a generated one; the earlier ones are trusted until every
    /// node has a certificate of the newest.
    func rotatedAuthority(of cluster: Cluster, own: (certificate: String, key: String)?) throws -> Authority
    /// What a certificate of the newest root says of its issuer.
    func issuer(of cluster: Cluster) throws -> CertificateInfo
    /// The key that unlocks a manager after a restart; nil where none is needed.
    func unlockKey() async throws -> String?
    /// 256 random bits, for locking the managers.
    func freshUnlockKey() -> UnlockKey
    /// Lets a locked manager take part again.
    ///
    /// - Throws: ``Failure``: `unauthenticated` for a wrong key, `conflict` where nothing is locked.
    func unlock(key: String) async throws

    /// What this manager keeps, and what is lost, when it goes on alone because most managers are gone for good.
    ///
    /// - Throws: ``Failure`` `failedPrecondition` while the managers have a leader.
    func planRecovery(_ request: RecoveryRequest) async throws -> RecoveryPlan
    /// Makes this manager a cluster of one.
    func recover(_ request: RecoveryRequest) async throws -> RecoveryPlan

    /// The whole state, sealed.
    ///
    /// - Parameter key: an unlock key's text to seal it with, or `new` for a new one; nil takes the one that managers are
    ///   locked with, or a new one.
    func backUp(key: String?) async throws -> Backup
    /// Begins the cluster of a backup again, with this node as its only manager.
    ///
    /// - Throws: ``Failure``: `unauthenticated` for a wrong key; this node is as before then.
    func restore(_ backup: UploadBody, key: String, _ request: RecoveryRequest) async throws -> RecoveryPlan

    /// Every known manager, with what Raft knows of it.
    func managerHealth() async -> [NodeID: ManagerHealth]

    /// The tasks' logs of all nodes, merged; ends when it is read up to now unless `follow` is set.
    ///
    /// The end of iteration stops the work behind it.
    func logs(of tasks: [TaskID], options: LogOptions) -> AsyncThrowingStream<LogLine, any Error>

    /// What happened since a moment, as far as this node remembers it, then what happens until another one, with nothing
    /// missing in between; nil is now, and for ever.
    ///
    /// A reader that falls too far behind gets ``Failure`` `resourceExhausted`. The end of iteration stops the work behind
    /// it.
    func events(since: Timestamp?, until: Timestamp?) async throws -> AsyncThrowingStream<ClusterEvent, any Error>

    /// The wall clock, for what is proposed.
    func now() -> Timestamp
    /// 128 random bits, for a new object's id.
    func freshID() -> UInt128
}

public struct Membership: Sendable {
    public enum State: String, Sendable {
        case inactive
        case pending
        case active
        case error
        case locked
    }

    public var nodeID: NodeID?
    /// The advertised address, without port.
    public var address: String
    public var state: State
    public var isManager: Bool
    /// Why the state is `error` or `pending`; empty otherwise.
    public var error: String
    /// The node's certificate has run out.
    public var isExpired = false

    public init(
        nodeID: NodeID? = nil, address: String = "", state: State, isManager: Bool = false, error: String = ""
    ) {
        self.nodeID = nodeID
        self.address = address
        self.state = state
        self.isManager = isManager
        self.error = error
    }
}

/// The options of a new cluster; an empty text and a nil leave the choice to the daemon.
public struct InitRequest: Hashable, Sendable {
    public var listenAddress: String
    public var advertiseAddress: String
    public var dataPathAddress: String
    public var dataPathPort: UInt16?
    public var addressPools: [IPv4Network]
    public var subnetPrefixLength: UInt8?
    public var availability: NodeAvailability
    public var spec: ClusterSpec
    /// A manager that was restarted is of no use until somebody unlocks it.
    public var locksManagers: Bool

    public init(
        listenAddress: String = "", advertiseAddress: String = "", dataPathAddress: String = "",
        dataPathPort: UInt16? = nil, addressPools: [IPv4Network] = [], subnetPrefixLength: UInt8? = nil,
        availability: NodeAvailability = .active, spec: ClusterSpec = ClusterSpec(), locksManagers: Bool = false
    ) {
        self.listenAddress = listenAddress
        self.advertiseAddress = advertiseAddress
        self.dataPathAddress = dataPathAddress
        self.dataPathPort = dataPathPort
        self.addressPools = addressPools
        self.subnetPrefixLength = subnetPrefixLength
        self.availability = availability
        self.spec = spec
        self.locksManagers = locksManagers
    }
}

/// A backup on its way out.
public struct Backup: Sendable {
    /// Where a new key was made: without it the backup is worth nothing.
    public var newKey: String?
    /// The file's bytes.
    public var pieces: any Sequence<[UInt8]> & Sendable

    public init(newKey: String?, pieces: any Sequence<[UInt8]> & Sendable) {
        self.newKey = newKey
        self.pieces = pieces
    }
}

/// Where a manager that goes on alone is; an empty text leaves it as it was.
public struct RecoveryRequest: Hashable, Sendable {
    public var listenAddress: String
    public var advertiseAddress: String
    public var dataPathAddress: String

    public init(listenAddress: String = "", advertiseAddress: String = "", dataPathAddress: String = "") {
        self.listenAddress = listenAddress
        self.advertiseAddress = advertiseAddress
        self.dataPathAddress = dataPathAddress
    }
}

/// What a cluster of one has of the cluster before it.
public struct RecoveryPlan: Sendable {
    public var node: NodeID
    /// `HOST:PORT` that it is reached at from then on.
    public var address: String
    /// Managers that are none any more.
    public var lost: [Node]
    public var tables: ClusterTables

    public init(node: NodeID, address: String, lost: [Node], tables: ClusterTables) {
        self.node = node
        self.address = address
        self.lost = lost
        self.tables = tables
    }
}

public struct JoinRequest: Hashable, Sendable {
    public var token: String
    /// Managers to ask, `HOST:PORT`; empty takes those that the token names.
    public var managers: [String]
    public var listenAddress: String
    public var advertiseAddress: String
    public var dataPathAddress: String
    public var availability: NodeAvailability
    /// A member comes back as who it is, with a new certificate and new managers' addresses.
    public var isRenewal: Bool

    public init(
        token: String, managers: [String] = [], listenAddress: String = "", advertiseAddress: String = "",
        dataPathAddress: String = "", availability: NodeAvailability = .active, isRenewal: Bool = false
    ) {
        self.token = token
        self.managers = managers
        self.listenAddress = listenAddress
        self.advertiseAddress = advertiseAddress
        self.dataPathAddress = dataPathAddress
        self.availability = availability
        self.isRenewal = isRenewal
    }
}

public struct TokenPair: Hashable, Sendable {
    public var worker: String
    public var manager: String

    public init(worker: String, manager: String) {
        self.worker = worker
        self.manager = manager
    }
}

public struct ManagerHealth: Hashable, Sendable {
    public var isLeader: Bool
    /// nil is: not known here, or a manager that does not vote yet.
    public var isReachable: Bool?
    /// `HOST:PORT`.
    public var address: String

    public init(isLeader: Bool, isReachable: Bool?, address: String) {
        self.isLeader = isLeader
        self.isReachable = isReachable
        self.address = address
    }
}

public struct LogOptions: Hashable, Sendable {
    public var stdout: Bool
    public var stderr: Bool
    public var follow: Bool
    public var since: Timestamp?
    public var until: Timestamp?
    /// Lines of each task from the end; nil is all.
    public var tail: Int?

    public init(
        stdout: Bool = true, stderr: Bool = true, follow: Bool = false, since: Timestamp? = nil,
        until: Timestamp? = nil, tail: Int? = nil
    ) {
        self.stdout = stdout
        self.stderr = stderr
        self.follow = follow
        self.since = since
        self.until = until
        self.tail = tail
    }
}

/// A line that a task wrote, or a notice in its place (a node that cannot be asked), which goes to stderr.
public struct LogLine: Hashable, Sendable {
    public enum Stream: Hashable, Sendable {
        case stdout
        case stderr
        case notice
    }

    public var task: TaskID
    public var node: NodeID?
    public var stream: Stream
    public var time: Timestamp
    /// With its newline where the task wrote one.
    public var text: [UInt8]

    public init(task: TaskID, node: NodeID?, stream: Stream, time: Timestamp, text: [UInt8]) {
        self.task = task
        self.node = node
        self.stream = stream
        self.time = time
        self.text = text
    }
}

extension Failure {
    /// What a refused transaction is to a client of the API.
    public init(_ refusal: TransactionRefusal) {
        switch refusal {
        case .exists: self.init(.alreadyExists, refusal.description, cause: nil)
        case .nameTaken(let kind, let name):
            self.init(.alreadyExists, "name conflicts with an existing object: \(kind) \(name) already exists")
        case .notFound: self.init(.notFound, refusal.description)
        case .stale: self.init(.conflict, refusal.description)
        case .tooLarge: self.init(.resourceExhausted, refusal.description)
        }
    }
}
