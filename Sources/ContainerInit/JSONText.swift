/// Encodes bytes as a JSON string the way Docker's json-file driver does.
enum JSONText {
    private static let hexDigits = Array("0123456789abcdef".utf8)
    private static let replacement = Array("\\ufffd".utf8)

    /// Appends the string without its quotes. Bytes that are not UTF-8 become `\ufffd`, one for each.
    static func append(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte < 0x80 {
                appendASCII(byte, to: &output)
                index += 1
            } else if let length = characterLength(bytes, at: index) {
                let character = bytes[index..<index + length]
                // Line and paragraph separator end a line in JavaScript.
                if character.elementsEqual([0xe2, 0x80, 0xa8]) || character.elementsEqual([0xe2, 0x80, 0xa9]) {
                    output += Array("\\u202".utf8) + [hexDigits[Int(bytes[index + 2] & 0xf)]]
                } else {
                    output += character
                }
                index += length
            } else {
                output += replacement
                index += 1
            }
        }
    }

    @inline(__always)
    private static func appendASCII(_ byte: UInt8, to output: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            output.append(UInt8(ascii: "\\"))
            output.append(byte)
        case UInt8(ascii: "\n"): output += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
        case UInt8(ascii: "\r"): output += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
        case UInt8(ascii: "\t"): output += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
        case 0..<0x20, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), 0x7f:
            output += Array("\\u00".utf8)
            output += [hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 0xf)]]
        default: output.append(byte)
        }
    }

    /// The length of the well-formed character at an index (Unicode 15, table 3-7); nil when there is none.
    private static func characterLength(_ bytes: ArraySlice<UInt8>, at index: Int) -> Int? {
        let first = bytes[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch first {
        case 0xc2...0xdf: length = 2
        case 0xe0:
            length = 3
            second = 0xa0...0xbf
        case 0xed:
            length = 3
            second = 0x80...0x9f
        case 0xe1...0xef: length = 3
        case 0xf0:
            length = 4
            second = 0x90...0xbf
        case 0xf1...0xf3: length = 4
        case 0xf4:
            length = 4
            second = 0x80...0x8f
        default: return nil
        }
        guard index + length <= bytes.endIndex, second.contains(bytes[index + 1]) else { return nil }
        for other in bytes[(index + 2)..<(index + length)] where other & 0xc0 != 0x80 { return nil }
        return length
    }
}
