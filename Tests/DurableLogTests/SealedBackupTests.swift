import DurableLog
import Primitives
import Testing

@Suite struct SealedBackupTests {
    private var random = SeededRandom(seed: 21)
    private let key: LogKey
    private let other: LogKey

    init() {
        key = LogKey(using: &random)
        other = LogKey(using: &random)
    }

    private func sealed(_ pieces: [[UInt8]], salt: UInt128 = 1) throws -> [UInt8] {
        var sealer = try BackupSealer(LogSealing(key: key, salt: salt))
        return pieces.flatMap { sealer.append($0) } + sealer.finish()
    }

    private func opened(_ bytes: [UInt8], by pieceBytes: Int, with key: LogKey) throws -> [UInt8] {
        var opener = try BackupOpener(key: key)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            text += try opener.append(bytes[start..<min(start + pieceBytes, bytes.count)])
        }
        return text + (try opener.finish())
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    /// Sizes around the border of a chunk.
    @Test(arguments: [0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 600_000])
    mutating func aBackupReadsBackFromPiecesOfAnySize(count: Int) throws {
        let text = bytes(count)
        let pieces = stride(from: 0, to: count, by: 70_001).map { Array(text[$0..<min($0 + 70_001, count)]) }
        let file = try sealed(pieces)
        for size in [997, 300_000, 10_000_000] { #expect(try opened(file, by: size, with: key) == text) }
    }

    @Test mutating func nothingCanBeReadChangedOrCutOff() throws {
        let marker = Array("a marker that nobody shall read".utf8)
        let file = try sealed([bytes(300_000), marker])
        #expect(!file.windows(of: marker.count).contains { $0.elementsEqual(marker) })
        #expect { try opened(file, by: 65_536, with: other) } throws: { "\($0)".contains("invalid key") }
        for position in [0, 9, 12, 27, 40, 60, 262_000, file.count - 1] {
            var changed = file
            changed[position] ^= 0x10
            #expect(throws: Failure.self) { try opened(changed, by: 65_536, with: key) }
        }
        // At the border of a chunk, in one, and in the header.
        for count in [46 + (256 << 10) + 20, 100_000, 46, 20, 0] {
            #expect(throws: Failure.self) { try opened(Array(file.prefix(count)), by: 65_536, with: key) }
        }
    }

    @Test mutating func twoBackupsOfOneStateHaveNothingInCommon() throws {
        let text = bytes(1000)
        let (first, second) = (try sealed([text], salt: 1), try sealed([text], salt: 2))
        #expect(first[46...] != second[46...])
    }
}

extension [UInt8] {
    fileprivate func windows(of count: Int) -> some Sequence<ArraySlice<UInt8>> {
        indices.dropLast(count - 1).lazy.map { self[$0..<$0 + count] }
    }
}
