import CLinux
import ClusterModel
import Glibc
import OverlayDataplane
import OverlayProtocol
import Primitives

/// A data path with one TAP until a file appears; then its counters.
func runNode(isFirst: Bool, bind: String, peer: String, tap: String, mtu: Int, allowsAES: Bool, until stop: String) {
    do {
        try serve(isFirst: isFirst, bind: bind, peer: peer, tap: tap, mtu: mtu, allowsAES: allowsAES, until: stop)
    } catch {
        say("node failed: \(error)")
        exit(1)
    }
}

private let vni: UInt32 = 4_097
private let nodes = [NodeID(value: 1), NodeID(value: 2)]
private let hosts = [IPv4Address(10, 77, 0, 2), IPv4Address(10, 77, 0, 3)]

private func serve(
    isFirst: Bool, bind: String, peer: String, tap: String, mtu: Int, allowsAES: Bool, until stop: String
) throws {
    let own = isFirst ? 0 : 1
    let keys = [UInt8(1), 2].compactMap { KeyPair(secretBytes: [UInt8](repeating: $0, count: 32)) }
    guard keys.count == 2, let address = IPv4Address(bind), let other = IPv4Address(peer) else {
        throw Failure(.invalidArgument, "addresses are needed")
    }
    let socket = overlay_udp_open(address.bytes, 4_789)
    guard socket >= 0 else { throw Failure(.unavailable, "UDP socket: \(-socket)") }
    let identity = OverlayInstance.Identity(
        cluster: ClusterID(value: 1), node: nodes[own], keys: keys[own], allowsHardwareAES: allowsAES)
    let dataplane = try Dataplane(identity: identity, socket: socket)
    try dataplane.addNetwork(vni: vni, tapDescriptor: try TAPDevice.open(name: tap), mtu: mtu)
    try dataplane.start()
    dataplane.update(
        OverlayTables(
            peers: [
                OverlayPeer(
                    node: nodes[1 - own], publicKey: keys[1 - own].publicKey,
                    endpoint: UnderlayEndpoint(other, port: 4_789))
            ],
            networks: [
                OverlayNetwork(
                    vni: vni, gateway: IPv4Address(10, 77, 0, 1),
                    gatewayMAC: MACAddress(value: 0x0242_ff00_0000 + UInt64(own)))
            ],
            endpoints: (0..<2).map {
                OverlayEndpoint(vni: vni, mac: MACAddress(container: hosts[$0]), address: hosts[$0], node: nodes[$0])
            }))
    say("ready")
    while access(stop, F_OK) != 0 { usleep(20_000) }
    let peers = dataplane.peers()
    let counters = dataplane.counters()
    dataplane.stop()
    report(counters, peers)
}

private func report(_ counters: DataplaneCounters, _ peers: [OverlayPeerStatus]) {
    let overlay = counters.overlay
    say("suite \(peers.first?.suite.map { "\($0)" } ?? "none")")
    say("sealed \(overlay.framesSealed) opened \(overlay.framesOpened) arp \(overlay.arpReplies)")
    say(
        "tap reads \(counters.tapReads) super \(counters.superFrames) writes \(counters.tapWrites)"
            + " failed \(counters.tapWriteFailures) joined \(counters.joinedSegments)")
    say(
        "udp sent \(counters.datagramsSent) in \(counters.sendCalls) failed \(counters.sendFailures)"
            + " received \(counters.datagramsReceived) in \(counters.receiveCalls)")
    let drops = overlay.dropped.filter { $0.count > 0 }.map { "\($0.reason.rawValue)=\($0.count)" }
    say("drops \(drops.joined(separator: " "))")
}
