/// The networks of this node's tasks as the managers describe them.
public struct NetworkView: Hashable, Sendable {
    public var networks: [Network]
    public var endpoints: [NetworkEndpoint]
    public var peers: [OverlayPeer]

    public init(networks: [Network], endpoints: [NetworkEndpoint], peers: [OverlayPeer]) {
        self.networks = networks
        self.endpoints = endpoints
        self.peers = peers
    }
}
