// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct Node: Codable, Hashable, Sendable {
        public var ID: String
        public var Version: ObjectVersion
        public var CreatedAt: String
        public var UpdatedAt: String
        public var Spec: NodeSpec
        public var Description: NodeDescription?
        public var Status: NodeStatus
        public var ManagerStatus: ManagerStatus?
    }

    public struct NodeSpec: Codable, Hashable, Sendable {
        /// Accepted and not kept: nodes are named by their hostname.
        public var Name: String?
        public var Labels: [String: String]?
        public var Role: String?
        public var Availability: String?

        public init(Labels: [String: String]? = nil, Role: String? = nil, Availability: String? = nil) {
            self.Labels = Labels
            self.Role = Role
            self.Availability = Availability
        }
    }

    public struct NodeDescription: Codable, Hashable, Sendable {
        public var Hostname: String
        public var Platform: Platform
        public var Resources: Resources
        public var Engine: EngineDescription
        public var TLSInfo: TLSInfo?
    }

    public struct Platform: Codable, Hashable, Sendable {
        public var Architecture: String?
        public var OS: String?
        public init(Architecture: String? = nil, OS: String? = nil) {
            self.Architecture = Architecture
            self.OS = OS
        }
    }

    public struct Resources: Codable, Hashable, Sendable {
        public var NanoCPUs: Int64?
        public var MemoryBytes: Int64?
        /// Of limits only.
        public var Pids: Int64?
        public init(NanoCPUs: Int64? = nil, MemoryBytes: Int64? = nil, Pids: Int64? = nil) {
            self.NanoCPUs = NanoCPUs
            self.MemoryBytes = MemoryBytes
            self.Pids = Pids
        }
    }

    public struct EngineDescription: Codable, Hashable, Sendable {
        public var EngineVersion: String
        public var Labels: [String: String]?
    }

    public struct NodeStatus: Codable, Hashable, Sendable {
        public var State: String
        public var Message: String?
        public var Addr: String?
    }

    public struct ManagerStatus: Codable, Hashable, Sendable {
        public var Leader: Bool?
        public var Reachability: String
        public var Addr: String
    }

    public struct TLSInfo: Codable, Hashable, Sendable {
        /// PEM.
        public var TrustRoot: String
        /// Base64 of the DER of the issuer's name and public key.
        public var CertIssuerSubject: String?
        public var CertIssuerPublicKey: String?
        public init(TrustRoot: String, CertIssuerSubject: String? = nil, CertIssuerPublicKey: String? = nil) {
            self.TrustRoot = TrustRoot
            self.CertIssuerSubject = CertIssuerSubject
            self.CertIssuerPublicKey = CertIssuerPublicKey
        }
    }
}
