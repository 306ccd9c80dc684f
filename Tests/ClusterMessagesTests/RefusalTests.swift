import ClusterMessages
import ClusterModel
import Primitives
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct RefusalTests {
    @Test func aNewerFormatIsRefusedNamingBothVersions() {
        var made = RandomObjects(seed: 1)
        var transaction = made.transaction().encoded()
        transaction[0] = 9
        let error = #expect(throws: MessageError.self) { try Transaction(encoded: transaction) }
        #expect(error?.description.contains("format version 9 is newer than 1") == true)

        var object = made.object().encoded()
        object[0] = 200
        let refusal = #expect(throws: MessageError.self) { try ClusterObject(encoded: object) }
        #expect(refusal?.description.contains("format version 200 is newer than 1") == true)
    }

    @Test func noBytesAndVersionZeroAreRefused() {
        #expect(throws: MessageError("transaction", "no bytes")) { try Transaction(encoded: []) }
        #expect(throws: MessageError.self) { try ClusterObject(encoded: [0]) }
    }

    @Test func truncatedInputNeverCrashes() {
        var made = RandomObjects(seed: 2)
        var refused = 0
        for _ in 0..<10 {
            let bytes = Transaction([made.change(), made.change()], time: Timestamp(nanoseconds: 1)).encoded()
            for length in 0..<bytes.count {
                if (try? Transaction(encoded: Array(bytes[..<length]))) == nil { refused += 1 }
            }
        }
        #expect(refused > 1000)
    }

    @Test func damagedInputNeverCrashes() {
        var made = RandomObjects(seed: 3)
        var refused = 0
        for _ in 0..<2000 {
            var bytes = made.object().encoded()
            let position = Int.random(in: 1..<bytes.count, using: &made.random)
            bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &made.random)
            if (try? ClusterObject(encoded: bytes)) == nil { refused += 1 }
        }
        #expect(refused > 100)
    }

    @Test func anUnknownEnumNumberNamesItsField() {
        var made = RandomObjects(seed: 4)
        var wire = Transaction([.create(.node(made.node())), .create(.service(made.service()))], time: .zero).wire
        wire.changes[1].create.service.spec.task.restart.condition = .UNRECOGNIZED(77)
        #expect(
            throws: MessageError(
                "changes[1].create.service.spec.task.restart.condition", "77 is not a known RestartCondition")
        ) { try Transaction(wire: wire) }
    }

    @Test func aNumberThatNeedsMoreBitsIsNotCut() {
        var made = RandomObjects(seed: 5)
        var wire = made.port().wire
        wire.protocol = .UNRECOGNIZED(256)
        #expect(throws: MessageError("protocol", "256 is not a known PortProtocol")) { try PortConfig(wire: wire) }
        wire = made.port().wire
        wire.targetPort = 65_536
        #expect(throws: MessageError("target_port", "65536 is outside of 0...65535")) { try PortConfig(wire: wire) }
    }

    @Test func aMalformedIdNamesItsField() {
        var made = RandomObjects(seed: 6)
        var wire = made.task().wire
        wire.serviceID = wireBytes([1, 2, 3])
        #expect(throws: MessageError("task.service_id", "an id of 3 bytes, not 16")) {
            try ClusterObject(wire: .with { $0.task = wire })
        }
    }

    @Test func whatIsMissingNamesItsField() {
        var made = RandomObjects(seed: 7)
        var wire = made.service().wire
        wire.spec.clearTask()
        #expect(throws: MessageError("spec.task", "missing")) { try Service(wire: wire) }
        wire = made.service().wire
        wire.spec.mode = WireServiceMode()
        #expect(throws: MessageError("spec.mode", "missing or of an unknown kind")) { try Service(wire: wire) }
        #expect(throws: MessageError("changes[0].change", "missing or of an unknown kind")) {
            try Transaction(wire: .with { $0.changes = [WireChange()] })
        }
    }

    @Test func aKeyMayNotComeTwice() {
        var made = RandomObjects(seed: 8)
        var wire = made.secret().wire
        let pair = WireKeyValue.with { $0.key = "a" }
        wire.labels = [pair, pair]
        #expect(throws: MessageError("labels", "key \"a\" twice")) { try Secret(wire: wire) }
    }

    @Test(
        arguments: [
            (0x0a00_0001, 24, "address: 10.0.0.1 is not the first of 10.0.0.0/24"),
            (0, 33, "prefix_length: 33 is above 32"),
            (0, 256, "prefix_length: 256 is above 32"),
        ] as [(UInt32, UInt32, String)])
    func aNetworkThatIsNoneIsRefused(address: UInt32, length: UInt32, message: String) {
        let wire = WireIPv4Network.with {
            $0.address = address
            $0.prefixLength = length
        }
        let error = #expect(throws: MessageError.self) { try IPv4Network(wire: wire) }
        #expect(error?.description == message)
    }
}
