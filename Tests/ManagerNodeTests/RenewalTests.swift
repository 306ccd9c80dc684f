import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import ManagerNode

@Suite struct RenewalTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    /// After a new root every node asks at once: the rest of them asks again.
    @Test func renewalsAreLetThroughAtABoundedRate() {
        let gate = RenewalGate()
        let first = (0..<1_000).count { _ in gate.take(at: start) }
        #expect(first == ManagerLimits.renewalsAtOnce)
        let second = (0..<1_000).count { _ in gate.take(at: start + .seconds(1)) }
        #expect(second == ManagerLimits.renewalsPerSecond)
        // Never more than at once, however long nobody came.
        let later = (0..<1_000).count { _ in gate.take(at: start + .seconds(1000)) }
        #expect(later == ManagerLimits.renewalsAtOnce)
    }

    /// R28: the rotation stays open for a node that has not told of its certificate, or of an earlier one.
    @Test func nodesWithoutTheNewestIssuerAreWaitedFor() {
        func node(_ id: UInt128, _ issuer: [UInt8]?) -> Node {
            var description = NodeDescription(hostname: "n\(id)", resources: Resources())
            description.certificate = issuer.map { CertificateInfo(issuerSubject: [1], issuerPublicKey: $0) }
            return Node(id: NodeID(value: id), spec: NodeSpec(role: .worker), description: description)
        }
        let silent = Node(id: NodeID(value: 4), spec: NodeSpec(role: .worker))
        let nodes = [node(1, [2]), node(2, [3]), node(3, nil), silent]
        let tables = ClusterTables(objects: nodes.map { .node($0) }, index: 1)
        let waited = tables.roster.nodes(withoutIssuer: CertificateInfo(issuerSubject: [1], issuerPublicKey: [2]))
        #expect(waited.map(\.id) == [NodeID(value: 2), NodeID(value: 3), NodeID(value: 4)])
    }
}
