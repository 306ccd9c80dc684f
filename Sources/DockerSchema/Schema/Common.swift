// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    /// Every error's body.
    public struct ErrorBody: Codable, Hashable, Sendable {
        public var message: String
        public init(message: String) { self.message = message }
    }

    /// An object's version; an update must name it.
    public struct ObjectVersion: Codable, Hashable, Sendable {
        public var Index: UInt64
        public init(Index: UInt64) { self.Index = Index }
    }

    /// An object without content; `{}`.
    public struct Empty: Codable, Hashable, Sendable {
        public init() {}
    }

    /// The answer to a create.
    public struct Created: Codable, Hashable, Sendable {
        public var ID: String
        public var Warnings: [String]?
        public init(ID: String, Warnings: [String]? = nil) {
            self.ID = ID
            self.Warnings = Warnings
        }
    }

    /// The answer to a service's update.
    public struct Updated: Codable, Hashable, Sendable {
        public var Warnings: [String]?
        public init(Warnings: [String]? = nil) { self.Warnings = Warnings }
    }

    /// A driver by name; of a log, a network, a volume.
    public struct Driver: Codable, Hashable, Sendable {
        public var Name: String?
        public var Options: [String: String]?
        public init(Name: String? = nil, Options: [String: String]? = nil) {
            self.Name = Name
            self.Options = Options
        }
    }
}
