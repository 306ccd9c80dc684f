import ClusterMessages
import ClusterModel
import Primitives
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct SnapshotFormatTests {
    private let membership = WireRaftMembership.with {
        $0.voters = [1, 2, 3]
        $0.learners = [4]
    }

    private func snapshot(of objects: [ClusterObject]) -> [UInt8] {
        var encoder = SnapshotEncoder()
        var bytes = encoder.header(index: 42, term: 7, membership: membership)
        for object in objects { bytes += encoder.append(object) }
        return bytes + encoder.finish()
    }

    private func objects(_ count: Int, seed: UInt64) -> [ClusterObject] {
        var made = RandomObjects(seed: seed)
        return (0..<count).map { _ in made.object() }
    }

    @Test(arguments: [1, 3, 1000, 1 << 20]) func chunksOfAnySizeGiveTheSameObjects(chunkBytes: Int) throws {
        let objects = objects(500, seed: 1)
        let bytes = snapshot(of: objects)
        var decoder = SnapshotDecoder()
        var elements: [SnapshotDecoder.Element] = []
        for start in stride(from: 0, to: bytes.count, by: chunkBytes) {
            elements += try decoder.append(bytes[start..<min(start + chunkBytes, bytes.count)])
        }
        try decoder.finish()
        #expect(elements.dropFirst() == objects.map(SnapshotDecoder.Element.object)[...])
        guard case .header(let header) = elements.first else {
            Issue.record("the first element is not the header")
            return
        }
        #expect(header.index == 42 && header.term == 7 && header.membership == membership)
    }

    /// Whoever writes a snapshot has one piece of it in memory, not all.
    @Test func piecesAreEncodedWhenTheyAreAskedFor() throws {
        let config = Config(id: ConfigID(value: 1), name: "c", data: [UInt8](repeating: 7, count: 100_000))
        let all = (0..<30).map { _ in ClusterObject.config(config) }
        var taken = 0
        let pieces = SnapshotPieces(
            index: 42, term: 7, membership: membership,
            objects: AnySequence {
                var left = all.makeIterator()
                return AnyIterator {
                    taken += 1
                    return left.next()
                }
            })
        var bytes: [UInt8] = []
        var before = 0
        for piece in pieces {
            bytes += piece
            #expect(taken - before <= 4)
            before = taken
        }
        #expect(bytes == snapshot(of: all))
    }

    @Test func theBatchesOfALargeSnapshotStayBelowTheRecordLimit() throws {
        var encoder = SnapshotEncoder()
        let config = Config(id: ConfigID(value: 1), name: "c", data: [UInt8](repeating: 7, count: 20_000))
        let chunks = (0..<30).map { _ in encoder.append(.config(config)) }.filter { !$0.isEmpty }
        // Four reach 64 KiB.
        #expect(chunks.count == 7)
        #expect(chunks.allSatisfy { $0.count < 2 * MessageLimits.snapshotBatchBytes })
    }

    @Test func aSnapshotCutAnywhereIsNotWhole() throws {
        let bytes = snapshot(of: objects(5, seed: 2))
        for length in 0..<bytes.count {
            var decoder = SnapshotDecoder()
            #expect(throws: MessageError.self) {
                _ = try decoder.append(bytes[..<length])
                try decoder.finish()
            }
        }
    }

    @Test func aNewerFormatIsRefusedNamingBothVersions() throws {
        let header = try WireSnapshotRecord.with { $0.header.formatVersion = 2 }.serializedBytes() as [UInt8]
        var writer = ByteWriter()
        writer.writePrefixed(bytes: header)
        var decoder = SnapshotDecoder()
        let error = #expect(throws: MessageError.self) { try decoder.append(writer.bytes) }
        #expect(error?.description.contains("format version 2 is newer than 1") == true)
    }

    @Test func bytesAfterTheEndAreRefused() throws {
        let bytes = snapshot(of: objects(3, seed: 3))
        var decoder = SnapshotDecoder()
        #expect(throws: MessageError("snapshot", "a record after the end")) { try decoder.append(bytes + bytes) }
    }

    @Test func anEnormousLengthIsRefusedBeforeItIsWaitedFor() throws {
        var decoder = SnapshotDecoder()
        #expect(throws: MessageError.self) { try decoder.append([0xff, 0xff, 0xff, 0xff]) }
    }
}
