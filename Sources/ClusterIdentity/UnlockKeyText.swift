public import ClusterModel
public import Primitives

extension UnlockKey: CustomStringConvertible {
    private static let prefix = "SWMKEY-1-"
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    /// 43 digits of 6 bits hold 32 bytes.
    private static let digitCount = 43

    /// `SWMKEY-1-` and the bytes in base64 without padding (RFC 4648 §4), as Docker writes it.
    public var description: String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(UnlockKey.digits[Int(bits >> UInt32(count) & 63)])
            }
        }
        text.append(UnlockKey.digits[Int(bits << UInt32(6 - count) & 63)])
        return UnlockKey.prefix + String(decoding: text, as: UTF8.self)
    }

    /// - Throws: ``Failure`` `invalidArgument` saying what is wrong, without repeating the key.
    public init(parsing text: String) throws(Failure) {
        guard text.hasPrefix("SWMKEY-") else {
            throw Failure(
                .invalidArgument, "this is not an unlock key: it begins with SWMKEY-1-; `swarmctl unlock-key` prints it"
            )
        }
        guard text.hasPrefix(UnlockKey.prefix) else {
            throw Failure(
                .invalidArgument,
                "unlock key of another version than 1, which this swarmd reads: upgrade it on this node")
        }
        guard let key = UnlockKey(digits: text.utf8.dropFirst(UnlockKey.prefix.utf8.count)) else {
            throw Failure(.invalidArgument, "the unlock key is truncated or damaged: copy the whole line")
        }
        self = key
    }

    private init?(digits: some Collection<UInt8>) {
        guard digits.count == UnlockKey.digitCount else { return nil }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for digit in digits {
            guard let value = UnlockKey.digits.firstIndex(of: digit) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
        // What is left over of the last digit is zero in a key that was written so.
        guard bits & (1 << UInt32(count) - 1) == 0 else { return nil }
        self.init(bytes: bytes)
    }
}
