import ClusterIdentity
import ClusterModel
import EngineAPI
import LinuxSystem
import Primitives
import X509

/// A new cluster and its first node.
struct Founding {
    let membership: NodeMembership
    let credentials: Credentials
    let keys: NodeKeys
    let transaction: Transaction

    init(_ request: InitRequest, _ addresses: NodeAddresses) throws {
        var random = SystemRandomNumberGenerator()
        let now = Clock.wallTime
        let clusterID = ClusterID(using: &random)
        let nodeID = NodeID(using: &random)
        let raftID = UInt64.random(in: 1 ... .max, using: &random)
        let dataPathPort = request.dataPathPort ?? Founding.dataPathPort
        guard dataPathPort >= 1024 else {
            throw Failure(.invalidArgument, "data path port \(dataPathPort) is not in 1024–65535")
        }
        let pools = request.addressPools.isEmpty ? Founding.addressPools : request.addressPools
        let authority = try CertificateAuthority(generatingFor: clusterID, at: now)
        let joiner = try JoinerCredentials(at: now)
        let certificate = try authority.issue(
            joiner.certificate.publicKey, to: PeerIdentity(node: nodeID, role: .manager, cluster: clusterID),
            validity: request.spec.certificateValidity, at: now)
        credentials = try Credentials(certificate: certificate, key: joiner.key, roots: [authority.certificate])
        keys = NodeKeys(privateKeyPEM: try joiner.keyPEM(), using: &random)
        membership = NodeMembership(
            listenAddress: addresses.listen, advertiseAddress: addresses.advertise, dataPathAddress: addresses.dataPath,
            dataPathPort: dataPathPort, raftID: raftID, isFounder: true, managers: [], peers: [:])
        let cluster = Cluster(
            id: clusterID, spec: request.spec,
            authority: Authority(rootCertificate: try authority.certificatePEM(), signingKey: try authority.keyPEM()),
            tokens: JoinTokens(using: &random), addressPools: pools,
            subnetPrefixLength: request.subnetPrefixLength ?? Founding.subnetPrefixLength, dataPathPort: dataPathPort,
            unlockKey: request.locksManagers ? UnlockKey(using: &random) : nil)
        let node = Node(
            id: nodeID, spec: NodeSpec(role: .manager, availability: request.availability),
            status: NodeStatus(state: .unknown, message: "first manager", since: now),
            manager: ManagerStatus(raftID: raftID, address: addresses.advertise))
        let ingress = Network(id: NetworkID(using: &random), spec: NetworkSpec(name: "ingress", isIngress: true))
        transaction = Transaction(
            [.create(.cluster(cluster)), .create(.node(node)), .create(.network(ingress))], time: now)
    }

    private static let dataPathPort: UInt16 = 4789
    private static let subnetPrefixLength: UInt8 = 24
    private static let addressPools = [IPv4Network("10.0.0.0/8")].compactMap { $0 }
}

/// Where a node listens and is reached.
struct NodeAddresses: Sendable {
    /// `HOST:PORT` each.
    var listen: String
    var advertise: String
    /// Without port.
    var dataPath: String
}
