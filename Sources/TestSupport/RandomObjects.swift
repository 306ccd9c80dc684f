public import ClusterModel
public import Primitives

/// Makes random valid objects of every kind: the same seed makes the same objects.
///
/// Optional parts are there half of the time, lists and dictionaries have 0 to 3 elements, texts are sometimes empty
/// and sometimes beyond ASCII, numbers favour their type's bounds.
public struct RandomObjects: Sendable {
    public var random: SeededRandom

    public init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    public mutating func object() -> ClusterObject {
        switch Int.random(in: 0..<7, using: &random) {
        case 0: .cluster(cluster())
        case 1: .node(node())
        case 2: .service(service())
        case 3: .task(task())
        case 4: .network(network())
        case 5: .secret(secret())
        default: .config(config())
        }
    }

    public mutating func cluster() -> Cluster {
        Cluster(
            id: id(), meta: meta(),
            spec: ClusterSpec(
                labels: pairs(), taskHistoryLimit: number(), heartbeatPeriod: duration(),
                certificateValidity: duration(), forceRotate: number()),
            authority: Authority(
                rootCertificate: text(), signingKey: text(),
                earlier: list { EarlierRoot(certificate: $0.text(), signingKey: $0.text(), crossSigned: $0.text()) },
                trustDigest: bytes(count: Bool.random(using: &random) ? 32 : 0)),
            tokens: JoinTokens(workerSecret: text(), managerSecret: text()),
            addressPools: list { $0.subnet() }, subnetPrefixLength: number(), dataPathPort: number(),
            revocations: list { $0.flag() ? .node($0.id()) : .member($0.number()) },
            unlockKey: maybe { UnlockKey(using: &$0.random) })
    }

    public mutating func node() -> Node {
        Node(
            id: id(), meta: meta(),
            spec: NodeSpec(labels: pairs(), role: pick(), availability: pick()),
            description: maybe { $0.nodeDescription() }, status: nodeStatus(),
            manager: maybe { ManagerStatus(raftID: $0.number(), address: $0.text()) })
    }

    public mutating func nodeDescription() -> NodeDescription {
        NodeDescription(
            hostname: text(), os: text(), architecture: text(), resources: resources(), engineVersion: text(),
            engineLabels: pairs(), overlayKey: bytes(count: Bool.random(using: &random) ? 32 : 0),
            overlayEndpoint: text(),
            certificate: maybe {
                CertificateInfo(
                    issuerSubject: $0.bytes(count: 20), issuerPublicKey: $0.bytes(count: 91),
                    trustDigest: $0.bytes(count: 32), expiresAt: $0.timestamp())
            })
    }

    public mutating func nodeStatus() -> NodeStatus {
        NodeStatus(state: pick(), message: text(), address: text(), since: timestamp())
    }

    public mutating func service() -> Service {
        Service(
            id: id(), meta: meta(), spec: serviceSpec(), taskVersion: number(),
            previousSpec: maybe { $0.serviceSpec() },
            update: maybe { $0.updateStatus() }, ports: list { $0.port() })
    }

    public mutating func serviceSpec() -> ServiceSpec {
        ServiceSpec(
            name: text(), labels: pairs(), task: taskSpec(),
            mode: Bool.random(using: &random) ? .global : .replicated(number()), update: updateConfig(),
            rollback: updateConfig(), endpointMode: pick(), ports: list { $0.port() })
    }

    public mutating func task() -> ClusterTask {
        ClusterTask(
            id: id(), meta: meta(), serviceID: id(), slot: number(), nodeID: maybe { $0.id() }, name: text(),
            serviceName: text(), serviceVersion: number(), spec: taskSpec(), endpointMode: pick(),
            ports: list { $0.port() },
            networks: list { NetworkAttachment(network: $0.id(), address: $0.address(), aliases: $0.texts()) },
            desiredState: pick(), status: taskStatus(), notBefore: maybe { $0.timestamp() })
    }

    public mutating func taskStatus() -> TaskStatus {
        TaskStatus(
            state: pick(), timestamp: timestamp(), message: text(), error: text(),
            container: maybe {
                ContainerStatus(
                    containerID: $0.text(), pid: $0.number(), exitCode: $0.maybe { $0.number() }, health: $0.pick())
            }, isServing: Bool.random(using: &random))
    }

    public mutating func network() -> Network {
        Network(
            id: id(), meta: meta(),
            spec: NetworkSpec(
                name: text(), labels: pairs(), subnet: maybe { $0.subnet() }, gateway: maybe { $0.address() },
                isInternal: flag(), isAttachable: flag(), isIngress: flag(), driverOptions: pairs()),
            allocation: maybe { made in
                NetworkAllocation(
                    vni: made.number(), subnet: made.subnet(), gateway: made.address(), mtu: made.number(),
                    nodeAddresses: Dictionary(
                        made.list { ($0.id() as NodeID, $0.address()) }, uniquingKeysWith: { first, _ in first }))
            })
    }

    public mutating func secret() -> Secret {
        Secret(id: id(), meta: meta(), name: text(), labels: pairs(), data: someBytes())
    }

    public mutating func config() -> Config {
        Config(id: id(), meta: meta(), name: text(), labels: pairs(), data: someBytes())
    }

    public mutating func transaction() -> Transaction {
        Transaction(list { $0.change() }, time: timestamp())
    }

    public mutating func change() -> Change {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: .create(object())
        case 1: .update(object(), bySpec: flag())
        case 2: .delete(object().key, version: maybe { $0.number() })
        case 3: .observeTask(id(), taskStatus())
        default: .observeNode(id(), nodeStatus(), maybe { $0.nodeDescription() })
        }
    }
}

extension RandomObjects {
    public mutating func assignments() -> AssignmentMessage {
        AssignmentMessage(
            kind: flag() ? .complete : .incremental, sequence: number(), isLast: flag(),
            updates: list { $0.assignmentItem() }, removals: list { $0.assignmentItem().key }, managers: texts(),
            heartbeatPeriod: duration(), role: maybe { $0.wantedRole() }, trustDigest: bytes(count: flag() ? 32 : 0))
    }

    private mutating func wantedRole() -> WantedRole {
        flag() ? .worker : .manager(raftID: maybe { $0.flag() ? 0 : $0.number() })
    }

    public mutating func assignmentItem() -> AssignmentItem {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: .task(task())
        case 1: .secret(secret())
        case 2: .config(config())
        case 3: .network(network())
        case 4:
            .endpoint(
                NetworkEndpoint(
                    network: id(), task: id(), node: id(), address: address(), serviceName: text(), taskName: text(),
                    aliases: texts(), isServing: flag(), ports: list { $0.port() }))
        default: .peer(OverlayPeer(node: id(), key: bytes(count: 32), endpoint: text()))
        }
    }
}
