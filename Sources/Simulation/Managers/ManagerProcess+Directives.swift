import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import DurableLog
import Primitives

extension ManagerProcess {
    /// Until nothing more follows from what was done.
    func performAll() throws {
        while case let directives = node.ready(), !directives.isEmpty {
            for directive in directives {
                if let left = directivesLeft {
                    if left == 0 { throw CrashedAtDirective() }
                    directivesLeft = left - 1
                }
                world.coverage.note(directive.kind)
                try perform(directive)
            }
        }
    }

    private func perform(_ directive: Directive) throws {
        switch directive {
        case .apply, .installSnapshot:
            guard world.options.isApplicationAsynchronous else { break }
            return world.scheduler.after(elapsed + world.chance.pick(0...20_000)) { [self] in push(.perform(directive))
            }
        default: break
        }
        try performNow(directive)
    }

    func performNow(_ directive: Directive) throws {
        switch directive {
        case .status(let status):
            world.trace("manager \(id) is \(status.role) in term \(status.term)")
            if status.role == .leader {
                try world.checker.observeLeader(node, world.coverage)
                world.noteTransfer(to: id)
                world.hurryClients(to: id)
                world.troubleNewLeader(self)
            }
            if status.role != .leader { failPending() }
            follow(status)
        case .send(let messages): for message in messages { world.send(message, after: elapsed) }
        case .persist(let request): try persist(request)
        case .sendSnapshot(let transfer):
            if var reader = try storage.snapshotReader() {
                let bytes = try reader.readAll()
                world.send(transfer, bytes, after: elapsed, from: self)
            } else {
                node.onSnapshotSent(to: transfer.message.to, succeeded: false)
            }
        case .installSnapshot(let metadata): try install(metadata)
        case .apply(let entries): try apply(entries)
        case .serveReads(let states):
            for state in states {
                guard let completion = reads.removeValue(forKey: state.context) else { continue }
                world.coverage.note(node.role == .leader ? .readByLeader : .readByFollower)
                waitingReads.append((state.index, completion))
            }
            serveReads()
        }
    }

    /// A new term is led anew, once everything of earlier terms is applied here.
    private func follow(_ status: RaftStatus) {
        if status.role != .leader || ledTerm != status.term { endLeading() }
        guard status.role == .leader, world.options.workers > 0 || world.options.keepsRoles else { return }
        push(
            .read { [self] outcome in
                guard case .state = outcome, !isOver, node.role == .leader, node.term == status.term, ledTerm == nil
                else { return }
                lead(status.term)
            })
    }

    private var ledTerm: Term? { duties?.term ?? roles?.term }

    private func lead(_ term: Term) {
        if world.options.workers > 0 {
            let duties = LeaderDuties(self, term: term, in: world)
            self.duties = duties
            duties.start()
        }
        guard world.options.keepsRoles else { return }
        let roles = RoleKeeper(self, term: term, in: world)
        self.roles = roles
        roles.start()
    }

    /// Outcomes that this member will not learn in time: the entry may still be committed by the next leader.
    private func failPending() {
        // In an order of their own: that of a dictionary is another in each process.
        let lost = proposals.sorted { $0.key < $1.key }.map(\.value.completion)
        let lostReads = reads.sorted { $0.key < $1.key }.map(\.value)
        proposals = [:]
        reads = [:]
        // Whoever asked leads no more either.
        membershipChanges = [:]
        answer {
            for completion in lost { completion(.unknown) }
            for completion in lostReads { completion(.unknown) }
        }
    }

    private func answer(_ body: @escaping () -> Void) { world.scheduler.after(elapsed, body) }

    // MARK: Storage

    private func persist(_ request: PersistRequest) throws {
        if request.truncatesFrom != nil { world.coverage.note(DirectiveKind.persistTruncating) }
        if request.snapshot != nil { world.coverage.note(DirectiveKind.persistSnapshot) }
        try world.checker.persists(request.entries, by: id, world.coverage)
        guard world.options.isStorageAsynchronous else {
            try write(request)
            return node.onPersisted(request.number)
        }
        pendingWrites.append(request)
        writeLater()
    }

    private func write(_ request: PersistRequest) throws {
        if let metadata = request.snapshot {
            try storage.saveSnapshot(metadata, StateSnapshot.pieces(receivedState(of: metadata), metadata))
        }
        try storage.persist([request])
    }

    /// All that waits, under one completion.
    private func writeLater() {
        guard !isWriting, !pendingWrites.isEmpty else { return }
        isWriting = true
        world.scheduler.after(elapsed + world.chance.pick(0...2 * manager.disk.syncMicroseconds)) { [self] in
            guard !isOver else { return }
            isWriting = false
            let requests = pendingWrites
            pendingWrites = []
            do {
                for request in requests { try write(request) }
            } catch let failure as Failure {
                return try world.ended(manager, failure)
            }
            if let last = requests.last { push(.persisted(last.number)) }
            writeLater()
        }
    }

    /// The power goes in the middle of what asynchronous storage is writing.
    func breakWrites() {
        guard isWriting else { return }
        manager.disk.operationsLeft = world.chance.pick(0...6)
        for request in pendingWrites {
            do { try write(request) } catch { return }
        }
    }

    /// Never a log that begins behind a snapshot without the snapshot.
    private func receivedState(of metadata: SnapshotMetadata) throws -> ClusterTables {
        guard let state = received[metadata] else {
            throw Violation.safety("manager \(id) is to install a snapshot at \(metadata.index) that it was not sent")
        }
        return state
    }

    private func install(_ metadata: SnapshotMetadata) throws {
        world.trace("manager \(id) installs the snapshot at \(metadata.index)")
        tables = try receivedState(of: metadata)
        snapshotIndex = metadata.index
        world.coverage.note(.stateComparedAfterSnapshot)
        try world.checker.compare(tables, of: id, world.coverage)
        node.onApplied(through: metadata.index)
        for other in Array(received.keys) where other.index <= metadata.index { received[other] = nil }
        serveReads()
    }

    private func snapshotIfDue() throws {
        guard let metadata = node.appliedMetadata,
            metadata.index >= snapshotIndex + world.options.entriesBetweenSnapshots
        else { return }
        world.coverage.note(.snapshotTaken)
        try world.checker.compare(tables, of: id, world.coverage)
        try storage.saveSnapshot(metadata, StateSnapshot.pieces(tables, metadata))
        snapshotIndex = metadata.index
        let through = metadata.index - min(metadata.index, world.options.entriesKeptBehindSnapshot)
        let before = node.firstIndex
        try storage.compact(through: node.compact(through: through, snapshot: metadata))
        if node.firstIndex > before { world.coverage.note(.logCompacted) }
    }

    // MARK: The state machine

    private func apply(_ entries: [LogEntry]) throws {
        var changes: [StateChange] = []
        for entry in entries {
            let isNews = try world.checker.applied(entry, by: id, world.coverage)
            let outcome = try apply(entry, isNews: isNews, &changes)
            if entry.index % world.options.entriesBetweenComparisons == 0 {
                try world.checker.compare(tables, of: id, world.coverage)
            }
            if let (term, completion) = proposals.removeValue(forKey: entry.index) {
                answer { completion(term == entry.term ? outcome : .unknown) }
            }
        }
        guard let last = entries.last?.index else { return }
        node.onApplied(through: last)
        for entry in entries { membershipChanges.removeValue(forKey: entry.index)?() }
        duties?.push(changes)
        serveReads()
        try snapshotIfDue()
    }

    private func apply(_ entry: LogEntry, isNews: Bool, _ changes: inout [StateChange]) throws -> WriteOutcome {
        switch entry.kind {
        case .normal:
            let transaction: Transaction
            do {
                transaction = try Transaction(encoded: entry.data)
            } catch {
                throw Violation.safety("entry \(entry.index) cannot be read by manager \(id): \(error)")
            }
            switch tables.apply(transaction, at: entry.index) {
            case .success(let applied):
                changes += applied
                if isNews { try world.clusterChecker.check(applied, tables, world.coverage) }
                return .applied(at: entry.index)
            case .failure(let refusal): return .refused(by: refusal)
            }
        case .membership(let membership):
            try world.membershipApplied(membership, at: entry.index)
            tables.skip(to: entry.index)
        case .empty: tables.skip(to: entry.index)
        }
        return .applied(at: entry.index)
    }

    /// Those whose index is applied.
    private func serveReads() {
        guard !waitingReads.isEmpty else { return }
        let ready = waitingReads.filter { $0.index <= tables.index }
        waitingReads.removeAll { $0.index <= tables.index }
        let state = tables
        answer { for read in ready { read.completion(.state(state)) } }
    }
}

extension Directive {
    var kind: DirectiveKind {
        switch self {
        case .status: .status
        case .send: .send
        case .persist: .persist
        case .sendSnapshot: .sendSnapshot
        case .installSnapshot: .installSnapshot
        case .apply: .apply
        case .serveReads: .serveReads
        }
    }
}
