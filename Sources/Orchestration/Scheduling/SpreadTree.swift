import ClusterModel
import HeapModule
import Primitives

/// How good a node is for one more task of a service; less is better.
struct Candidate: Comparable, Sendable {
    /// The service's version failed there often of late.
    let isFailing: Bool
    let serviceTasks: Int
    let totalTasks: Int
    let node: NodeID
    /// Position in the scheduler's list of nodes.
    let index: Int

    static func < (a: Candidate, b: Candidate) -> Bool {
        if a.isFailing != b.isFailing { return b.isFailing }
        return (a.serviceTasks, a.totalTasks, a.node) < (b.serviceTasks, b.totalTasks, b.node)
    }
}

/// Nodes sorted by the labels over which tasks are spread: at each level the branch with the fewest of the service's
/// tasks is next, at the end the best node of the branch. Costs O(log nodes) for each task, not O(nodes).
struct SpreadTree {
    private struct Branch {
        /// The service's tasks below, on nodes that have no room too.
        var tasks = 0
        /// Candidates below.
        var open = 0
        var parent: Int?
        /// Ordered by label value.
        var children: [(value: String, branch: Int)] = []
        var heap = Heap<Candidate>()
    }

    private var branches = [Branch()]
    private var leafOfNode: [Int: Int] = [:]
    private let preferences: [String]

    init(preferences: [String]) { self.preferences = preferences }

    /// Enters a node, in the order of the nodes, and as candidate if it has room.
    mutating func add(_ node: Node, index: Int, serviceTasks: Int, candidate: Candidate?) {
        var position = 0
        for preference in preferences {
            position = child(of: position, value: SpreadTree.value(of: preference, on: node))
        }
        leafOfNode[index] = position
        walk(from: position) { $0.tasks += serviceTasks }
        if let candidate { put(candidate) }
    }

    mutating func put(_ candidate: Candidate) {
        guard let leaf = leafOfNode[candidate.index] else { return }
        branches[leaf].heap.insert(candidate)
        walk(from: leaf) { $0.open += 1 }
    }

    /// Takes the best candidate out and counts one more task there.
    mutating func take() -> Candidate? {
        var position = 0
        guard branches[0].open > 0 else { return nil }
        while !branches[position].children.isEmpty {
            let open = branches[position].children.filter { branches[$0.branch].open > 0 }
            guard let next = open.min(by: { branches[$0.branch].tasks < branches[$1.branch].tasks }) else { return nil }
            position = next.branch
        }
        guard let candidate = branches[position].heap.popMin() else { return nil }
        walk(from: position) { branch in
            branch.open -= 1
            branch.tasks += 1
        }
        return candidate
    }

    private mutating func child(of parent: Int, value: String) -> Int {
        if let known = branches[parent].children.first(where: { $0.value == value }) { return known.branch }
        branches.append(Branch(parent: parent))
        let index = branches.count - 1
        branches[parent].children.append((value, index))
        branches[parent].children.sort { $0.value < $1.value }
        return index
    }

    private mutating func walk(from leaf: Int, _ change: (inout Branch) -> Void) {
        var position: Int? = leaf
        while let index = position {
            change(&branches[index])
            position = branches[index].parent
        }
    }

    /// A node without the label is in the branch of the empty value.
    private static func value(of preference: String, on node: Node) -> String {
        let prefixes: [(String, [String: String])] = [
            ("node.labels.", node.spec.labels), ("engine.labels.", node.description?.engineLabels ?? [:]),
        ]
        for (prefix, labels) in prefixes where preference.hasPrefix(prefix) {
            return labels[String(preference.dropFirst(prefix.count))] ?? ""
        }
        return ""
    }
}
