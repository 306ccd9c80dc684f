import Primitives
import Testing

@testable import DurableLog

@Suite struct SegmentedLogTests {
    private func entry(_ index: UInt64, _ text: String = "x") -> StoredEntry {
        StoredEntry(index: index, term: 1, kind: 0, data: Array(text.utf8))
    }

    private func open(
        _ files: TornFiles, segmentBytes: Int = LogLimits.segmentBytes
    ) throws(Failure) -> (log: SegmentedLog<TornFiles>, recovered: ReadLog) {
        try ReadLog.open(files, LogSizes(segmentBytes: segmentBytes))
    }

    @Test func checksumsAreTheStandardsOnes() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
        // RFC 3720 B.4
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(CRC32C.checksum((0..<32).map(UInt8.init)) == 0x46dd_794e)
    }

    @Test func whatWasWrittenIsThereAgain() throws {
        let files = TornFiles()
        var (log, empty) = try open(files)
        #expect(empty.entries.isEmpty && empty.hardState == nil)
        let state = StoredHardState(term: 3, vote: 7, commit: 1)
        try log.append(LogBatch(hardState: state, entries: [entry(1), entry(2), entry(3)]))
        try log.append(LogBatch(truncatesFrom: 2, entries: [entry(2, "new")]))
        let (_, recovered) = try open(files)
        #expect(recovered.hardState == state)
        #expect(recovered.entries == [entry(1), entry(2, "new")])
    }

    @Test func aTornTailIsCutAtEveryByte() throws {
        let files = TornFiles()
        var (log, _) = try open(files)
        try log.append(LogBatch(entries: [entry(1)]))
        let name = try #require(try files.list().first)
        let whole = try files.read(name)
        try log.append(LogBatch(entries: [entry(2, "second"), entry(3, "third")]))
        let longer = try files.read(name)
        let end = try #require(longer.lastIndex { $0 != 0 }) + 1
        let start = try #require(whole.lastIndex { $0 != 0 }) + 1
        for cut in start..<end {
            let torn = TornFiles([name: Array(longer[..<cut]) + [UInt8](repeating: 0, count: longer.count - cut)])
            var (again, recovered) = try open(torn)
            // Nothing of it counts, also where the cut is between two records.
            #expect(recovered.entries == [entry(1)])
            // And the log goes on from there.
            try again.append(LogBatch(entries: [entry(2, "after")]))
            #expect(try open(torn).recovered.entries == [entry(1), entry(2, "after")])
        }
    }

    @Test func damageBeforeALaterWriteIsRefusedWithFileAndOffset() throws {
        let files = TornFiles()
        var (log, _) = try open(files)
        for index in 1...3 { try log.append(LogBatch(entries: [entry(UInt64(index))])) }
        let name = try #require(try files.list().first)
        files.files[name]?.bytes[Segment.headerBytes + 60] ^= 1
        do {
            _ = try open(files)
            Issue.record("damage was not found")
        } catch {
            #expect(error.code == .dataLoss)
            #expect(error.message.contains("raft/\(name) is damaged at byte \(Segment.headerBytes),"))
            #expect(
                error.message.contains("`swarmctl join --renew TOKEN`") && error.message.contains("`swarmctl restore"))
        }
    }

    @Test(arguments: [(2, "start the release that wrote it"), (9, "upgrade it")])
    func anotherFormatIsRefusedNamingBothVersions(version: UInt8, remedy: String) throws {
        for name in ["log-", "snapshot-"] {
            let files = TornFiles()
            var (log, _) = try open(files)
            try log.saveSnapshot(StoredSnapshot(index: 4, term: 1, metadata: [1], bytes: [2, 3]))
            let file = try #require(try files.list().first { $0.hasPrefix(name) })
            files.files[file]?.bytes[9] = version
            let failure = #expect(throws: Failure.self) { _ = try open(files) }
            #expect(failure?.code == .failedPrecondition)
            let text = "raft/\(file) has format version \(version), this swarmd reads version 3: \(remedy)"
            #expect(failure?.message.hasPrefix(text) == true)
        }
    }

    /// The power may go while a segment is made; a header that was whole once is another matter.
    @Test func onlyASegmentThatHoldsNothingMayLackItsHeader() throws {
        let files = TornFiles()
        var (log, _) = try open(files, segmentBytes: 100)
        for index in 1...2 { try log.append(LogBatch(entries: [entry(UInt64(index), "an entry of some length")])) }
        let names = try files.list()
        let last = try #require(names.last)
        let whole = try files.read(last)
        #expect(names.count == 2)
        for byte in 0..<Segment.headerBytes {
            for value in [0, whole[byte] ^ 0x55] where value != whole[byte] {
                files.files[last]?.bytes = whole
                files.files[last]?.bytes[byte] = value
                let failure = #expect(throws: Failure.self) { _ = try open(files) }
                let isVersion = byte == 8 || byte == 9
                #expect(failure?.code == (isVersion ? .failedPrecondition : .dataLoss))
                #expect(try files.list() == names)
            }
        }
        for cut in 0..<Segment.headerBytes {
            let torn = Array(whole[..<cut]) + [UInt8](repeating: 0, count: 200)
            let first = try #require(names.first)
            let again = TornFiles([first: try files.read(first), last: torn])
            var (log, recovered) = try open(again, segmentBytes: 100)
            #expect(recovered.entries.map(\.index) == [1])
            try log.append(LogBatch(entries: [entry(2)]))
            #expect(try open(again).recovered.entries.last == entry(2))
        }
    }

    /// A process that is killed leaves in memory what it had not synced; who reads it takes it for durable.
    @Test(arguments: 0..<30) func whatIsFoundIsDurable(operations: Int) throws {
        for seed in 0..<8 {
            var random = SeededRandom(seed: UInt64(seed))
            let files = TornFiles()
            files.operationsLeft = operations
            do {
                var (log, _) = try open(files, segmentBytes: 200)
                for index in 1...UInt64(4) {
                    try log.append(LogBatch(entries: [entry(index, "an entry of some length")]))
                    try log.saveSnapshot(StoredSnapshot(index: index, term: 1, metadata: [], bytes: [7]))
                }
            } catch { #expect(error.message == "power lost") }
            files.operationsLeft = nil
            let found = try open(files, segmentBytes: 200).recovered
            let survivor = files.afterPowerCut(random: &random)
            let again = try open(survivor, segmentBytes: 200).recovered
            #expect(again.entries == found.entries && again.snapshot == found.snapshot)
        }
    }

    @Test func segmentsRollAndAreRemovedBehindASnapshot() throws {
        let files = TornFiles()
        var (log, _) = try open(files)
        let big = String(repeating: "b", count: 3 << 20)
        try log.append(LogBatch(hardState: StoredHardState(term: 5, vote: 1, commit: 0)))
        for index in 1...6 { try log.append(LogBatch(entries: [entry(UInt64(index), big)])) }
        #expect(try files.list().count == 3)
        try log.saveSnapshot(StoredSnapshot(index: 4, term: 1, metadata: [1], bytes: [2, 3]))
        try log.compact(through: 4)
        let (_, recovered) = try open(files)
        #expect(recovered.entries.map(\.index) == [5, 6])
        #expect(recovered.hardState?.term == 5)
        #expect(recovered.snapshot == StoredSnapshot(index: 4, term: 1, metadata: [1], bytes: [2, 3]))
    }

    /// R25: power lost at each operation between a snapshot's first byte and the removal of the last segment behind it.
    @Test(arguments: 0..<30) func r25ACrashBetweenSnapshotAndCompactionLosesNothing(operations: Int) throws {
        var random = SeededRandom(seed: UInt64(operations))
        let files = TornFiles()
        var (log, _) = try open(files, segmentBytes: 300)
        let entries = (1...UInt64(12)).map { entry($0, "entry \($0)") }
        for entry in entries { try log.append(LogBatch(entries: [entry])) }
        let segments = try files.list().count
        files.operationsLeft = operations
        let snapshot = StoredSnapshot(index: 9, term: 1, metadata: [1], bytes: [2, 3])
        do {
            try log.saveSnapshot(snapshot)
            try log.compact(through: 9)
        } catch { #expect(error.message == "power lost") }
        let survivor = files.afterPowerCut(random: &random)
        var (again, recovered) = try open(survivor, segmentBytes: 300)
        #expect(recovered.snapshot == nil || recovered.snapshot == snapshot)
        let behind = recovered.snapshot == nil ? 0 : 9
        #expect(recovered.entries.suffix(12 - behind) == entries.suffix(12 - behind))
        // What was not done is done now.
        try again.saveSnapshot(snapshot)
        try again.compact(through: 9)
        let last = try open(survivor, segmentBytes: 300).recovered
        #expect(last.entries.suffix(3) == entries.suffix(3))
        #expect(segments > 3)
    }

    /// Loses power at the N-th operation, for every N: what was acknowledged is there again.
    @Test(arguments: 0..<60) func whatWasAcknowledgedSurvivesAPowerCut(operations: Int) throws {
        var random = SeededRandom(seed: UInt64(operations))
        let files = TornFiles()
        files.operationsLeft = operations
        var acknowledged: [StoredEntry] = []
        var acknowledgedState: StoredHardState?
        var snapshotIndex: UInt64 = 0
        do {
            var (log, _) = try open(files)
            for index in 1...UInt64(20) {
                let state = StoredHardState(term: index, vote: 1, commit: index)
                try log.append(LogBatch(hardState: state, entries: [entry(index, "entry \(index)")]))
                acknowledged.append(entry(index, "entry \(index)"))
                acknowledgedState = state
                if index % 8 == 0 {
                    try log.saveSnapshot(StoredSnapshot(index: index, term: 1, metadata: [], bytes: [7]))
                    snapshotIndex = index
                }
            }
        } catch { #expect(error.message == "power lost") }
        let (_, recovered) = try open(files.afterPowerCut(random: &random))
        #expect(recovered.entries.starts(with: acknowledged))
        #expect(recovered.entries.count <= acknowledged.count + 1)
        #expect((recovered.hardState?.term ?? 0) >= (acknowledgedState?.term ?? 0))
        #expect((recovered.snapshot?.index ?? 0) >= snapshotIndex)
    }
}
