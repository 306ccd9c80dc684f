import ClusterModel
import ClusterState
import DequeModule

/// What agents reported and what is not in the log yet: the newest of each task and node, in the order in which they
/// were first heard of.
struct ObservationQueue {
    private enum Subject: Hashable {
        case task(TaskID)
        case node(NodeID)
    }

    private var order: Deque<Subject> = []
    private var newest: [Subject: Change] = [:]
    /// Fewer after a batch that was too large.
    private var batchLimit = StateLimits.changesPerTransaction

    var isEmpty: Bool { order.isEmpty }
    var count: Int { order.count }

    mutating func add(_ changes: [Change]) {
        for change in changes {
            guard let subject = Self.subject(of: change) else { continue }
            if let older = newest[subject] {
                newest[subject] = Self.merged(older, change)
            } else {
                newest[subject] = change
                order.append(subject)
            }
        }
    }

    /// Takes the next batch out; ``putBack(_:)`` when it was not written.
    mutating func takeBatch() -> [Change] {
        var packer = TransactionPacker()
        while let subject = order.first, packer.count < batchLimit, let change = newest[subject], packer.add([change]) {
            order.removeFirst()
            newest[subject] = nil
        }
        return packer.take()
    }

    /// What was heard meanwhile of the same tasks and nodes is newer.
    mutating func putBack(_ batch: [Change]) {
        for change in batch.reversed() {
            guard let subject = Self.subject(of: change) else { continue }
            if let newer = newest[subject] {
                newest[subject] = Self.merged(change, newer)
            } else {
                newest[subject] = change
                order.prepend(subject)
            }
        }
    }

    mutating func onWritten() { batchLimit = StateLimits.changesPerTransaction }

    /// The batch can never be written as it is: it is tried in halves, and what cannot be written alone is given up.
    ///
    /// - Returns: the one that was given up.
    mutating func onRefused(_ batch: [Change]) -> Change? {
        guard batch.count > 1 else {
            batchLimit = StateLimits.changesPerTransaction
            return batch.first
        }
        batchLimit = batch.count / 2
        putBack(batch)
        return nil
    }

    private static func subject(of change: Change) -> Subject? {
        switch change {
        case .observeTask(let id, _): .task(id)
        case .observeNode(let id, _, _): .node(id)
        case .create, .update, .delete: nil
        }
    }

    /// A task's status never goes back; a node's description stays until there is a new one.
    private static func merged(_ older: Change, _ newer: Change) -> Change {
        switch (older, newer) {
        case (.observeTask(_, let before), .observeTask(_, let after)):
            after.state >= before.state ? newer : older
        case (.observeNode(_, _, let before), .observeNode(let id, let status, let after)):
            .observeNode(id, status, after ?? before)
        default: newer
        }
    }
}
