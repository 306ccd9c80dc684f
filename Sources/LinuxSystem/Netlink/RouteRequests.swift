public import Primitives

/// Numbers of linux/rtnetlink.h.
enum RouteMessage {
    static let newLink: UInt16 = 16
    static let deleteLink: UInt16 = 17
    static let getLink: UInt16 = 18
    static let newAddress: UInt16 = 20
    static let deleteAddress: UInt16 = 21
    static let getAddress: UInt16 = 22
    static let newRoute: UInt16 = 24
    static let deleteRoute: UInt16 = 25
    static let getRoute: UInt16 = 26
    static let newNeighbour: UInt16 = 28
    static let deleteNeighbour: UInt16 = 29
    /// AF_INET.
    static let ipv4: UInt8 = 2
    static let mainTable: UInt8 = 254
    /// IFF_UP.
    static let up: UInt32 = 1
}

/// IFLA_… of linux/if_link.h.
enum LinkAttribute {
    static let address: UInt16 = 1
    static let name: UInt16 = 3
    static let mtu: UInt16 = 4
    static let master: UInt16 = 10
    static let information: UInt16 = 18
    static let alias: UInt16 = 20
    static let namespace: UInt16 = 28
    static let kind: UInt16 = 1
    static let data: UInt16 = 2
    static let vethPeer: UInt16 = 1
    static let bridgeForwardDelay: UInt16 = 1
    static let bridgeSpanningTree: UInt16 = 5
    static let bridgeMulticastSnooping: UInt16 = 23
}

/// IFA_… of linux/if_addr.h.
enum AddressAttribute {
    static let address: UInt16 = 1
    static let local: UInt16 = 2
}

/// RTA_… of linux/rtnetlink.h.
enum RouteAttribute {
    static let destination: UInt16 = 1
    static let link: UInt16 = 4
    static let gateway: UInt16 = 5
}

/// NDA_… of linux/neighbour.h.
enum NeighbourAttribute {
    static let address: UInt16 = 1
    static let mac: UInt16 = 2
}

/// The other end of a veth pair.
public struct VethPeer: Sendable {
    public var name: String
    public var mac: MACAddress?
    public var mtu: UInt32
    /// An open network namespace for that end; nil is the same one.
    public var namespace: Int32?

    public init(name: String, mac: MACAddress? = nil, mtu: UInt32, namespace: Int32? = nil) {
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.namespace = namespace
    }
}

extension NetlinkRequest {
    private typealias Kind = RouteMessage

    private static func linkHeader(index: Int32 = 0, up: Bool? = nil) -> NetlinkBytes {
        var payload = NetlinkBytes()
        payload.append(UInt32(0))
        payload.append(index)
        payload.append(up == true ? RouteMessage.up : 0)
        payload.append(up == nil ? 0 : RouteMessage.up)
        return payload
    }

    /// A bridge without spanning tree and multicast snooping; not yet up.
    public static func createBridge(name: String, mac: MACAddress, mtu: UInt32) -> NetlinkRequest {
        var payload = linkHeader()
        payload.attribute(LinkAttribute.name, name)
        payload.attribute(LinkAttribute.mtu, mtu)
        payload.attribute(LinkAttribute.address, mac.bytes)
        payload.attribute(LinkAttribute.information) { information in
            information.attribute(LinkAttribute.kind, "bridge")
            information.attribute(LinkAttribute.data) { data in
                data.attribute(LinkAttribute.bridgeForwardDelay, UInt32(0))
                data.attribute(LinkAttribute.bridgeSpanningTree, UInt32(0))
                data.attribute(LinkAttribute.bridgeMulticastSnooping, UInt8(0))
            }
        }
        return NetlinkRequest(
            type: Kind.newLink, flags: Flags.acknowledge | Flags.create | Flags.exclusive, payload: payload)
    }

    /// Both ends of a veth pair, the peer in its namespace; not yet up.
    public static func createVeth(name: String, mac: MACAddress? = nil, mtu: UInt32, peer: VethPeer) -> NetlinkRequest {
        var payload = linkHeader()
        payload.attribute(LinkAttribute.name, name)
        payload.attribute(LinkAttribute.mtu, mtu)
        if let mac { payload.attribute(LinkAttribute.address, mac.bytes) }
        payload.attribute(LinkAttribute.information) { information in
            information.attribute(LinkAttribute.kind, "veth")
            information.attribute(LinkAttribute.data) { data in
                data.attribute(LinkAttribute.vethPeer) { other in
                    other.append(linkHeader())
                    other.attribute(LinkAttribute.name, peer.name)
                    other.attribute(LinkAttribute.mtu, peer.mtu)
                    if let mac = peer.mac { other.attribute(LinkAttribute.address, mac.bytes) }
                    if let namespace = peer.namespace {
                        other.attribute(LinkAttribute.namespace, UInt32(bitPattern: namespace))
                    }
                }
            }
        }
        return NetlinkRequest(
            type: Kind.newLink, flags: Flags.acknowledge | Flags.create | Flags.exclusive, payload: payload)
    }

    /// Changes what is given of a link named by name. `master` 0 takes it out of its bridge.
    public static func changeLink(
        _ name: String, up: Bool? = nil, mac: MACAddress? = nil, mtu: UInt32? = nil, master: Int32? = nil,
        alias: String? = nil, namespace: Int32? = nil
    ) -> NetlinkRequest {
        var payload = linkHeader(up: up)
        payload.attribute(LinkAttribute.name, name)
        if let mac { payload.attribute(LinkAttribute.address, mac.bytes) }
        if let mtu { payload.attribute(LinkAttribute.mtu, mtu) }
        if let master { payload.attribute(LinkAttribute.master, UInt32(bitPattern: master)) }
        if let alias { payload.attribute(LinkAttribute.alias, Array(alias.utf8)) }
        if let namespace { payload.attribute(LinkAttribute.namespace, UInt32(bitPattern: namespace)) }
        return NetlinkRequest(type: Kind.newLink, flags: Flags.acknowledge, payload: payload)
    }

    public static func deleteLink(_ name: String) -> NetlinkRequest {
        var payload = linkHeader()
        payload.attribute(LinkAttribute.name, name)
        return NetlinkRequest(type: Kind.deleteLink, flags: Flags.acknowledge, payload: payload)
    }

    private static func address(_ address: LinkAddress) -> NetlinkBytes {
        var payload = NetlinkBytes()
        payload.append(RouteMessage.ipv4)
        payload.append(address.prefixLength)
        payload.append(UInt16(0))
        payload.append(address.link)
        payload.attribute(AddressAttribute.local, address.address.bytes)
        payload.attribute(AddressAttribute.address, address.address.bytes)
        return payload
    }

    /// An address that is there already is no error.
    public static func addAddress(_ added: LinkAddress) -> NetlinkRequest {
        NetlinkRequest(
            type: Kind.newAddress, flags: Flags.acknowledge | Flags.create | Flags.replace, payload: address(added))
    }

    public static func removeAddress(_ removed: LinkAddress) -> NetlinkRequest {
        NetlinkRequest(type: Kind.deleteAddress, flags: Flags.acknowledge, payload: address(removed))
    }

    private static func route(_ route: NetworkRoute) -> NetlinkBytes {
        let scope: UInt8 = route.gateway == nil ? 253 : 0
        let staticProtocol: UInt8 = 4
        let unicast: UInt8 = 1
        var payload = NetlinkBytes()
        for byte in [
            RouteMessage.ipv4, route.destination.prefixLength, 0, 0, RouteMessage.mainTable, staticProtocol, scope,
            unicast,
        ] { payload.append(byte) }
        payload.append(UInt32(0))
        if route.destination.prefixLength > 0 {
            payload.attribute(RouteAttribute.destination, route.destination.address.bytes)
        }
        if let gateway = route.gateway { payload.attribute(RouteAttribute.gateway, gateway.bytes) }
        payload.attribute(RouteAttribute.link, UInt32(bitPattern: route.link))
        return payload
    }

    /// Adds a route, or puts it in the place of one to the same destination.
    public static func setRoute(_ added: NetworkRoute) -> NetlinkRequest {
        NetlinkRequest(
            type: Kind.newRoute, flags: Flags.acknowledge | Flags.create | Flags.replace, payload: route(added))
    }

    public static func removeRoute(_ removed: NetworkRoute) -> NetlinkRequest {
        NetlinkRequest(type: Kind.deleteRoute, flags: Flags.acknowledge, payload: route(removed))
    }

    private static func neighbour(link: Int32, address: IPv4Address, mac: MACAddress?) -> NetlinkBytes {
        let permanent: UInt16 = 0x80
        var payload = NetlinkBytes()
        payload.append(UInt32(RouteMessage.ipv4))
        payload.append(link)
        payload.append(permanent)
        payload.append(UInt16(0))
        payload.attribute(NeighbourAttribute.address, address.bytes)
        if let mac { payload.attribute(NeighbourAttribute.mac, mac.bytes) }
        return payload
    }

    /// A permanent neighbour entry.
    public static func setNeighbour(link: Int32, address: IPv4Address, mac: MACAddress) -> NetlinkRequest {
        NetlinkRequest(
            type: Kind.newNeighbour, flags: Flags.acknowledge | Flags.create | Flags.replace,
            payload: neighbour(link: link, address: address, mac: mac))
    }

    public static func removeNeighbour(link: Int32, address: IPv4Address) -> NetlinkRequest {
        NetlinkRequest(
            type: Kind.deleteNeighbour, flags: Flags.acknowledge,
            payload: neighbour(link: link, address: address, mac: nil))
    }

    static let dumpLinks = NetlinkRequest(type: Kind.getLink, flags: Flags.dump, payload: linkHeader())

    static let dumpAddresses: NetlinkRequest = {
        var payload = NetlinkBytes()
        payload.append(UInt32(RouteMessage.ipv4))
        payload.append(UInt32(0))
        return NetlinkRequest(type: Kind.getAddress, flags: Flags.dump, payload: payload)
    }()

    static let dumpRoutes: NetlinkRequest = {
        var payload = NetlinkBytes()
        payload.append(UInt32(RouteMessage.ipv4))
        payload.append(UInt32(0))
        payload.append(UInt32(0))
        return NetlinkRequest(type: Kind.getRoute, flags: Flags.dump, payload: payload)
    }()
}
