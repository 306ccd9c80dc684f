import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import Consensus
import GRPCCore
import LinuxSystem
import Logging
import Primitives
import SwiftProtobuf
import X509

/// Admits machines that hold a join token, and renews the certificates of members; those that come back with a token after
/// theirs ran out, too.
struct IdentityService: WireIdentity.SimpleServiceProtocol {
    let slot: ManagerSlot

    func join(request: WireJoinRequest, context: ServerContext) async throws -> WireJoinAnswer {
        let manager = try slot.require()
        // Only a leader that has applied all of the terms before knows who is a member, and as what.
        guard manager.leader != nil else { return .with { $0.notLeader = manager.notLeader } }
        do {
            let admission =
                if let peer = context.peer {
                    try await readmit(peer, request, context, manager)
                } else {
                    try await admit(request, context, manager)
                }
            return .with { $0.admission = admission }
        } catch let failure as Failure {
            throw failure.rpc
        }
    }

    func renew(request: WireRenewRequest, context: ServerContext) async throws -> WireJoinAnswer {
        let manager = try slot.require()
        guard manager.leader != nil else { return .with { $0.notLeader = manager.notLeader } }
        do {
            guard let peer = context.peer, let key = context.peerCertificate?.publicKey,
                let node = manager.roster.nodes[peer.node]
            else { throw Failure(.unavailable, "this manager does not know the node yet") }
            // A change of role, or of the member that it is, is never made to wait.
            let isSame = node.spec.role == peer.role && (node.spec.role == .worker || node.manager != nil)
            if isSame, !slot.renewals.take(at: Clock.now) {
                throw Failure(.unavailable, "many nodes renew their certificates at this moment")
            }
            let admission = try await renewed(node, key, request.advertisedAddress, manager)
            return .with { $0.admission = admission }
        } catch let failure as Failure {
            throw failure.rpc
        }
    }

    private func role(of secret: String, _ cluster: Cluster) throws -> NodeRole {
        guard let role = cluster.tokens.role(of: secret) else {
            throw Failure(
                .unauthenticated,
                "the join token is not valid any more: print the present one with `swarmctl token worker` or "
                    + "`swarmctl token manager` on a manager")
        }
        return role
    }

    private func admit(
        _ request: WireJoinRequest, _ context: ServerContext, _ manager: Manager
    ) async throws -> WireAdmission {
        guard let cluster = manager.roster.cluster, let key = context.peerCertificate?.publicKey else {
            throw Failure(.unavailable, "this manager is not ready to admit nodes yet")
        }
        let role = try role(of: request.tokenSecret, cluster)
        var random = SystemRandomNumberGenerator()
        let now = Clock.wallTime
        let id = NodeID(using: &random)
        let raftID: RaftID? = role == .manager ? RaftID.random(in: 1 ... .max, using: &random) : nil
        let certificate = try IdentityService.certificate(for: key, id, role, cluster)
        var description = request.hasMachine ? try NodeDescription(wire: request.machine) : nil
        description?.certificate = try cluster.authority.issuer()
        let node = Node(
            id: id, spec: NodeSpec(role: role), description: description,
            status: NodeStatus(state: .unknown, message: "joined, not heard from yet", since: now),
            manager: raftID.map { ManagerStatus(raftID: $0, address: request.advertisedAddress) })
        _ = try await manager.proposeHere(Transaction([.create(.node(node))], time: now))
        if let raftID { try await manager.addLearner(raftID) }
        return IdentityService.admission(certificate, raftID, cluster, manager)
    }

    /// The same node again, whether its certificate has run out or not, as what the state says that it is. Its token shows
    /// that somebody wants this.
    private func readmit(
        _ peer: PeerIdentity, _ request: WireJoinRequest, _ context: ServerContext, _ manager: Manager
    ) async throws -> WireAdmission {
        guard let cluster = manager.roster.cluster, let key = context.peerCertificate?.publicKey else {
            throw Failure(.unavailable, "this manager is not ready to admit nodes yet")
        }
        let role = try role(of: request.tokenSecret, cluster)
        guard let node = manager.roster.nodes[peer.node] else {
            throw Failure(
                .unauthenticated,
                "node \(peer.node) is not a member any more: `swarmctl leave --force` on it, then join again")
        }
        guard node.spec.role == .worker || role == .manager else {
            throw Failure(
                .permissionDenied,
                "node \(node.id) is a manager: it comes back with the token that `swarmctl token manager` prints")
        }
        log(manager, node, request)
        if request.hasLostLog_p {
            try await manager.replaceMember(of: node, address: request.advertisedAddress)
        } else {
            try await manager.move(node, to: request.advertisedAddress)
        }
        guard let node = manager.roster.nodes[peer.node] else {
            throw Failure(.unavailable, "node \(peer.node) has just been changed: ask again")
        }
        return try await renewed(node, key, request.advertisedAddress, manager)
    }

    private func log(_ manager: Manager, _ node: Node, _ request: WireJoinRequest) {
        let loss = request.hasLostLog_p ? " without its log" : ""
        manager.log.notice("node \(node.id) comes back with a join token\(loss)")
    }

    /// A certificate for the role that the state says, never for what the node asks.
    private func renewed(
        _ known: Node, _ key: Certificate.PublicKey, _ address: String, _ manager: Manager
    ) async throws -> WireAdmission {
        // A leader that was deposed and does not know it could name a member that Raft goes on without. The node would begin
        // with an empty log under that id, and vote a second time for a leader of before.
        let tables = try await manager.freshTables()
        guard let cluster = tables.cluster, let node = tables.nodes[known.id] else {
            throw Failure(.unavailable, "node \(known.id) has just been changed: ask again")
        }
        if node.spec.role == .worker {
            guard node.manager == nil else {
                throw Failure(.unavailable, "node \(node.id) still takes part in Raft: it is about to be taken out")
            }
            let certificate = try IdentityService.certificate(for: key, node.id, .worker, cluster)
            return IdentityService.admission(certificate, nil, cluster, manager)
        }
        let raftID = try await member(for: node, address, manager)
        if !manager.membership.contains(raftID) { try await manager.addLearner(raftID) }
        let certificate = try IdentityService.certificate(for: key, node.id, .manager, cluster)
        return IdentityService.admission(certificate, raftID, cluster, manager)
    }

    /// The manager's raft id: the one that it has, or a new one.
    private func member(for node: Node, _ address: String, _ manager: Manager) async throws -> RaftID {
        if let known = node.manager?.raftID { return known }
        var random = SystemRandomNumberGenerator()
        let raftID = RaftID.random(in: 1 ... .max, using: &random)
        var promoted = node
        promoted.manager = ManagerStatus(raftID: raftID, address: address)
        do {
            _ = try await manager.proposeHere(
                Transaction([.update(.node(promoted), bySpec: false)], time: Clock.wallTime))
        } catch let failure as Failure where failure.code == .conflict {
            throw Failure(.unavailable, "node \(node.id) has just been changed: ask again")
        }
        return raftID
    }

    private static func certificate(
        for key: Certificate.PublicKey, _ node: NodeID, _ role: NodeRole, _ cluster: Cluster
    ) throws -> String {
        let identity = PeerIdentity(node: node, role: role, cluster: cluster.id)
        return try cluster.issue(key, to: identity, at: Clock.wallTime).pem()
    }

    private static func admission(
        _ certificate: String, _ raftID: RaftID?, _ cluster: Cluster, _ manager: Manager
    ) -> WireAdmission {
        .with {
            $0.certificate = certificate
            $0.rootCertificates = cluster.authority.trusted
            $0.managers = manager.roster.nodes.sorted.compactMap(\.manager).filter { $0.raftID != raftID }.map { peer in
                .with {
                    $0.raftID = peer.raftID
                    $0.address = peer.address
                }
            }
            $0.raftID = raftID ?? 0
            $0.dataPathPort = UInt32(cluster.dataPathPort)
        }
    }
}
