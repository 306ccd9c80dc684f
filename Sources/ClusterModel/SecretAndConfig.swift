/// Bytes that reach a container as a file in memory and that no API returns.
public struct Secret: Hashable, Sendable {
    public var id: SecretID
    public var meta: Meta
    public var name: String
    public var labels: [String: String]
    public var data: [UInt8]

    public init(id: SecretID, meta: Meta = Meta(), name: String, labels: [String: String] = [:], data: [UInt8]) {
        self.id = id
        self.meta = meta
        self.name = name
        self.labels = labels
        self.data = data
    }
}

/// Bytes that reach a container as a file.
public struct Config: Hashable, Sendable {
    public var id: ConfigID
    public var meta: Meta
    public var name: String
    public var labels: [String: String]
    public var data: [UInt8]

    public init(id: ConfigID, meta: Meta = Meta(), name: String, labels: [String: String] = [:], data: [UInt8]) {
        self.id = id
        self.meta = meta
        self.name = name
        self.labels = labels
        self.data = data
    }
}
