import Primitives
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_827_696_123_456_789, "2000-02-29T12:34:56.123456789Z"),
            (1_795_479_961_000_000_000, "2026-11-24T00:26:01.000000000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
        ] as [(Int64, String)])
    func printsAndReadsRFC3339(nanoseconds: Int64, text: String) {
        #expect(Timestamp(nanoseconds: nanoseconds).rfc3339 == text)
        #expect(Timestamp(rfc3339: text) == Timestamp(nanoseconds: nanoseconds))
    }

    @Test func readsZoneOffsets() {
        #expect(Timestamp(rfc3339: "1970-01-01T02:00:00.5+02:00")?.nanoseconds == 500_000_000)
    }

    @Test(arguments: ["", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00", "1970-01-01T00:00:00Zx"])
    func refusesWhatIsNotRFC3339(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }
}

@Suite struct IdentifierTests {
    private enum Thing {}

    @Test func textRoundTrips() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<1000 {
            let id = Identifier<Thing>(using: &random)
            #expect(id.description.utf8.count == 25)
            #expect(Identifier<Thing>(id.description) == id)
        }
    }

    @Test func refusesWhatIsTooLargeOrMisspelt() {
        #expect(Identifier<Thing>(String(repeating: "z", count: 25)) == nil)
        #expect(Identifier<Thing>("abc") == nil)
        #expect(Identifier<Thing>(String(repeating: "-", count: 25)) == nil)
    }
}

@Suite struct AddressTests {
    @Test func readsAndPrints() {
        #expect(IPv4Address("10.0.0.255")?.description == "10.0.0.255")
        #expect(IPv4Network("10.1.2.3/8")?.description == "10.0.0.0/8")
        #expect(MACAddress("02:42:0a:00:00:05") == MACAddress(container: IPv4Address(10, 0, 0, 5)))
        #expect(MACAddress("02:42:0a:00:00:05")?.description == "02:42:0a:00:00:05")
    }

    @Test(arguments: ["10.0.0", "10.0.0.256", "10.0.0.01", "a.b.c.d", "1.2.3.4.5", "+1.2.3.4"])
    func refusesMalformedAddresses(text: String) {
        #expect(IPv4Address(text) == nil)
    }

    @Test func networksKnowTheirBounds() throws {
        let network = try #require(IPv4Network("10.0.0.0/30"))
        #expect(network.contains(IPv4Address(10, 0, 0, 3)))
        #expect(!network.contains(IPv4Address(10, 0, 0, 4)))
        #expect(network.broadcast == IPv4Address(10, 0, 0, 3))
        #expect(network.overlaps(try #require(IPv4Network("10.0.0.0/8"))))
    }
}

@Suite struct ByteCodingTests {
    @Test func readsWhatWasWritten() throws {
        var writer = ByteWriter()
        writer.write(UInt8(1))
        writer.write(UInt16(0x0203))
        writer.write(UInt32(0x0405_0607))
        writer.write(UInt64(8))
        writer.writePrefixed(string: "ü")
        var reader = ByteReader(writer.bytes)
        #expect(try reader.readUInt8() == 1)
        #expect(try reader.readUInt16() == 0x0203)
        #expect(try reader.readUInt32() == 0x0405_0607)
        #expect(try reader.readUInt64() == 8)
        #expect(try reader.readPrefixedString(maximum: 2) == "ü")
        #expect(reader.isAtEnd)
    }

    @Test func namesTheOffsetOfWhatIsMissing() {
        var reader = ByteReader([0, 0, 0, 9, 1])
        #expect(throws: DecodeError("length 9 above the limit of 8", offset: 0)) {
            try reader.readPrefixedBytes(maximum: 8)
        }
    }
}
