import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import Consensus
import GRPCCore
import LinuxSystem
import Primitives
import SwiftProtobuf
import X509

/// Admits machines that hold a join token, and renews the certificates of members.
struct IdentityService: WireIdentity.SimpleServiceProtocol {
    let slot: ManagerSlot

    func join(request: WireJoinRequest, context: ServerContext) async throws -> WireJoinAnswer {
        let manager = try slot.require()
        guard manager.isLeader else { return .with { $0.notLeader = manager.notLeader } }
        do {
            let admission = try await admit(request, context, manager)
            return .with { $0.admission = admission }
        } catch let failure as Failure {
            throw failure.rpc
        }
    }

    func renew(request: WireRenewRequest, context: ServerContext) async throws -> WireJoinAnswer {
        let manager = try slot.require()
        // Only a leader that has applied all of the terms before knows what the node is to be.
        guard manager.leader != nil else { return .with { $0.notLeader = manager.notLeader } }
        do {
            let admission = try await renewed(request, context, manager)
            return .with { $0.admission = admission }
        } catch let failure as Failure {
            throw failure.rpc
        }
    }

    private func admit(
        _ request: WireJoinRequest, _ context: ServerContext, _ manager: Manager
    ) async throws -> WireAdmission {
        guard let cluster = manager.tables.cluster, let key = context.peerCertificate?.publicKey else {
            throw Failure(.unavailable, "this manager is not ready to admit nodes yet")
        }
        guard let role = cluster.tokens.role(of: request.tokenSecret) else {
            throw Failure(
                .unauthenticated,
                "the join token is not valid any more: print the present one with `swarmctl token worker` or "
                    + "`swarmctl token manager` on a manager")
        }
        var random = SystemRandomNumberGenerator()
        let now = Clock.wallTime
        let id = NodeID(using: &random)
        let raftID: RaftID? = role == .manager ? RaftID.random(in: 1 ... .max, using: &random) : nil
        let certificate = try IdentityService.certificate(for: key, id, role, cluster)
        let node = Node(
            id: id, spec: NodeSpec(role: role),
            description: request.hasMachine ? try NodeDescription(wire: request.machine) : nil,
            status: NodeStatus(state: .unknown, message: "joined, not heard from yet", since: now),
            manager: raftID.map { ManagerStatus(raftID: $0, address: request.advertisedAddress) })
        _ = try await manager.proposeHere(Transaction([.create(.node(node))], time: now))
        if let raftID { try await addLearner(raftID, manager) }
        return IdentityService.admission(certificate, raftID, cluster, manager)
    }

    /// A certificate for the role that the state says, never for what the node asks.
    private func renewed(
        _ request: WireRenewRequest, _ context: ServerContext, _ manager: Manager
    ) async throws -> WireAdmission {
        guard let cluster = manager.tables.cluster, let peer = context.peer,
            let key = context.peerCertificate?.publicKey, let node = manager.tables.nodes[peer.node]
        else { throw Failure(.unavailable, "this manager does not know the node yet") }
        if node.spec.role == .worker {
            guard node.manager == nil else {
                throw Failure(.unavailable, "node \(node.id) still takes part in Raft: it is about to be taken out")
            }
            let certificate = try IdentityService.certificate(for: key, node.id, .worker, cluster)
            return IdentityService.admission(certificate, nil, cluster, manager)
        }
        let raftID = try await member(for: node, request, manager)
        if !manager.membership.contains(raftID) { try await addLearner(raftID, manager) }
        let certificate = try IdentityService.certificate(for: key, node.id, .manager, cluster)
        return IdentityService.admission(certificate, raftID, cluster, manager)
    }

    /// The manager's raft id: the one that it has, or a new one.
    private func member(for node: Node, _ request: WireRenewRequest, _ manager: Manager) async throws -> RaftID {
        if let known = node.manager?.raftID { return known }
        var random = SystemRandomNumberGenerator()
        let raftID = RaftID.random(in: 1 ... .max, using: &random)
        var promoted = node
        promoted.manager = ManagerStatus(raftID: raftID, address: request.advertisedAddress)
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
        let authority = try CertificateAuthority(
            certificatePEM: cluster.authority.rootCertificate, keyPEM: cluster.authority.signingKey)
        let identity = PeerIdentity(node: node, role: role, cluster: cluster.id)
        return try authority.issue(
            key, to: identity, validity: cluster.spec.certificateValidity, at: Clock.wallTime
        ).pem()
    }

    private static func admission(
        _ certificate: String, _ raftID: RaftID?, _ cluster: Cluster, _ manager: Manager
    ) -> WireAdmission {
        .with {
            $0.certificate = certificate
            $0.rootCertificates = [cluster.authority.rootCertificate]
            $0.managers = manager.tables.nodes.sorted.compactMap(\.manager).filter { $0.raftID != raftID }.map { peer in
                .with {
                    $0.raftID = peer.raftID
                    $0.address = peer.address
                }
            }
            $0.raftID = raftID ?? 0
            $0.dataPathPort = UInt32(cluster.dataPathPort)
        }
    }

    /// One change of the managers at a time: waits for its turn.
    private func addLearner(_ id: RaftID, _ manager: Manager) async throws {
        let deadline = Clock.now + ManagerLimits.proposeTimeout
        while true {
            do {
                _ = try await manager.changeMembership(.addLearner(id))
                return
            } catch let failure as Failure where failure.code == .alreadyExists {
                return
            } catch let failure as Failure where failure.code == .unavailable && Clock.now < deadline {
                try await Task.sleep(for: ManagerLimits.proposeRetry)
            }
        }
    }
}
