// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    /// A secret or a config: they are written alike.
    public struct Payload: Codable, Hashable, Sendable {
        public var ID: String
        public var Version: ObjectVersion
        public var CreatedAt: String
        public var UpdatedAt: String
        public var Spec: PayloadSpec
    }

    public struct PayloadSpec: Codable, Hashable, Sendable {
        public var Name: String?
        public var Labels: [String: String]?
        /// Base64; never answered for a secret.
        public var Data: String?
        public init(Name: String? = nil, Labels: [String: String]? = nil, Data: String? = nil) {
            self.Name = Name
            self.Labels = Labels
            self.Data = Data
        }
    }
}
