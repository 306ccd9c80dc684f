import LinuxSystem
import Primitives

/// A value below /proc/sys of the calling thread's network namespace.
struct KernelSetting: Hashable {
    var path: String
    var value: String
    /// Not in every kernel: one without IPv6 or br_netfilter lacks theirs.
    var isOptional = false

    init(_ path: String, _ value: String, isOptional: Bool = false) {
        self.path = path
        self.value = value
        self.isOptional = isOptional
    }

    func apply() throws {
        if isOptional, !File.exists(path) { return }
        do throws(Errno) {
            try File.writeValue(path, value)
        } catch {
            throw Failure(.internal, "setting \(path) to \(value)", cause: error)
        }
    }

    /// How the kernel differs from it, for people; nil when it does not.
    var difference: String? {
        if isOptional, !File.exists(path) { return nil }
        let present = (try? File.readText(path))?.split(whereSeparator: \.isWhitespace).first.map(String.init)
        return present == value ? nil : "\(path) is \(present ?? "not to be read") and should be \(value)"
    }
}

/// The way from the node's namespace to the host: a veth pair and the settings of both sides.
extension KernelNetwork {
    private static let hostSettings: [KernelSetting] = {
        let link = "/proc/sys/net/ipv4/conf/\(NetworkLimits.hostLink)"
        // Connections from the host's own 127.0.0.1 to published ports leave through this link.
        return [KernelSetting(link + "/route_localnet", "1"), KernelSetting(link + "/rp_filter", "0")]
    }()

    private static let nodeSettings: [KernelSetting] = {
        var settings = [KernelSetting("/proc/sys/net/ipv4/ip_forward", "1")]
        for scope in ["all", "default"] {
            settings.append(KernelSetting("/proc/sys/net/ipv4/conf/\(scope)/rp_filter", "0"))
            // What routes for containers must not tell them of shorter ways that do not exist.
            settings.append(KernelSetting("/proc/sys/net/ipv4/conf/\(scope)/send_redirects", "0"))
            settings.append(
                KernelSetting("/proc/sys/net/ipv6/conf/\(scope)/disable_ipv6", "1", isOptional: true))
        }
        for call in ["iptables", "ip6tables", "arptables"] {
            settings.append(
                KernelSetting("/proc/sys/net/bridge/bridge-nf-call-\(call)", "0", isOptional: true))
        }
        return settings
    }()

    /// Makes or repairs the link and the settings; what is there as it should be stays.
    func connect() throws {
        var netlink = try NetlinkSocket()
        if try !netlink.links().contains(where: { $0.name == NetworkLimits.hostLink }) {
            let peer = VethPeer(
                name: NetworkLimits.uplink, mtu: NetworkLimits.uplinkMTU, namespace: namespace.descriptor.number)
            try netlink.perform(
                .createVeth(name: NetworkLimits.hostLink, mtu: NetworkLimits.uplinkMTU, peer: peer))
        }
        try configure(&netlink, NetworkLimits.hostLink, NetworkLimits.hostAddress)
        for setting in KernelNetwork.hostSettings { try setting.apply() }
        try HostForwarding.enable(folder: folder)
        try thread.inside(namespace) {
            try Loopback.bringUp()
            for setting in KernelNetwork.nodeSettings { try setting.apply() }
            var netlink = try NetlinkSocket()
            let index = try configure(&netlink, NetworkLimits.uplink, NetworkLimits.nodeAddress)
            if let everywhere = NetworkLimits.everywhere {
                try netlink.perform(
                    .setRoute(
                        NetworkRoute(destination: everywhere, gateway: NetworkLimits.hostAddress, link: index)))
            }
        }
    }

    @discardableResult
    private func configure(_ netlink: inout NetlinkSocket, _ link: String, _ address: IPv4Address) throws -> Int32 {
        guard let index = try netlink.links().first(where: { $0.name == link })?.index else {
            throw Failure(.internal, "the node's link \(link) is not there: remove \(NetworkLimits.hostLink), restart")
        }
        let wanted = LinkAddress(link: index, address: address, prefixLength: NetworkLimits.uplinkPrefix)
        try netlink.perform([.changeLink(link, up: true), .addAddress(wanted)])
        return index
    }

    /// What of the host's side is not as it should be. Called in the host's namespace.
    func hostDifferences() throws -> [String] {
        try differences(of: NetworkLimits.hostLink, NetworkLimits.hostAddress)
            + KernelNetwork.hostSettings.compactMap(\.difference)
            + [HostForwarding.setting].compactMap(\.difference)
    }

    /// What of the node's side is not as it should be. Called in the node's namespace.
    func nodeDifferences() throws -> [String] {
        var netlink = try NetlinkSocket()
        var found = try differences(of: NetworkLimits.uplink, NetworkLimits.nodeAddress)
        if try !netlink.routes().contains(where: { $0.gateway == NetworkLimits.hostAddress }) {
            found.append("the default route by \(NetworkLimits.uplink) is missing")
        }
        return found + KernelNetwork.nodeSettings.compactMap(\.difference)
    }

    private func differences(of name: String, _ address: IPv4Address) throws -> [String] {
        var netlink = try NetlinkSocket()
        guard let link = try netlink.links().first(where: { $0.name == name }) else {
            return ["link \(name) is missing"]
        }
        var found = link.isUp ? [] : ["link \(name) is down"]
        if try !netlink.addresses().contains(where: { $0.link == link.index && $0.address == address }) {
            found.append("address \(address) of \(name) is missing")
        }
        return found
    }
}

/// The host's ip_forward, which is shared with others: changed only where it is off, and put back.
enum HostForwarding {
    static let setting = KernelSetting("/proc/sys/net/ipv4/ip_forward", "1")

    private static func record(_ folder: String) -> String { folder + "/host-ip-forward" }

    static func enable(folder: String) throws {
        guard try File.readText(setting.path).first == "0" else { return }
        // First the record, so that a crash in between changes nothing for ever.
        try File.replace(record(folder), with: Array("0".utf8))
        try setting.apply()
    }

    static func restore(folder: String) throws {
        guard File.exists(record(folder)) else { return }
        try File.writeValue(setting.path, "0")
        try File.remove(record(folder))
    }
}
