import ClusterIdentity
import ClusterModel
import ClusterState
import DurableLog
import LinuxSystem
import ManagerNode
import Primitives
import X509

/// A cluster that begins again from a backup, with this machine as its only manager.
struct Restoring {
    let admitted: Admitted
    /// The state that it begins from, and the manager's place in Raft.
    let tables: ClusterTables
    let raftID: UInt64

    /// - Throws: ``Failure`` where the backup's state is none that a manager can begin from.
    init(_ backup: ClusterTables, _ addresses: NodeAddresses, _ machine: NodeDescription) throws {
        guard let cluster = backup.cluster else {
            throw Failure(.dataLoss, "the backup holds no settings of a cluster")
        }
        var random = SystemRandomNumberGenerator()
        let now = Clock.wallTime
        let id = NodeID(using: &random)
        raftID = UInt64.random(in: 1 ... .max, using: &random)
        let node = Node(
            id: id, spec: NodeSpec(role: .manager), description: machine,
            status: NodeStatus(state: .unknown, message: "begins again from a backup", since: now),
            manager: ManagerStatus(raftID: raftID, address: addresses.advertise))
        tables = try SoleManager(backup).successor(staying: node, at: now)
        let joiner = try JoinerCredentials(at: now)
        let certificate = try cluster.issue(
            joiner.certificate.publicKey, to: PeerIdentity(node: id, role: .manager, cluster: cluster.id), at: now)
        admitted = Admitted(
            membership: NodeMembership(
                listenAddress: addresses.listen, advertiseAddress: addresses.advertise,
                dataPathAddress: addresses.dataPath, dataPathPort: cluster.dataPathPort, raftID: raftID,
                isFounder: false, managers: [], peers: [:]),
            credentials: try Credentials(
                certificatePEM: certificate.pem(), keyPEM: joiner.keyPEM(), rootsPEM: cluster.authority.trusted),
            keys: NodeKeys(privateKeyPEM: try joiner.keyPEM(), using: &random))
    }

    /// Writes the log that the manager begins with.
    func writeLog(_ folder: String, _ sealing: LogSealing) throws {
        var stored = try StoredState(try PosixLogFiles(folder: folder), sealing: sealing)
        defer { stored.close() }
        try stored.replace(with: tables, voter: raftID)
    }
}
