import Consensus
import DequeModule
import Primitives

/// A state machine that can only be equal to another one if both applied the same entries in the same order.
struct Machine: Hashable {
    var applied: LogIndex = 0
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func apply(_ entry: LogEntry) {
        applied = entry.index
        mix(entry.index)
        mix(entry.term)
        for byte in entry.data { mix(UInt64(byte)) }
        for id in entry.membershipIDs { mix(id) }
    }

    private mutating func mix(_ value: UInt64) {
        digest = (digest ^ value) &* 0x0000_0100_0000_01b3
        digest ^= digest >> 29
    }
}

extension LogEntry {
    var membershipIDs: [RaftID] {
        guard case .membership(let membership) = kind else { return [] }
        return membership.voters + [0] + membership.outgoingVoters + [0] + membership.learners
    }
}

/// A message on the wire, with the bytes of the snapshot that it announces.
struct Envelope {
    var message: Message
    var machine: Machine?
}

/// Stable storage: what a crash leaves.
struct Disk {
    var hardState = HardState()
    var snapshot = SnapshotMetadata()
    var machine = Machine()
    var entries: [LogEntry] = []

    var restored: RestoredState { RestoredState(hardState: hardState, snapshot: snapshot, entries: entries) }

    mutating func write(_ request: PersistRequest, snapshots: [SnapshotMetadata: Machine]) {
        if let snapshot = request.snapshot {
            entries = []
            self.snapshot = snapshot
            machine = snapshots[snapshot] ?? Machine()
        }
        if let hardState = request.hardState { self.hardState = hardState }
        if let index = request.truncatesFrom { entries.removeAll { $0.index >= index } }
        entries.append(contentsOf: request.entries)
    }

    func holds(index: LogIndex, term: Term) -> Bool {
        if let first = entries.first?.index, index >= first, index - first < UInt64(entries.count) {
            return entries[Int(index - first)].term == term
        }
        return index <= snapshot.index
    }
}

/// A member with the simplest shell: each write, each application and each message is one step that the test orders.
struct TestServer {
    let id: RaftID
    var node: RaftNode
    var disk: Disk
    var machine: Machine
    var pendingWrites: Deque<PersistRequest> = []
    var pendingApplication: Directive?
    var outgoing: [Envelope] = []
    var reads: [ReadState] = []
    /// In milliseconds; a suspended machine's second clock is ahead.
    var clock = (monotonic: 1_000, boottime: 1_000)
    private let configuration: RaftConfiguration
    private var received: [SnapshotMetadata: Machine] = [:]

    init(id: RaftID, restored: RestoredState, configuration: RaftConfiguration = .standard, seed: UInt64) throws {
        self.id = id
        self.configuration = configuration
        disk = Disk(hardState: restored.hardState, snapshot: restored.snapshot, entries: restored.entries)
        machine = Machine()
        node = try RaftNode(
            id: id, restored: restored, configuration: configuration, random: SeededRandom(seed: seed &* 1000 &+ id))
    }

    var clockReading: ClockReading {
        ClockReading(
            monotonic: Instant(nanoseconds: UInt64(clock.monotonic) * 1_000_000),
            boottime: Instant(nanoseconds: UInt64(clock.boottime) * 1_000_000))
    }

    mutating func tick() {
        clock.monotonic += 50
        clock.boottime += 50
        node.tick(clockReading)
    }

    mutating func receive(_ envelope: Envelope) throws {
        if case .installSnapshot(let metadata) = envelope.message.payload, let machine = envelope.machine {
            received[metadata] = machine
        }
        try node.step(envelope.message)
    }

    /// Takes the directives and files them.
    mutating func process() -> [Directive] {
        let directives = node.ready()
        for directive in directives {
            switch directive {
            case .status: break
            case .send(let messages): outgoing.append(contentsOf: messages.map { Envelope(message: $0) })
            case .persist(let request): pendingWrites.append(request)
            case .sendSnapshot(let transfer):
                // The snapshot on disk is the one last compacted to, unless a newer one replaced it meanwhile.
                outgoing.append(Envelope(message: transfer.message, machine: disk.machine))
            case .installSnapshot, .apply: pendingApplication = directive
            case .serveReads(let states): reads.append(contentsOf: states)
            }
        }
        return directives
    }

    /// Completes the oldest `count` writes under one fsync.
    mutating func persist(_ count: Int = 1) {
        var last: UInt64?
        for _ in 0..<count {
            guard let request = pendingWrites.popFirst() else { break }
            disk.write(request, snapshots: received)
            last = request.number
        }
        if let last { node.onPersisted(last) }
    }

    /// Completes the application under way; returns the entries applied.
    mutating func apply() -> [LogEntry] {
        defer { pendingApplication = nil }
        switch pendingApplication {
        case .apply(let entries):
            for entry in entries { machine.apply(entry) }
            if let last = entries.last { node.onApplied(through: last.index) }
            return entries
        case .installSnapshot(let metadata):
            machine = received[metadata] ?? Machine()
            node.onApplied(through: metadata.index)
        default: break
        }
        return []
    }

    /// Takes a snapshot and keeps `trailing` entries behind it.
    mutating func compact(trailing: UInt64) {
        guard let metadata = node.appliedMetadata, metadata.index > disk.snapshot.index else { return }
        // Storage orders its work: the log is compacted behind the writes that are under way.
        guard pendingWrites.isEmpty else { return }
        disk.snapshot = metadata
        disk.machine = machine
        let index = metadata.index - min(trailing, metadata.index)
        let compacted = node.compact(through: index, snapshot: metadata)
        disk.entries.removeAll { $0.index < compacted }
    }

    /// Loses all that is not on disk; of the writes under way the oldest `survivors` got there unnoticed.
    mutating func crash(survivors: Int = 0, seed: UInt64) throws {
        for request in pendingWrites.prefix(survivors) { disk.write(request, snapshots: received) }
        pendingWrites = []
        pendingApplication = nil
        outgoing = []
        reads = []
        received = [:]
        machine = disk.machine
        node = try RaftNode(
            id: id, restored: disk.restored, configuration: configuration, random: SeededRandom(seed: seed))
    }
}
