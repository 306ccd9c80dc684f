import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import Assignments

/// R28b: two machines with one identity.
@Suite struct IdentityContestTests {
    private var dispatcher = Dispatcher()
    private var tables = ClusterTables()
    private var index: UInt64 = 0
    private let node = NodeID(value: 3)
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let clock = Timestamp(nanoseconds: 1)
    private let description = NodeDescription(hostname: "n1", resources: Resources())
    private let original = SessionMarks(own: [1])
    private let copy = SessionMarks(own: [2])

    init() throws {
        try apply([.create(.node(Node(id: node, spec: NodeSpec(role: .worker))))])
    }

    private mutating func apply(_ changes: [Change]) throws {
        index += 1
        _ = try tables.apply(Transaction(changes, time: clock), at: index).get()
    }

    private mutating func register(_ session: UInt64, _ marks: SessionMarks, at now: Instant) throws -> [String] {
        let directives = dispatcher.onRegister(
            SessionID(value: session), node: node, marks: marks, description: description,
            address: "10.0.0.\(marks.own[0])",
            tables: tables, now: now, wallClock: clock)
        return try directives.map { directive in
            switch directive {
            case .send(let id, _): return "send \(id.value)"
            case .close(let id, _): return "close \(id.value)"
            case .fence(let id, _): return "fence \(id.value)"
            case .write(let changes):
                try apply(changes)
                return "write"
            }
        }
    }

    private mutating func beat(_ session: UInt64, at now: Instant) {
        dispatcher.onHeartbeat(SessionID(value: session), now: now)
    }

    @Test mutating func aCopyIsKeptOutAsLongAsTheNodeIsAlive() throws {
        #expect(try register(1, original, at: start) == ["write", "send 1"])
        #expect(try register(2, copy, at: start + .seconds(1)) == ["close 2"])
        beat(1, at: start + .seconds(5))
        #expect(try register(3, copy, at: start + .seconds(6)) == ["fence 3", "write"])
        #expect(tables.nodes[node]?.status.message.contains("10.0.0.2") == true)
        #expect(tables.nodes[node]?.status.state == .ready)
        beat(1, at: start + .seconds(10))
        // Told once.
        #expect(try register(4, copy, at: start + .seconds(11)) == ["fence 4"])
        // The node itself comes and goes as it likes.
        let again = SessionMarks(own: [9], earlier: [[1]])
        #expect(try register(5, again, at: start + .seconds(12)) == ["close 1", "write", "send 5"])
        #expect(try register(6, copy, at: start + .seconds(13)) == ["close 6"])
    }

    /// skit#1183: after a power cut nobody has closed the former session, and nothing is heard on it.
    @Test mutating func aMachineThatCameUpAgainIsNotLockedOut() throws {
        #expect(try register(1, original, at: start) == ["write", "send 1"])
        beat(1, at: start + .seconds(2))
        var now = start + .seconds(3)
        var session: UInt64 = 2
        while try register(session, copy, at: now) == ["close \(session)"] {
            now = now + .milliseconds(250)
            session += 1
        }
        #expect(now < start + .seconds(12))
        #expect(tables.nodes[node]?.status.message == "")
        beat(session, at: now + .seconds(1))
        // The former session is over.
        #expect(dispatcher.sessionCount == 1)
    }

    @Test mutating func aRestartedDaemonIsLetInAtOnceWhereItsConnectionHasEnded() throws {
        _ = try register(1, original, at: start)
        #expect(try register(2, copy, at: start + .milliseconds(1)) == ["close 2"])
        dispatcher.onDisconnect(SessionID(value: 1))
        #expect(try register(3, copy, at: start + .milliseconds(250)) == ["write", "send 3"])
    }

    /// A copy of a running machine knows the marks of before, and falls behind with the first session.
    @Test mutating func aCopyOfTheMemoryFallsBehind() throws {
        _ = try register(1, original, at: start)
        #expect(
            try register(2, SessionMarks(own: [7], earlier: [[1]]), at: start + .seconds(1))
                == ["close 1", "write", "send 2"])
        #expect(try register(3, SessionMarks(own: [8], earlier: [[1]]), at: start + .seconds(2)) == ["close 3"])
        beat(2, at: start + .seconds(5))
        #expect(
            try register(4, SessionMarks(own: [6], earlier: [[1], [8]]), at: start + .seconds(6))
                == ["fence 4", "write"])
    }

    @Test mutating func whatWasSaidOfACopyIsTakenBackWhenItStaysAway() throws {
        _ = try register(1, original, at: start)
        _ = try register(2, copy, at: start + .seconds(1))
        beat(1, at: start + .seconds(5))
        _ = try register(3, copy, at: start + .seconds(6))
        var now = start + .seconds(6)
        while now < start + .seconds(70) {
            now = now + .milliseconds(500)
            beat(1, at: now)
            for case .write(let changes) in dispatcher.onTick(tables: tables, now: now, wallClock: clock) {
                try apply(changes)
            }
        }
        #expect(tables.nodes[node]?.status == NodeStatus(state: .ready, address: "10.0.0.1", since: clock))
    }
}
