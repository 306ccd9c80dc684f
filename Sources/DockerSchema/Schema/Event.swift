// swift-format-ignore-file: AlwaysUseLowerCamelCase

extension Docker {
    /// A line of `GET /events`.
    public struct Event: Codable, Hashable, Sendable {
        public struct Subject: Codable, Hashable, Sendable {
            public var ID: String
            public var Attributes: [String: String]
        }

        public var `Type`: String
        public var Action: String
        public var Actor: Subject
        public var scope: String
        /// Seconds since 1970.
        public var time: Int64
        public var timeNano: Int64

        public init(
            type: String, action: String, id: String, attributes: [String: String], scope: String = "swarm",
            nanoseconds: Int64
        ) {
            self.`Type` = type
            self.Action = action
            self.Actor = Subject(ID: id, Attributes: attributes)
            self.scope = scope
            time = nanoseconds / 1_000_000_000
            timeNano = nanoseconds
        }
    }

    /// How a stream of JSON ends that cannot go on.
    public struct StreamError: Codable, Hashable, Sendable {
        public struct Detail: Codable, Hashable, Sendable {
            public var message: String
        }

        public var error: String
        public var errorDetail: Detail

        public init(_ message: String) {
            error = message
            errorDetail = Detail(message: message)
        }
    }
}
