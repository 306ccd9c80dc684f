import ClusterMessages
import ClusterModel
import Primitives
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct RoundTripTests {
    @Test(arguments: 0..<20 as Range<UInt64>) func objectsComeBackEqual(seed: UInt64) throws {
        var made = RandomObjects(seed: seed)
        for _ in 0..<100 {
            let object = made.object()
            let bytes = object.encoded()
            let decoded = try ClusterObject(encoded: bytes)
            #expect(decoded == object)
            #expect(decoded.encoded() == bytes)
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>) func transactionsComeBackEqual(seed: UInt64) throws {
        var made = RandomObjects(seed: seed)
        for _ in 0..<30 {
            let transaction = made.transaction()
            let bytes = transaction.encoded()
            let decoded = try Transaction(encoded: bytes)
            #expect(decoded == transaction)
            #expect(decoded.encoded() == bytes)
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>) func assignmentsComeBackEqual(seed: UInt64) throws {
        var made = RandomObjects(seed: seed)
        for _ in 0..<30 {
            let assignments = made.assignments()
            let bytes: [UInt8] = try assignments.wire.serializedBytes()
            let decoded = try AssignmentMessage(wire: WireAssignments(serializedBytes: bytes))
            #expect(decoded == assignments)
            #expect(try decoded.wire.serializedBytes() == bytes)
        }
    }

    @Test func bytesDoNotDependOnTheOrderOfDictionaries() {
        var made = RandomObjects(seed: 11)
        let names = (0..<40).map { "label-\($0)" } + ["é", "z", "語"]
        let nodes: [NodeID] = (0..<40).map { _ in made.id() }
        // Another capacity is another order of iteration.
        func dictionary<Key: Hashable>(_ keys: [Key], capacity: Int) -> [Key: Int] {
            var result = [Key: Int](minimumCapacity: capacity)
            for (value, key) in keys.enumerated() { result[key] = value }
            return result
        }
        func encoded(names: [String: Int], nodes: [NodeID: Int]) -> [UInt8] {
            let labels = names.mapValues(String.init)
            let subnet = IPv4Network("10.0.0.0/24")
            let allocation = subnet.map {
                NetworkAllocation(
                    vni: 1, subnet: $0, gateway: IPv4Address(10, 0, 0, 1), mtu: 1398,
                    nodeAddresses: nodes.mapValues { IPv4Address(value: UInt32($0)) })
            }
            let network = Network(
                id: NetworkID(value: 1), spec: NetworkSpec(name: "n", labels: labels, driverOptions: labels),
                allocation: allocation)
            return Transaction([.create(.network(network))], time: .zero).encoded()
        }
        let small = (names: dictionary(names, capacity: 0), nodes: dictionary(nodes, capacity: 0))
        let large = (names: dictionary(names, capacity: 4096), nodes: dictionary(nodes, capacity: 4096))
        #expect(small.names == large.names)
        #expect(Array(small.names.keys) != Array(large.names.keys))
        #expect(Array(small.nodes.keys) != Array(large.nodes.keys))
        #expect(
            encoded(names: small.names, nodes: small.nodes) == encoded(names: large.names, nodes: large.nodes))
    }

    /// A change of these bytes is a change of the log's format: raise the version and keep reading the old one.
    @Test func bytesOfATransactionAreFixed() throws {
        let secret = Secret(
            id: SecretID(value: 0x0102), meta: Meta(version: 3, createdAt: Timestamp(nanoseconds: 1)), name: "key",
            labels: ["b": "2", "a": ""], data: [0xff])
        let transaction = Transaction(
            [
                .create(.secret(secret)),
                .delete(.task(TaskID(value: 0x0304)), version: 0),
            ], time: Timestamp(nanoseconds: -1))
        let golden =
            "01" + "0a38" + "0a36" + "3234"  // version; change, create, secret
            + "0a10" + "00000000000000000000000000000102"
            + "120b" + "0803" + "190100000000000000"
            + "1a036b6579" + "22030a0161" + "22060a01621201322a01ff"
            + "0a18" + "1a16" + "0a12" + "2210" + "00000000000000000000000000000304" + "1000"
            + "11ffffffffffffffff"
        #expect(hexadecimal(transaction.encoded()) == golden)
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func enumsHaveTheNumbersOfTheModel() {
        func numbers<E: CaseIterable & RawRepresentable>(_: E.Type) -> [Int] where E.RawValue: BinaryInteger {
            E.allCases.map { Int($0.rawValue) }
        }
        #expect(numbers(BindPropagation.self) == numbers(WireBindPropagation.self))
        #expect(numbers(RestartCondition.self) == numbers(WireRestartCondition.self))
        #expect(numbers(NodeRole.self) == numbers(WireNodeRole.self))
        #expect(numbers(NodeAvailability.self) == numbers(WireNodeAvailability.self))
        #expect(numbers(NodeState.self) == numbers(WireNodeState.self))
        #expect(numbers(UpdateOrder.self) == numbers(WireUpdateOrder.self))
        #expect(numbers(UpdateFailureAction.self) == numbers(WireUpdateFailureAction.self))
        #expect(numbers(UpdateState.self) == numbers(WireUpdateState.self))
        #expect(numbers(EndpointMode.self) == numbers(WireEndpointMode.self))
        #expect(numbers(PortProtocol.self) == numbers(WirePortProtocol.self))
        #expect(numbers(PublishMode.self) == numbers(WirePublishMode.self))
        #expect(numbers(TaskState.self) == numbers(WireTaskState.self))
        #expect(numbers(HealthState.self) == numbers(WireHealthState.self))
        // The names are part of the meaning: the order above would pass with two of them swapped.
        #expect(WireTaskState(rawValue: Int(TaskState.running.rawValue)) == .running)
        #expect(WireEndpointMode(rawValue: Int(EndpointMode.dnsrr.rawValue)) == .dnsrr)
    }
}
