import Primitives

/// Codes of RFC 1035 and its successors.
enum DNSCode {
    static let a: UInt16 = 1
    static let pointer: UInt16 = 12
    static let ipv6: UInt16 = 28
    static let options: UInt16 = 41
    static let any: UInt16 = 255
    static let internet: UInt16 = 1

    static let noError: UInt8 = 0
    static let formatError: UInt8 = 1
    static let serverFailure: UInt8 = 2
    static let nameError: UInt8 = 3
    static let notImplemented: UInt8 = 4
}

/// A question as a client sent it.
public struct DNSQuery: Hashable, Sendable {
    public let id: UInt16
    /// Lower case, without the final dot.
    public let name: String
    public let type: UInt16
    public let isInternet: Bool
    let recursionDesired: Bool
    /// The question section, echoed as it came (case included: draft-vixie-dnsext-dns0x20).
    let question: [UInt8]
    /// From EDNS (RFC 6891); nil without.
    let offeredBytes: Int?

    /// Why a message gets an error, or no answer at all.
    public enum Refusal: Error, Hashable, Sendable {
        /// Not worth an answer: no header, or itself an answer.
        case ignored
        case malformed(id: UInt16)
        case notImplemented(id: UInt16)
    }

    public init(_ message: [UInt8]) throws(Refusal) {
        guard message.count >= 12 else { throw .ignored }
        let id = UInt16(message[0]) << 8 | UInt16(message[1])
        guard message[2] & 0x80 == 0 else { throw .ignored }
        guard message[2] & 0x78 == 0 else { throw .notImplemented(id: id) }
        func count(_ offset: Int) -> Int { Int(message[offset]) << 8 | Int(message[offset + 1]) }
        guard count(4) == 1 else { throw .malformed(id: id) }
        guard let (name, end) = DNSName.read(message, at: 12), end + 4 <= message.count else {
            throw .malformed(id: id)
        }
        self.id = id
        self.name = name
        recursionDesired = message[2] & 0x01 != 0
        type = UInt16(count(end))
        let questionClass = UInt16(count(end + 2))
        isInternet = questionClass == DNSCode.internet || questionClass == DNSCode.any
        question = Array(message[12..<end + 4])
        offeredBytes = DNSQuery.offeredBytes(
            message, from: end + 4, records: count(6) + count(8) + count(10))
    }

    private static func offeredBytes(_ message: [UInt8], from start: Int, records: Int) -> Int? {
        var offset = start
        for _ in 0..<records {
            guard let (_, end) = DNSName.read(message, at: offset), end + 10 <= message.count else { return nil }
            let type = UInt16(message[end]) << 8 | UInt16(message[end + 1])
            if type == DNSCode.options { return Int(message[end + 2]) << 8 | Int(message[end + 3]) }
            offset = end + 10 + (Int(message[end + 8]) << 8 | Int(message[end + 9]))
        }
        return nil
    }

    /// How long an answer over UDP may be.
    public var datagramBytes: Int {
        min(NameLimits.greatestDatagramBytes, max(NameLimits.plainDatagramBytes, offeredBytes ?? 0))
    }

    /// The address that a reverse name (`4.3.2.1.in-addr.arpa`) asks for.
    var reverseAddress: IPv4Address? {
        let suffix = ".in-addr.arpa"
        guard name.hasSuffix(suffix) else { return nil }
        let labels = name.dropLast(suffix.utf8.count).split(separator: ".", omittingEmptySubsequences: false)
        return IPv4Address(labels.reversed().joined(separator: "."))
    }
}

/// Names on the wire.
enum DNSName {
    /// The name at an offset, in lower case, and where it ends there; nil when it is malformed.
    static func read(_ message: [UInt8], at start: Int) -> (name: String, end: Int)? {
        var labels: [String] = []
        var offset = start
        var end: Int?
        var pointers = 0
        var bytes = 0
        while offset < message.count {
            let length = Int(message[offset])
            switch length & 0xc0 {
            case 0xc0:
                guard offset + 1 < message.count, pointers < NameLimits.pointersPerName else { return nil }
                pointers += 1
                if end == nil { end = offset + 2 }
                let target = (length & 0x3f) << 8 | Int(message[offset + 1])
                // Only backwards, so that no name refers to itself.
                guard target < offset else { return nil }
                offset = target
            case 0:
                if length == 0 { return (labels.joined(separator: "."), end ?? offset + 1) }
                bytes += length + 1
                guard offset + 1 + length <= message.count, bytes < NameLimits.greatestNameBytes else { return nil }
                let label = message[offset + 1..<offset + 1 + length].map { (65...90).contains($0) ? $0 + 32 : $0 }
                labels.append(String(decoding: label, as: UTF8.self))
                offset += 1 + length
            default: return nil
            }
        }
        return nil
    }

    /// Nil for a name that cannot be on the wire.
    static func encode(_ name: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        for label in name.split(separator: ".") {
            guard label.utf8.count <= NameLimits.greatestLabelBytes else { return nil }
            bytes.append(UInt8(label.utf8.count))
            bytes += Array(label.utf8)
        }
        bytes.append(0)
        return bytes.count <= NameLimits.greatestNameBytes ? bytes : nil
    }
}

/// Answers on the wire.
enum DNSAnswer {
    /// An answer of records of one type, each `data`; what does not fit `maximumBytes` is left out and TC set.
    static func encode(
        _ query: DNSQuery, code: UInt8 = DNSCode.noError, type: UInt16 = DNSCode.a, data: [[UInt8]] = [],
        maximumBytes: Int
    ) -> [UInt8] {
        var records: [UInt8] = []
        var count = 0
        let additional = query.offeredBytes == nil ? 0 : 11
        let room = maximumBytes - 12 - query.question.count - additional
        for item in data {
            guard records.count + 12 + item.count <= room else { break }
            // A pointer to the question's name at offset 12.
            records += [0xc0, 12] + number(type) + number(DNSCode.internet)
            records += number(UInt16(0)) + number(UInt16(NameLimits.answerSeconds))
            records += number(UInt16(item.count)) + item
            count += 1
        }
        let isTruncated = count < data.count
        var flags: UInt16 = 0x8400 | UInt16(code)
        if isTruncated { flags |= 0x0200 }
        if query.recursionDesired { flags |= 0x0100 }
        flags |= 0x0080
        var message = number(query.id) + number(flags) + number(UInt16(1)) + number(UInt16(count))
        message += number(UInt16(0)) + number(UInt16(additional == 0 ? 0 : 1))
        message += query.question + records
        if additional > 0 {
            message += [0] + number(DNSCode.options) + number(UInt16(NameLimits.greatestDatagramBytes))
            message += [0, 0, 0, 0, 0, 0]
        }
        return message
    }

    /// An answer that says only that something was wrong.
    static func encodeError(id: UInt16, code: UInt8) -> [UInt8] {
        number(id) + number(0x8080 | UInt16(code)) + [0, 0, 0, 0, 0, 0, 0, 0]
    }

    private static func number(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }
}
