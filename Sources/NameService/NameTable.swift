public import Primitives

/// The names of one network and the addresses that they lead to.
public struct NameTable: Hashable, Sendable {
    /// One task's place in the network.
    public struct Entry: Hashable, Sendable {
        public var address: IPv4Address
        public var service: String
        public var task: String
        public var aliases: [String]
        /// Only then the names lead here; the reverse name exists always.
        public var isServing: Bool

        public init(address: IPv4Address, service: String, task: String, aliases: [String], isServing: Bool) {
            self.address = address
            self.service = service
            self.task = task
            self.aliases = aliases
            self.isServing = isServing
        }
    }

    private var addresses: [String: [IPv4Address]] = [:]
    private var names: [IPv4Address: String] = [:]
    /// Names of the network itself: a service without a task that serves has no address, but is no unknown name.
    private var known: Set<String> = []
    /// A network without a way outside.
    public let isInternal: Bool

    /// `networkName` completes the reverse names: `TASK.NETWORK`, as Docker has it.
    public init(_ entries: [Entry] = [], networkName: String = "", isInternal: Bool = false) {
        self.isInternal = isInternal
        var collected: [String: Set<IPv4Address>] = [:]
        for entry in entries {
            names[entry.address] = networkName.isEmpty ? entry.task : entry.task + "." + networkName
            let all = [entry.service, "tasks." + entry.service, entry.task] + entry.aliases
            for name in Set(all.map { $0.lowercased() }) {
                known.insert(name)
                guard entry.isServing else { continue }
                collected[name, default: []].insert(entry.address)
                if !networkName.isEmpty {
                    collected[name + "." + networkName.lowercased(), default: []].insert(entry.address)
                }
            }
        }
        addresses = collected.mapValues { $0.sorted() }
    }

    /// Nil for a name that is not of this network.
    func addresses(of name: String) -> [IPv4Address]? { addresses[name] ?? (known.contains(name) ? [] : nil) }

    func name(of address: IPv4Address) -> String? { names[address] }
}
