public import ClusterIdentity
import ClusterModel
import ClusterState
import LinuxSystem
import Logging
public import Primitives
import X509

/// A manager holds the cluster's signing key: what it does with it beside answering nodes.
extension Manager {
    /// A new certificate for this node itself, from what is applied here: for a manager whose certificate ran out while
    /// nobody could be asked.
    ///
    /// - Returns: nil where the state does not say, or not yet, that this node is this manager.
    public func renewItself(_ credentials: Credentials, at now: Timestamp) throws -> Credentials? {
        let roster = roster
        let own = credentials.identity
        guard let cluster = roster.cluster, cluster.id == own.cluster, let node = roster.nodes[own.node],
            node.spec.role == .manager, node.manager?.raftID == settings.raftID
        else { return nil }
        let identity = PeerIdentity(node: own.node, role: .manager, cluster: cluster.id)
        let certificate = try cluster.issue(credentials.certificate.publicKey, to: identity, at: now)
        return try Credentials(
            certificatePEM: certificate.pem(), keyPEM: credentials.keyPEM(), rootsPEM: cluster.authority.trusted)
    }

    /// Drops earlier roots once every node has a certificate of the newest, as long as this manager leads.
    func keepRoots() async {
        while !Task.isCancelled {
            if let cluster = roster.cluster, cluster.authority.isRotating {
                do {
                    try await settle(cluster)
                } catch {
                    if Task.isCancelled { return }
                    log.debug("roots: not settled yet: \(error)")
                }
            }
            try? await Task.sleep(for: ManagerLimits.rootLook)
        }
    }

    private func settle(_ cluster: Cluster) async throws {
        let issuer = try cluster.authority.issuer()
        guard roster.nodes(withoutIssuer: issuer).isEmpty else { return }
        var settled = cluster
        settled.authority = try cluster.authority.settled()
        _ = try await proposeHere(Transaction([.update(.cluster(settled), bySpec: false)], time: Clock.wallTime))
        log.info("every node has a certificate of the newest root: earlier ones are trusted no more")
    }
}

extension Roster {
    /// Nodes that present a certificate of another issuer, or have not told, ordered.
    func nodes(withoutIssuer issuer: CertificateInfo) -> [Node] {
        nodes.sorted.filter { node in
            guard let shown = node.description?.certificate else { return true }
            return shown.issuerPublicKey != issuer.issuerPublicKey || shown.issuerSubject != issuer.issuerSubject
        }
    }
}
