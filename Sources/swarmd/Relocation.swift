import Glibc
import Logging
import Primitives

/// A node whose machine has another address than when it was last started.
///
/// What was an address of one of the machine's interfaces is replaced when it is on none any more. A name or an address
/// beyond a NAT never was, and stays.
struct Relocation {
    /// What `swarmd --advertise-addr` says: ADDRESS|INTERFACE[:PORT].
    var told: String?
    var interfaces: [Interfaces.Address]

    /// The membership as it is to be from now on, durably.
    ///
    /// - Throws: ``Failure`` where it cannot be kept.
    func settle(_ membership: NodeMembership, in folder: StateFolder, log: Logger) throws -> NodeMembership {
        var settled = membership
        if let told, if_nametoindex(String(told.prefix { $0 != ":" })) != 0,
            !interfaces.contains(where: { $0.name == told.prefix { $0 != ":" } })
        {
            log.warning(
                "the interface of --advertise-addr \(told) has no address yet: this node stays at \(membership.host)")
        } else if let host = told.map(hostTold) {
            settled.move(to: host.host, port: host.port)
            settled.interface = interfaces.first { $0.address.description == host.host }?.name ?? ""
        } else if let own = interfaces.first(where: { $0.address.description == membership.host }) {
            settled.interface = own.name
        } else if !membership.interface.isEmpty {
            if let host = successor(of: membership) {
                settled.move(to: host, port: nil)
            } else {
                let reason = "no interface of this machine has the advertised address \(membership.host) any more"
                log.warning("\(reason): say with --advertise-addr where other nodes reach it")
            }
        }
        if settled.advertiseAddress != membership.advertiseAddress {
            log.notice("this node's address is \(settled.advertiseAddress) now, it was \(membership.advertiseAddress)")
        }
        if settled.text != membership.text { try folder.write(settled.text, to: "identity/node.conf") }
        return settled
    }

    private func hostTold(_ text: String) -> (host: String, port: String?) {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        let host = parts.first ?? text
        let interface = interfaces.first { $0.name == host }
        return (interface?.address.description ?? host, parts.count > 1 ? parts[1] : nil)
    }

    /// The first address of the interface that had the old one; where there is no such interface any more, the only one that
    /// the machine has. An interface without an address is one that waits for it.
    private func successor(of membership: NodeMembership) -> String? {
        let usable = interfaces.filter { $0.address.value >> 24 != 127 && $0.address.value >> 16 != 0xa9fe }
        if let same = usable.first(where: { $0.name == membership.interface }) { return same.address.description }
        return if_nametoindex(membership.interface) == 0 && usable.count == 1 ? usable[0].address.description : nil
    }
}

extension NodeMembership {
    /// Everything that was at the old address is at the new one.
    fileprivate mutating func move(to newHost: String, port newPort: String?) {
        let (oldHost, old) = (host, advertiseAddress)
        let port = newPort ?? old.split(separator: ":").last.map(String.init) ?? "2377"
        advertiseAddress = "\(newHost):\(port)"
        if dataPathAddress == oldHost { dataPathAddress = newHost }
        if listenAddress.hasPrefix("\(oldHost):") { listenAddress = newHost + listenAddress.dropFirst(oldHost.count) }
        managers = managers.map { $0 == old ? advertiseAddress : $0 }
    }
}
