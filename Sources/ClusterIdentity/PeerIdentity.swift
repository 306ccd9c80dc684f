public import ClusterModel
public import Primitives
import SwiftASN1
public import X509

/// Who is at the other end of a connection, as its certificate says: the node as common name, the role as
/// organizational unit, the cluster as organization (SwarmKit's layout).
public struct PeerIdentity: Hashable, Sendable {
    public var node: NodeID
    public var role: NodeRole
    public var cluster: ClusterID

    public init(node: NodeID, role: NodeRole, cluster: ClusterID) {
        self.node = node
        self.role = role
        self.cluster = cluster
    }

    /// Reads the subject; nil when it names no node of a cluster.
    public init?(_ certificate: Certificate) {
        var fields: [RDNAttributeName: String] = [:]
        for attribute in certificate.subject.flatMap({ $0 }) {
            guard let name = RDNAttributeName(attribute) else { continue }
            fields[name] = attribute.value.description
        }
        guard let node = fields[.commonName].flatMap({ NodeID($0) }),
            let cluster = fields[.organization].flatMap({ ClusterID($0) }),
            let role = fields[.organizationalUnit].flatMap({ NodeRole(certificateUnit: $0) })
        else { return nil }
        self.init(node: node, role: role, cluster: cluster)
    }

    /// - Throws: ``Failure`` `dataLoss` for a certificate that names no node of a cluster.
    public init(certificatePEM: String) throws {
        let certificate = try Certificate(pemEncoded: certificatePEM)
        guard let identity = PeerIdentity(certificate) else { throw PeerIdentity.unnamed(certificate) }
        self = identity
    }

    static func unnamed(_ certificate: Certificate) -> Failure {
        Failure(.dataLoss, "the node's certificate names no node: \(certificate.subject)")
    }

    func subject() throws -> DistinguishedName {
        try DistinguishedName {
            OrganizationName(cluster.description)
            OrganizationalUnitName(role.certificateUnit)
            CommonName(node.description)
        }
    }
}

private enum RDNAttributeName: Hashable {
    case commonName, organization, organizationalUnit

    init?(_ attribute: RelativeDistinguishedName.Attribute) {
        switch attribute.type {
        case .RDNAttributeType.commonName: self = .commonName
        case .RDNAttributeType.organizationName: self = .organization
        case .RDNAttributeType.organizationalUnitName: self = .organizationalUnit
        default: return nil
        }
    }
}

extension NodeRole {
    public var certificateUnit: String {
        switch self {
        case .worker: "swarm-worker"
        case .manager: "swarm-manager"
        }
    }

    init?(certificateUnit: String) {
        guard let role = NodeRole.allCases.first(where: { $0.certificateUnit == certificateUnit }) else { return nil }
        self = role
    }
}
