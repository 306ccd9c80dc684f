/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a step.
public enum CRC32C {
    private static let tables: [[UInt32]] = {
        var tables = [[UInt32]](repeating: [UInt32](repeating: 0, count: 256), count: 8)
        for value in 0..<256 {
            var crc = UInt32(value)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
            tables[0][value] = crc
        }
        for table in 1..<8 {
            for value in 0..<256 {
                let previous = tables[table - 1][value]
                tables[table][value] = previous >> 8 ^ tables[0][Int(previous & 0xff)]
            }
        }
        return tables
    }()

    public static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 { checksum(bytes, after: 0) }

    /// The checksum of what has the checksum `previous`, followed by `bytes`.
    public static func checksum(_ bytes: some Collection<UInt8>, after previous: UInt32) -> UInt32 {
        bytes.withContiguousStorageIfAvailable { checksum(buffer: $0, after: previous) }
            ?? Array(bytes).withUnsafeBufferPointer { checksum(buffer: $0, after: previous) }
    }

    private static func checksum(buffer: UnsafeBufferPointer<UInt8>, after previous: UInt32) -> UInt32 {
        var crc = ~previous
        var position = 0
        let tables = tables
        while position + 8 <= buffer.count {
            var low = crc
            for byte in 0..<4 { low ^= UInt32(buffer[position + byte]) << UInt32(8 * byte) }
            crc = 0
            for byte in 0..<4 {
                crc ^= tables[7 - byte][Int(low >> UInt32(8 * byte) & 0xff)]
                crc ^= tables[3 - byte][Int(buffer[position + 4 + byte])]
            }
            position += 8
        }
        while position < buffer.count {
            crc = crc >> 8 ^ tables[0][Int((crc ^ UInt32(buffer[position])) & 0xff)]
            position += 1
        }
        return ~crc
    }
}
