import ClusterMessages
import ClusterModel
import ClusterState
import Primitives
import SwiftProtobuf
import Testing

@testable import Assignments

/// R25d: 500 services with 5,000 ended tasks, and a node of which more than 500 assignments change at once.
@Suite struct LargeStateTests {
    /// gRPC's limit of a message.
    private static let messageBytes = 4 << 20

    private var random = SeededRandom(seed: 25)
    private var tables = ClusterTables()
    private var index: UInt64 = 0
    private let clock = Timestamp(nanoseconds: 1)

    private mutating func apply(_ changes: [Change]) throws -> [StateChange] {
        index += 1
        return try tables.apply(Transaction(changes, time: clock), at: index).get()
    }

    private mutating func task(
        of service: Service, slot: UInt64, on node: NodeID, _ state: TaskState, _ config: Config?
    ) -> ClusterTask {
        var spec = service.spec.task
        if let config {
            spec.container.configs = [FileReference(id: config.id, name: config.name, target: "/\(config.name)")]
        }
        return ClusterTask(
            id: TaskID(using: &random), serviceID: service.id, slot: slot, nodeID: node,
            name: "\(service.spec.name).\(slot)", serviceName: service.spec.name, serviceVersion: 1, spec: spec,
            status: TaskStatus(state: state))
    }

    /// Services, their ended tasks on both nodes, and one live task each on the busy one, with a config of 32 KiB.
    private mutating func fill(_ busy: NodeID, _ other: NodeID) throws -> [ClusterTask] {
        var live: [ClusterTask] = []
        for number in 0..<500 {
            let service = Service(
                id: ServiceID(using: &random),
                spec: ServiceSpec(
                    name: "service-\(number)", task: TaskSpec(container: ContainerSpec(image: "busybox"))))
            let config = Config(
                id: ConfigID(using: &random), name: "config-\(number)", data: [UInt8](repeating: 7, count: 32 << 10))
            var changes: [Change] = [.create(.service(service)), .create(.config(config))]
            for slot in 1...UInt64(10) {
                let node = slot % 2 == 0 ? busy : other
                changes.append(.create(.task(task(of: service, slot: slot, on: node, .shutdown, nil))))
            }
            live.append(task(of: service, slot: 11, on: busy, .assigned, config))
            changes.append(.create(.task(live[live.count - 1])))
            _ = try apply(changes)
        }
        return live
    }

    private func messages(_ directives: [Dispatcher.Directive]) -> [AssignmentMessage] {
        directives.compactMap { if case .send(_, let message) = $0 { message } else { nil } }
    }

    /// Of the largest one as it travels.
    private func largestBytes(_ messages: [AssignmentMessage]) throws -> Int {
        try messages.map { message in
            let bytes: [UInt8] = try message.wire.serializedBytes()
            return bytes.count
        }.max() ?? 0
    }

    @Test mutating func r25dMoreThan500AssignmentsTravelInMessagesBelow4MiB() throws {
        let (busy, other) = (NodeID(using: &random), NodeID(using: &random))
        for id in [busy, other] { _ = try apply([.create(.node(Node(id: id, spec: NodeSpec(role: .worker))))]) }
        let live = try fill(busy, other)
        var dispatcher = Dispatcher()
        let description = NodeDescription(hostname: "n1", resources: Resources())
        let complete = messages(
            dispatcher.onRegister(
                SessionID(value: 1), node: busy, description: description, address: "10.0.0.1", tables: tables,
                now: Instant(nanoseconds: 0), wallClock: clock))
        let tasks = complete.flatMap(\.updates).count { if case .task = $0 { true } else { false } }
        #expect(tasks >= 500)
        // 500 configs of 32 KiB alone are 16 MiB.
        #expect(complete.count > 15 && complete.count { $0.isLast } == 1)
        #expect(try largestBytes(complete) < LargeStateTests.messageBytes)

        var changed: [StateChange] = []
        for task in live {
            var task = try #require(tables.tasks[task.id])
            task.desiredState = .shutdown
            changed += try apply([.update(.task(task), bySpec: false)])
        }
        for directive in dispatcher.onChanges(changed, tables: tables) {
            Issue.record("\(directive): only changes of assignments")
        }
        let incremental = messages(dispatcher.flush(tables: tables))
        #expect(incremental.flatMap(\.updates).count + incremental.flatMap(\.removals).count >= 500)
        #expect(incremental.count > 1 && incremental.last?.isLast == true)
        #expect(try largestBytes(incremental) < LargeStateTests.messageBytes)
    }
}
