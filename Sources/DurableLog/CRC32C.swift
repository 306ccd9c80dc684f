/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a step.
public enum CRC32C {
    /// Eight tables of 256, one behind the other: nested arrays would cost a retain a byte.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for value in 0..<256 {
            var crc = UInt32(value)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
            tables[value] = crc
        }
        for index in 256..<8 * 256 {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xff)]
        }
        return tables
    }()

    public static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 { checksum(bytes, after: 0) }

    /// The checksum of what has the checksum `previous`, followed by `bytes`.
    public static func checksum(_ bytes: some Collection<UInt8>, after previous: UInt32) -> UInt32 {
        bytes.withContiguousStorageIfAvailable { checksum(UnsafeRawBufferPointer($0), after: previous) }
            ?? Array(bytes).withUnsafeBytes { checksum($0, after: previous) }
    }

    private static func checksum(_ buffer: UnsafeRawBufferPointer, after previous: UInt32) -> UInt32 {
        tables.withUnsafeBufferPointer { tables in
            func entry(_ table: Int, _ word: UInt64, _ byte: Int) -> UInt32 {
                tables[table << 8 | Int(word >> UInt64(8 * byte) & 0xff)]
            }
            var crc = ~previous
            var position = 0
            while position + 8 <= buffer.count {
                let word =
                    UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: position, as: UInt64.self)) ^ UInt64(crc)
                crc =
                    entry(7, word, 0) ^ entry(6, word, 1) ^ entry(5, word, 2) ^ entry(4, word, 3)
                    ^ entry(3, word, 4) ^ entry(2, word, 5) ^ entry(1, word, 6) ^ entry(0, word, 7)
                position += 8
            }
            while position < buffer.count {
                crc = crc >> 8 ^ tables[Int((crc ^ UInt32(buffer[position])) & 0xff)]
                position += 1
            }
            return ~crc
        }
    }
}
