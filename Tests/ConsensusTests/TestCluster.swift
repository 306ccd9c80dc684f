import Consensus
import Primitives

/// Several servers and a network on which nothing moves unless the test says so.
struct TestCluster {
    var servers: [RaftID: TestServer] = [:]
    var network: [Envelope] = []
    /// Directed links that lose everything.
    var cuts: Set<[RaftID]> = []
    /// What happened, when it is recorded.
    var trace: [String] = []
    private var restarts: UInt64 = 0

    private let configuration: RaftConfiguration

    init(
        voters: [RaftID] = [], learners: [RaftID] = [], configuration: RaftConfiguration = .standard
    ) throws {
        self.configuration = configuration
        try add(voters + learners, membership: Membership(voters: voters, learners: learners))
    }

    var ids: [RaftID] { servers.keys.sorted() }

    mutating func add(_ ids: [RaftID], membership: Membership) throws {
        for id in ids {
            let restored = RestoredState(snapshot: SnapshotMetadata(membership: membership))
            servers[id] = try TestServer(id: id, restored: restored, configuration: configuration, seed: 7)
        }
    }

    /// The server; the test fails with a message instead of a trap when there is none.
    subscript(id: RaftID) -> TestServer {
        get throws {
            guard let server = servers[id] else { throw UnknownServer(id: id) }
            return server
        }
    }

    struct UnknownServer: Error {
        let id: RaftID
    }

    mutating func with<Result>(_ id: RaftID, _ body: (inout TestServer) throws -> Result) throws -> Result {
        guard var server = servers.removeValue(forKey: id) else { throw UnknownServer(id: id) }
        defer { servers[id] = server }
        return try body(&server)
    }

    mutating func cut(_ a: RaftID, _ b: RaftID) {
        cuts.insert([a, b])
        cuts.insert([b, a])
    }

    mutating func isolate(_ id: RaftID) {
        for other in ids where other != id { cut(id, other) }
    }

    @discardableResult
    mutating func process(_ id: RaftID) throws -> Bool {
        let (directives, sent) = try with(id) { server in
            let directives = server.process()
            defer { server.outgoing = [] }
            return (directives, server.outgoing)
        }
        for directive in directives { trace.append(contentsOf: Format.directive(directive).map { "  \(id): \($0)" }) }
        for envelope in sent {
            if cuts.contains([envelope.message.from, envelope.message.to]) {
                try lose(envelope)
            } else {
                network.append(envelope)
            }
        }
        return !directives.isEmpty
    }

    private mutating func lose(_ envelope: Envelope) throws {
        guard case .installSnapshot = envelope.message.payload else { return }
        try with(envelope.message.from) { $0.node.onSnapshotSent(to: envelope.message.to, succeeded: false) }
    }

    /// Loses what is under way between these, or all.
    mutating func drop(from: RaftID? = nil, to: RaftID? = nil) throws {
        let lost = network.filter {
            (from ?? $0.message.from) == $0.message.from && (to ?? $0.message.to) == $0.message.to
        }
        network.removeAll { (from ?? $0.message.from) == $0.message.from && (to ?? $0.message.to) == $0.message.to }
        for envelope in lost { try lose(envelope) }
    }

    /// Delivers what is under way to `id`, in order.
    @discardableResult
    mutating func deliver(_ id: RaftID, from: RaftID? = nil) throws -> Bool {
        let due = network.filter { $0.message.to == id && (from ?? $0.message.from) == $0.message.from }
        network.removeAll { $0.message.to == id && (from ?? $0.message.from) == $0.message.from }
        for envelope in due {
            try with(id) { try $0.receive(envelope) }
            if case .installSnapshot = envelope.message.payload {
                try with(envelope.message.from) { $0.node.onSnapshotSent(to: id, succeeded: true) }
            }
        }
        return !due.isEmpty
    }

    /// Lets everything happen, on these servers, until nothing is left to do.
    mutating func stabilize(_ only: [RaftID]? = nil) throws {
        let chosen = only ?? ids
        for _ in 0..<1000 {
            var isBusy = false
            for id in chosen {
                if try process(id) { isBusy = true }
                try with(id) { server in
                    if !server.pendingWrites.isEmpty { isBusy = true }
                    server.persist(server.pendingWrites.count)
                    if server.pendingApplication != nil { isBusy = true }
                    _ = server.apply()
                }
            }
            for id in chosen where try deliver(id) { isBusy = true }
            if !isBusy { return }
        }
        throw Restless()
    }

    struct Restless: Error {}

    mutating func tick(_ id: RaftID, times: Int = 1) throws {
        for _ in 0..<times { try with(id) { $0.tick() } }
    }

    mutating func elect(_ id: RaftID) throws {
        try with(id) { $0.node.campaign() }
        try stabilize()
    }

    @discardableResult
    mutating func propose(_ id: RaftID, _ words: String...) throws -> Proposed {
        try with(id) { try $0.node.propose(words.map { Array($0.utf8) }) }
    }

    mutating func crash(_ id: RaftID, survivors: Int = 0) throws {
        restarts += 1
        try with(id) { [restarts] in try $0.crash(survivors: survivors, seed: restarts) }
        network.removeAll { $0.message.to == id }
    }

    func status(_ id: RaftID) throws -> RaftStatus { try self[id].node.status }

    /// The log of a server, as `index/term 'data'`.
    func log(_ id: RaftID) throws -> String { Format.entries(try self[id].disk.entries) }
}
