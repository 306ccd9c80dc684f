public import ClusterModel
import Primitives
import SwiftProtobuf

extension Transaction {
    public init(wire: WireTransaction) throws(MessageError) {
        self.init(
            try list("changes", wire.changes, Change.init(wire:)), time: Timestamp(nanoseconds: wire.time))
    }

    public var wire: WireTransaction {
        .with {
            $0.changes = changes.map(\.wire)
            $0.time = time.nanoseconds
        }
    }
}

extension Change {
    public init(wire: WireChange) throws(MessageError) {
        switch wire.change {
        case .create(let object):
            self = .create(try inField("create", ClusterObject(wire: object)))
        case .update(let update):
            self = .update(
                try required("update.object", update.hasObject, ClusterObject(wire: update.object)),
                bySpec: update.bySpec)
        case .delete(let delete):
            self = .delete(
                try required("delete.key", delete.hasKey, ObjectKey(wire: delete.key)),
                version: delete.hasVersion ? delete.version : nil)
        case .observeTask(let observed):
            self = .observeTask(
                try TaskID(wire: observed.task, field: "observe_task.task"),
                try required("observe_task.status", observed.hasStatus, TaskStatus(wire: observed.status)))
        case .observeNode(let observed):
            self = .observeNode(
                try NodeID(wire: observed.node, field: "observe_node.node"),
                try required("observe_node.status", observed.hasStatus, NodeStatus(wire: observed.status)),
                try optional("observe_node.machine", observed.hasMachine, NodeDescription(wire: observed.machine)))
        case nil:
            throw MessageError("change", "missing or of an unknown kind")
        }
    }

    public var wire: WireChange {
        .with {
            switch self {
            case .create(let object):
                $0.create = object.wire
            case .update(let object, let bySpec):
                $0.update = .with {
                    $0.object = object.wire
                    $0.bySpec = bySpec
                }
            case .delete(let key, let version):
                $0.delete = .with {
                    $0.key = key.wire
                    if let version { $0.version = version }
                }
            case .observeTask(let task, let status):
                $0.observeTask = .with {
                    $0.task = task.wire()
                    $0.status = status.wire
                }
            case .observeNode(let node, let status, let description):
                $0.observeNode = .with {
                    $0.node = node.wire()
                    $0.status = status.wire
                    if let description { $0.machine = description.wire }
                }
            }
        }
    }
}
