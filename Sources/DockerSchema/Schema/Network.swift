// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    public struct Network: Codable, Hashable, Sendable {
        public var Name: String
        public var Id: String
        public var Created: String
        public var Scope: String
        public var Driver: String
        public var EnableIPv4: Bool
        public var EnableIPv6: Bool
        public var IPAM: IPAM
        public var Internal: Bool
        public var Attachable: Bool
        public var Ingress: Bool
        public var ConfigFrom: ConfigSource
        public var ConfigOnly: Bool
        public var Containers: [String: Empty]
        public var Options: [String: String]
        public var Labels: [String: String]
    }

    public struct ConfigSource: Codable, Hashable, Sendable {
        public var Network: String?
        public init(Network: String? = nil) { self.Network = Network }
    }

    public struct IPAM: Codable, Hashable, Sendable {
        public var Driver: String?
        public var Options: [String: String]?
        public var Config: [IPAMConfig]?
        public init(Driver: String? = nil, Options: [String: String]? = nil, Config: [IPAMConfig]? = nil) {
            self.Driver = Driver
            self.Options = Options
            self.Config = Config
        }
    }

    public struct IPAMConfig: Codable, Hashable, Sendable {
        public var Subnet: String?
        public var Gateway: String?
        public init(Subnet: String? = nil, Gateway: String? = nil) {
            self.Subnet = Subnet
            self.Gateway = Gateway
        }
    }

    public struct NetworkCreate: Codable, Hashable, Sendable {
        public var Name: String?
        public var CheckDuplicate: Bool?
        public var Driver: String?
        public var Scope: String?
        public var EnableIPv4: Bool?
        public var EnableIPv6: Bool?
        public var IPAM: IPAM?
        public var Internal: Bool?
        public var Attachable: Bool?
        public var Ingress: Bool?
        public var Options: [String: String]?
        public var Labels: [String: String]?
        public init(Name: String? = nil) { self.Name = Name }
    }

    public struct NetworkCreated: Codable, Hashable, Sendable {
        public var Id: String
        public var Warning: String
        public init(Id: String, Warning: String) {
            self.Id = Id
            self.Warning = Warning
        }
    }
}
