import Consensus
import DurableLog
import Foundation
import Testing

@testable import ManagerNode

@Suite struct PosixLogFilesTests {
    /// An open descriptor keeps a removed file's space.
    @Test func snapshotsThatAreWrittenAsideLeaveNothingOpen() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("raft-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let key = try #require(LogKey([UInt8](repeating: 7, count: LogKey.byteCount)))
        var (storage, _, _) = try SegmentedStorage.open(
            try PosixLogFiles(folder: folder), founders: [1], sealing: LogSealing(key: key, salt: 1))
        for index in 1...5 as ClosedRange<LogIndex> {
            let metadata = SnapshotMetadata(index: index, term: 1, membership: Membership(voters: [1]))
            let write = storage.snapshotWriter(metadata)
            _ = try write([[UInt8](repeating: UInt8(index), count: 100), [7]])
            try storage.adoptSnapshot(metadata)
        }
        var reader = try #require(try storage.snapshotReader())
        #expect(try reader.readAll() == [UInt8](repeating: 5, count: 100) + [7])
        func open(_ part: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
            }.filter { $0.hasPrefix(folder) && $0.contains(part) }
        }
        // What is removed is let go of by a thread.
        try await eventually { try open("snapshot").isEmpty }
        storage.close()
        #expect(try open("") == [])
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.contains("snapshot") }.count == 1)
    }

    /// A follower may need longer for it than the next snapshot takes.
    @Test func snapshotIsReadToItsEndWhenANewerOneTakesItsPlace() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("raft-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let key = try #require(LogKey([UInt8](repeating: 7, count: LogKey.byteCount)))
        var (storage, _, _) = try SegmentedStorage.open(
            try PosixLogFiles(folder: folder), founders: [1], sealing: LogSealing(key: key, salt: 1))
        func save(_ index: LogIndex, _ bytes: [UInt8]) throws {
            let metadata = SnapshotMetadata(index: index, term: 1, membership: Membership(voters: [1]))
            try storage.saveSnapshot(metadata, [bytes])
        }
        let bytes = [UInt8](repeating: 3, count: 3 * LogLimits.snapshotChunkBytes)
        try save(1, bytes)
        var reader = try #require(try storage.snapshotReader())
        var read = try #require(try reader.next())
        try save(2, [7])
        while let chunk = try reader.next() { read += chunk }
        #expect(read == bytes)
        storage.close()
    }
}
