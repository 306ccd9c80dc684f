// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    /// The answer of `GET /swarm/network/check`, which Docker does not have.
    public struct NetworkCheck: Codable, Hashable, Sendable {
        public var NodeID: String
        public var Hostname: String
        /// Where the node's kernel is not as the managers want it, a sentence each; empty when all is well.
        public var Differences: [String]

        public init(NodeID: String, Hostname: String, Differences: [String]) {
            self.NodeID = NodeID
            self.Hostname = Hostname
            self.Differences = Differences
        }
    }
}
