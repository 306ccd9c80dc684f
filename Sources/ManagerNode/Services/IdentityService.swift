import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import Consensus
import GRPCCore
import Primitives
import SwiftProtobuf
import X509

/// Admits machines that hold a join token.
struct IdentityService: WireIdentity.SimpleServiceProtocol {
    let manager: Manager

    func join(request: WireJoinRequest, context: ServerContext) async throws -> WireJoinAnswer {
        guard manager.isLeader else { return .with { $0.notLeader = manager.notLeader } }
        do {
            let admission = try await admit(request, context)
            return .with { $0.admission = admission }
        } catch let failure as Failure {
            throw failure.rpc
        }
    }

    private func admit(_ request: WireJoinRequest, _ context: ServerContext) async throws -> WireAdmission {
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
        let now = SystemClock.wall
        let id = NodeID(using: &random)
        let raftID: RaftID? = role == .manager ? RaftID.random(in: 1 ... .max, using: &random) : nil
        let authority = try CertificateAuthority(
            certificatePEM: cluster.authority.rootCertificate, keyPEM: cluster.authority.signingKey)
        let certificate = try authority.issue(
            key, to: PeerIdentity(node: id, role: role, cluster: cluster.id),
            validity: cluster.spec.certificateValidity, at: now)
        let node = Node(
            id: id, spec: NodeSpec(role: role),
            description: request.hasMachine ? try NodeDescription(wire: request.machine) : nil,
            status: NodeStatus(state: .unknown, message: "joined, not heard from yet", since: now),
            manager: raftID.map { ManagerStatus(raftID: $0, address: request.advertisedAddress) })
        _ = try await manager.proposeHere(Transaction([.create(.node(node))], time: now))
        if let raftID { try await addLearner(raftID) }
        let pem = try certificate.pem()
        return .with {
            $0.certificate = pem
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
    private func addLearner(_ id: RaftID) async throws {
        let deadline = SystemClock.monotonic + ManagerLimits.proposeTimeout
        while true {
            do {
                _ = try await manager.changeMembership(.addLearner(id))
                return
            } catch let failure as Failure where failure.code == .unavailable && SystemClock.monotonic < deadline {
                try await Task.sleep(for: ManagerLimits.proposeRetry)
            }
        }
    }
}
