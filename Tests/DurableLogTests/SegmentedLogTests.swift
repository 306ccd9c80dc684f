import DurableLog
import Primitives
import Testing

@Suite struct SegmentedLogTests {
    private func entry(_ index: UInt64, _ text: String = "x") -> StoredEntry {
        StoredEntry(index: index, term: 1, kind: 0, data: Array(text.utf8))
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
        var (log, empty) = try SegmentedLog.open(files)
        #expect(empty.entries.isEmpty && empty.hardState == nil)
        let state = StoredHardState(term: 3, vote: 7, commit: 1)
        try log.append(LogBatch(hardState: state, entries: [entry(1), entry(2), entry(3)]))
        try log.append(LogBatch(truncatesFrom: 2, entries: [entry(2, "new")]))
        let (_, recovered) = try SegmentedLog.open(files)
        #expect(recovered.hardState == state)
        #expect(recovered.entries == [entry(1), entry(2, "new")])
    }

    @Test func aTornTailIsCutAtEveryByte() throws {
        let files = TornFiles()
        var (log, _) = try SegmentedLog.open(files)
        try log.append(LogBatch(entries: [entry(1)]))
        let name = try #require(try files.list().first)
        let whole = try files.read(name)
        try log.append(LogBatch(entries: [entry(2, "second"), entry(3, "third")]))
        let longer = try files.read(name)
        let end = try #require(longer.lastIndex { $0 != 0 }) + 1
        let start = try #require(whole.lastIndex { $0 != 0 }) + 1
        for cut in start..<end {
            let torn = TornFiles()
            let bytes = Array(longer[..<cut]) + [UInt8](repeating: 0, count: longer.count - cut)
            torn.files[name] = .init(bytes: bytes, durable: bytes)
            var (again, recovered) = try SegmentedLog.open(torn)
            #expect(recovered.entries.first == entry(1))
            #expect(recovered.entries.count <= 2 || cut >= end - 1)
            // And the log goes on from there.
            let next = UInt64(recovered.entries.count + 1)
            try again.append(LogBatch(entries: [entry(next, "after")]))
            #expect(try SegmentedLog.open(torn).recovered.entries.last == entry(next, "after"))
        }
    }

    @Test func damageBeforeALaterWriteIsRefusedWithFileAndOffset() throws {
        let files = TornFiles()
        var (log, _) = try SegmentedLog.open(files)
        for index in 1...3 { try log.append(LogBatch(entries: [entry(UInt64(index))])) }
        let name = try #require(try files.list().first)
        files.files[name]?.bytes[40] ^= 1
        do {
            _ = try SegmentedLog.open(files)
            Issue.record("damage was not found")
        } catch {
            #expect(error.code == .dataLoss)
            #expect(error.message.contains("raft/\(name) is damaged at byte"))
        }
    }

    @Test func aNewerFormatIsRefusedNamingBothVersions() throws {
        let files = TornFiles()
        _ = try SegmentedLog.open(files)
        let name = try #require(try files.list().first)
        files.files[name]?.bytes[9] = 9
        do {
            _ = try SegmentedLog.open(files)
            Issue.record("a newer version was read")
        } catch {
            #expect(error.message.contains("version 9") && error.message.contains("up to 1"))
        }
    }

    @Test func segmentsRollAndAreRemovedBehindASnapshot() throws {
        let files = TornFiles()
        var (log, _) = try SegmentedLog.open(files)
        let big = String(repeating: "b", count: 3 << 20)
        try log.append(LogBatch(hardState: StoredHardState(term: 5, vote: 1, commit: 0)))
        for index in 1...6 { try log.append(LogBatch(entries: [entry(UInt64(index), big)])) }
        #expect(try files.list().count == 3)
        try log.saveSnapshot(StoredSnapshot(index: 4, term: 1, metadata: [1], bytes: [2, 3]))
        try log.compact(through: 4)
        let (_, recovered) = try SegmentedLog.open(files)
        #expect(recovered.entries.map(\.index) == [5, 6])
        #expect(recovered.hardState?.term == 5)
        #expect(recovered.snapshot == StoredSnapshot(index: 4, term: 1, metadata: [1], bytes: [2, 3]))
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
            var (log, _) = try SegmentedLog.open(files)
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
        let (_, recovered) = try SegmentedLog.open(files.afterPowerCut(random: &random))
        #expect(recovered.entries.starts(with: acknowledged))
        #expect(recovered.entries.count <= acknowledged.count + 1)
        #expect((recovered.hardState?.term ?? 0) >= (acknowledgedState?.term ?? 0))
        #expect((recovered.snapshot?.index ?? 0) >= snapshotIndex)
    }
}
