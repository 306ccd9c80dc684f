import ClusterModel

/// Updates and removals cut into messages, in the order of their keys: what a task needs comes before the task.
struct MessageParts {
    private(set) var parts: [(updates: [AssignmentItem], removals: [AssignmentKey])] = [([], [])]

    init(_ updates: [AssignmentItem], _ removals: [AssignmentKey]) {
        var bytes = 0
        func add(_ size: Int, isFull: Bool) {
            if bytes > 0, isFull || bytes + size > AssignmentLimits.bytesPerMessage {
                parts.append(([], []))
                bytes = 0
            }
            bytes += size
        }
        for key in removals.sorted() {
            add(AssignmentLimits.bytesPerRemoval, isFull: false)
            parts[parts.count - 1].removals.append(key)
        }
        for item in updates.sorted(by: { $0.key < $1.key }) {
            let isFull = parts[parts.count - 1].updates.count >= AssignmentLimits.itemsPerMessage
            add(item.estimatedBytes, isFull: isFull)
            parts[parts.count - 1].updates.append(item)
        }
    }
}
