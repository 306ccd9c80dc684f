import Primitives
import Sealing
import Testing

@testable import DurableLog

@Suite struct SealingTests {
    private let marker = Array("a secret that nobody may read on the disk".utf8)

    private func entry(_ index: UInt64, _ data: [UInt8]) -> StoredEntry {
        StoredEntry(index: index, term: 1, kind: 0, data: data)
    }

    private func open(
        _ files: TornFiles, key: UInt64 = 1, segmentBytes: Int = LogLimits.segmentBytes
    ) throws(Failure) -> (log: SegmentedLog<TornFiles>, recovered: ReadLog) {
        try ReadLog.open(
            files, key: key, LogSizes(segmentBytes: segmentBytes, snapshotChunkBytes: 32))
    }

    private func name(_ files: TornFiles, _ prefix: String) throws -> String {
        try #require(try files.list().last { $0.hasPrefix(prefix) })
    }

    /// Three entries, each a batch of its own, and a snapshot of several chunks.
    private func written(segmentBytes: Int = LogLimits.segmentBytes, snapshotBytes: Int = 100) throws -> TornFiles {
        let files = TornFiles()
        var (log, _) = try open(files, segmentBytes: segmentBytes)
        for index in 1...UInt64(3) { try log.append(LogBatch(entries: [entry(index, marker)])) }
        let bytes = Array((marker + marker + marker).prefix(snapshotBytes))
        try log.saveSnapshot(StoredSnapshot(index: 1, term: 1, metadata: marker, bytes: bytes))
        return files
    }

    private func refusal(_ files: TornFiles, sourceLocation: SourceLocation = #_sourceLocation) throws -> Failure {
        try #require(
            #expect(throws: Failure.self, sourceLocation: sourceLocation) { _ = try open(files) },
            sourceLocation: sourceLocation)
    }

    /// Where the batches of a segment stand.
    private func batches(_ bytes: [UInt8]) -> [(header: BatchHeader, range: Range<Int>)] {
        var found: [(BatchHeader, Range<Int>)] = []
        var offset = Segment.headerBytes
        while let header = BatchHeader(bytes, at: offset) {
            found.append((header, offset..<offset + BatchHeader.bytes + header.sealedBytes))
            offset = found[found.count - 1].1.upperBound
        }
        return found
    }

    /// A batch with its checksums right, whatever was done to it.
    private func checked(_ number: UInt64, _ sealed: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(bytes: Array("BTCH".utf8))
        writer.write(number)
        writer.write(UInt32(sealed.count))
        writer.write(CRC32C.checksum(sealed))
        writer.write(CRC32C.checksum(writer.bytes))
        return writer.bytes + sealed
    }

    @Test func contentIsNowhereOnTheDiskInTheClear() throws {
        let files = try written()
        for (name, content) in files.files {
            let bytes = content.bytes
            let part = marker.prefix(12)
            for start in 0..<max(0, min(bytes.count, 4096) - part.count) {
                #expect(!bytes[start..<start + part.count].elementsEqual(part), "\(name) at \(start)")
            }
        }
        let recovered = try open(files).recovered
        #expect(recovered.entries.map(\.data) == [marker, marker, marker])
        #expect(recovered.snapshot?.metadata == marker)
        #expect(recovered.snapshot?.bytes == Array((marker + marker + marker).prefix(100)))
    }

    @Test func anotherKeyIsToldFromDamage() throws {
        for prefix in ["log-", "snapshot-"] {
            let files = try written()
            for name in try files.list() where !name.hasPrefix(prefix) { try files.remove(name) }
            let contents = files.files.mapValues(\.bytes)
            let failure = #expect(throws: Failure.self) { _ = try open(files, key: 2) }
            #expect(failure?.code == .failedPrecondition)
            let start = "raft/\(try name(files, prefix)) is sealed with another key than this node's: "
            #expect(failure?.message.hasPrefix(start) == true)
            #expect(failure?.message.contains("`swarmctl join --renew TOKEN`") == true)
            #expect(files.files.mapValues(\.bytes) == contents)
            #expect(throws: Never.self) { _ = try open(files) }
        }
    }

    /// A disk's error: checksums find it without the key.
    @Test func turnedBitIsRefusedWhereverItIs() throws {
        let files = try written()
        for name in try files.list() {
            let whole = try files.read(name)
            // A torn write of the last batch looks the same.
            let end =
                name.hasPrefix("log-") ? try #require(batches(whole).dropLast().last).range.upperBound : whole.count
            for offset in 0..<end {
                let content = try #require(files.files[name])
                content.bytes[offset] ^= 1 << UInt8(offset % 8)
                let failure = try refusal(files)
                #expect([.dataLoss, .failedPrecondition].contains(failure.code), "\(name) at \(offset)")
                #expect(failure.message.contains("raft/\(name)"))
                content.bytes = whole
            }
        }
        #expect(throws: Never.self) { _ = try open(files) }
    }

    /// Somebody who can write the files but has no key: checksums are made right again.
    @Test func whatIsChangedOnPurposeIsRefused() throws {
        let files = try written()
        let name = try name(files, "log-")
        let whole = try files.read(name)
        let last = try #require(batches(whole).last)
        let sealed = Array(whole[(last.range.lowerBound + BatchHeader.bytes)..<last.range.upperBound])
        func replace(_ batch: [UInt8]) {
            files.files[name]?.bytes.replaceSubrange(
                last.range.lowerBound..<last.range.lowerBound + batch.count, with: batch)
        }
        // Nonce, ciphertext, tag.
        for offset in [0, Seal.nonceBytes, sealed.count - Seal.tagBytes, sealed.count - 1] {
            var changed = sealed
            changed[offset] ^= 0x80
            replace(checked(last.header.number, changed))
            let failure = try refusal(files)
            #expect(failure.code == .dataLoss)
            #expect(failure.message.contains("holds at byte \(last.range.lowerBound) what was not sealed"))
        }
        replace(checked(last.header.number + 1, sealed))
        #expect(try refusal(files).message.contains("what was not sealed"))
        replace(checked(last.header.number, sealed))
        #expect(try open(files).recovered.entries.count == 3)
    }

    /// Also with the number that is due there.
    @Test func batchesOfTwoSegmentsCannotBeSwapped() throws {
        let files = try written(segmentBytes: Segment.headerBytes + 150)
        let names = try files.list().filter { $0.hasPrefix("log-") }.sorted()
        try #require(names.count == 3)
        let contents = try names.map { try files.read($0) }
        let found = contents.map { batches($0)[0] }
        try #require(found[0].range == found[1].range)
        for isRenumbered in [false, true] {
            for (here, there) in [(0, 1), (1, 0)] {
                let range = found[here].range
                var batch = Array(contents[there][range])
                if isRenumbered { batch = checked(found[here].header.number, Array(batch[BatchHeader.bytes...])) }
                files.files[names[here]]?.bytes.replaceSubrange(range, with: batch)
            }
            #expect(try refusal(files).message.contains("raft/\(names[0]) holds at byte \(Segment.headerBytes) what"))
            for (name, content) in zip(names, contents) { files.files[name]?.bytes = content }
        }
        // Whole files under one another's names.
        for (here, there) in [(0, 1), (1, 0)] { files.files[names[here]]?.bytes = contents[there] }
        #expect(try refusal(files).message.contains("raft/\(names[0]) is damaged at byte 0"))
    }

    private func chunks(_ bytes: [UInt8]) -> (start: [UInt8], chunks: [ArraySlice<UInt8>]) {
        let start = SnapshotHeader.bytes + marker.count + SnapshotStream.overhead
        let chunk = 32 + SnapshotStream.overhead
        return (
            Array(bytes[..<start]),
            stride(from: start, to: bytes.count, by: chunk).map { bytes[$0..<min($0 + chunk, bytes.count)] }
        )
    }

    /// The last chunk is a whole one in the first case, an empty one never.
    @Test(arguments: [96, 100]) func snapshotThatLacksChunksIsRefused(bytes: Int) throws {
        let files = try written(snapshotBytes: bytes)
        let name = try name(files, "snapshot-")
        let whole = try files.read(name)
        let (start, chunks) = chunks(whole)
        #expect(chunks.count == (bytes + 31) / 32)
        for count in 0..<chunks.count {
            files.files[name]?.bytes = start + chunks[..<count].joined()
            let failure = try refusal(files)
            #expect(failure.code == .dataLoss && failure.message.contains("raft/\(name)"))
        }
        for (first, second) in [(0, 1), (1, 2)] {
            var moved = chunks
            moved.swapAt(first, second)
            files.files[name]?.bytes = start + moved.joined()
            #expect(try refusal(files).code == .dataLoss)
        }
        var doubled = chunks
        doubled.insert(chunks[1], at: 1)
        files.files[name]?.bytes = start + doubled.joined()
        #expect(try refusal(files).code == .dataLoss)
        files.files[name]?.bytes = whole
        #expect(try open(files).recovered.snapshot?.bytes.count == bytes)
    }

    @Test func chunkOfAnotherSnapshotIsRefused() throws {
        let files = TornFiles()
        var (log, _) = try open(files)
        let name = SnapshotHeader.name(index: 1, term: 1)
        var contents: [[UInt8]] = []
        for _ in 0..<2 {
            try log.saveSnapshot(StoredSnapshot(index: 1, term: 1, metadata: marker, bytes: marker + marker))
            contents.append(try files.read(name))
        }
        #expect(contents[0] != contents[1])
        files.files[name]?.bytes = chunks(contents[0]).start + chunks(contents[1]).chunks.joined()
        #expect(try refusal(files).code == .dataLoss)
    }

    @Test func snapshotOfAnySizeIsReadInChunks() throws {
        for count in [0, 1, 31, 32, 33, 64, 1000] {
            let files = TornFiles()
            var (log, _) = try open(files)
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            var aside = log.asideSnapshot(index: 9, term: 2, metadata: [])
            // In pieces of other sizes than the chunks.
            let pieces = stride(from: 0, to: count, by: 45).map { Array(bytes[$0..<min($0 + 45, count)]) }
            #expect(try aside.write(pieces) == count)
            try log.adoptSnapshot(index: 9, term: 2)
            var reader = try #require(try log.snapshotReader())
            var read: [UInt8] = []
            while let chunk = try reader.next() {
                #expect(chunk.count <= 32)
                read += chunk
            }
            #expect(read == bytes && reader.index == 9 && reader.term == 2)
            #expect(try open(files).recovered.snapshot?.bytes == bytes)
        }
    }

    /// Nobody needs more memory for a snapshot than one piece and one chunk.
    @Test func piecesAreWrittenAsTheyCome() throws {
        let files = TornFiles()
        var (log, _) = try open(files)
        var aside = log.asideSnapshot(index: 1, term: 1, metadata: [])
        let name = AsideSnapshot<TornFiles>.name(index: 1, term: 1)
        let pieces = (0..<10).lazy.map { piece in
            // What came before is in the file, but for a chunk.
            let written = files.files[name]?.bytes.count ?? 0
            #expect(written >= (piece - 1) * 50)
            return [UInt8](repeating: UInt8(piece), count: 50)
        }
        #expect(try aside.write(pieces) == 500)
    }

    /// A torn tail is cut, and other content takes its number: again and again.
    @Test func noNonceIsUsedTwice() throws {
        var nonces: Set<[UInt8]> = []
        var keys: Set<[UInt8]> = []
        var files = TornFiles()
        for opening in 1...20 {
            var (log, recovered) = try open(files, segmentBytes: 400)
            let next = UInt64(recovered.entries.count + 1)
            for index in next..<next + 3 { try log.append(LogBatch(entries: [entry(index, [UInt8(opening)])])) }
            try log.saveSnapshot(StoredSnapshot(index: 1, term: 1, metadata: [], bytes: [UInt8(opening)]))
            let whole = files.files.mapValues(\.bytes)
            let logs = whole.keys.filter { $0.hasPrefix("log-") }.sorted()
            let found = logs.flatMap { name in
                batches(whole[name] ?? []).map { batch in
                    Array(whole[name]?[(batch.range.lowerBound + BatchHeader.bytes)...].prefix(Seal.nonceBytes) ?? [])
                }
            }
            // Three are new; the last one was torn before.
            for nonce in found.suffix(3) { #expect(nonces.insert(nonce).inserted) }
            let snapshot = try #require(whole[SnapshotHeader.name(index: 1, term: 1)])
            #expect(keys.insert(Array(snapshot.prefix(SnapshotHeader.bytes))).inserted)
            var torn = whole
            let name = try #require(logs.last)
            let last = try #require(batches(torn[name] ?? []).last)
            for offset in last.range.dropFirst(30) { torn[name]?[offset] = 0 }
            files = TornFiles(torn)
        }
        #expect(nonces.count == 60)
    }
}
