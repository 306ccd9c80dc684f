import Consensus
import Primitives

/// Runs the command language of the golden transcripts.
///
/// A transcript is a list of paragraphs: comment lines (`#`), one command, `----`, what it printed, an empty line.
struct Transcript {
    private var cluster: TestCluster
    private var reads: UInt64 = 0

    struct SyntaxError: Error {
        let line: String
    }

    init() throws {
        cluster = try TestCluster()
    }

    /// The same text with the output that the commands print now.
    static func rewritten(_ text: String) throws -> String {
        var transcript = try Transcript()
        var result: [String] = []
        var isOutput = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if isOutput, !line.isEmpty { continue }
            isOutput = false
            if line.isEmpty || line.hasPrefix("#") {
                result.append(line)
            } else if line == "----" {
                isOutput = true
            } else {
                result.append(line)
                result.append("----")
                result.append(contentsOf: try transcript.run(line))
            }
        }
        return result.joined(separator: "\n")
    }

    private mutating func run(_ line: String) throws -> [String] {
        let words = line.split(separator: " ").map(String.init)
        guard let command = words.first else { throw SyntaxError(line: line) }
        let arguments = Array(words.dropFirst())
        cluster.trace = []
        var printed: [String] = []
        do {
            printed = try perform(command, arguments, line: line)
        } catch let refusal as ProposalRefused {
            printed = ["  refused: \(refusal)"]
        } catch let violation as ProtocolViolation {
            printed = ["  violation: \(violation)"]
        }
        let output = cluster.trace + printed
        return output.isEmpty ? ["  ok"] : output
    }

    private mutating func perform(_ command: String, _ arguments: [String], line: String) throws -> [String] {
        let numbers = arguments.compactMap { RaftID($0) }
        switch command {
        case "add-nodes":
            cluster = try TestCluster(
                voters: Array(1...(try first(numbers, line))),
                configuration: RaftConfiguration(
                    electionTicks: 10, heartbeatTicks: 2, usesLeases: arguments.contains("leases")))
        case "join":
            try cluster.add(numbers, membership: Membership())
        case "stabilize":
            try cluster.stabilize(numbers.isEmpty ? nil : numbers)
        case "drop":
            try cluster.drop(from: numbers.first, to: numbers.dropFirst().first)
        case "cut":
            if numbers.count == 1 { cluster.isolate(numbers[0]) } else { cluster.cut(numbers[0], numbers[1]) }
        case "heal":
            cluster.cuts = []
        case "network":
            return cluster.network.map { "  " + Format.message($0.message) }
        default:
            return try performOnServer(command, try first(numbers, line), arguments, line: line)
        }
        return []
    }

    private mutating func performOnServer(
        _ command: String, _ id: RaftID, _ arguments: [String], line: String
    ) throws -> [String] {
        let numbers = arguments.compactMap { RaftID($0) }
        let second = numbers.dropFirst().first
        switch command {
        case "campaign": try cluster.with(id) { $0.node.campaign() }
        case "tick": try cluster.tick(id, times: Int(second ?? 1))
        case "process": try cluster.process(id)
        case "persist": try cluster.with(id) { $0.persist(Int(second ?? 1)) }
        case "apply": return [("  applied " + Format.entries(try cluster.with(id) { $0.apply() }))]
        case "deliver": try cluster.deliver(id, from: second)
        case "crash": try cluster.crash(id, survivors: Int(second ?? 0))
        case "propose":
            let batch = arguments.dropFirst().map { Array($0.utf8) }
            let proposed = try cluster.with(id) { try $0.node.propose(batch) }
            return ["  term=\(proposed.term) indices=\(proposed.indices.lowerBound)..<\(proposed.indices.upperBound)"]
        case "add-learner": try propose(.addLearner(try required(second, line)), on: id)
        case "add-voter": try propose(.addVoter(try required(second, line)), on: id)
        case "remove": try propose(.remove(try required(second, line)), on: id)
        case "change":
            let changes = try arguments.dropFirst().map { try change($0, line) }
            _ = try cluster.with(id) { try $0.node.proposeMembership(changes) }
        case "suspend":
            let milliseconds = Int(try required(second, line))
            try cluster.with(id) { $0.clock.boottime += milliseconds }
        case "lease-read":
            reads += 1
            let context = reads
            let isLeased = try cluster.with(id) {
                try $0.node.readByLease(context: context, clock: $0.clockReading)
            }
            return ["  context=\(context) \(isLeased ? "by lease" : "by a round")"]
        case "transfer":
            let transferee = try required(second, line)
            try cluster.with(id) { try $0.node.transferLeadership(to: transferee) }
        case "read":
            reads += 1
            let context = reads
            try cluster.with(id) { try $0.node.readIndex(context: context) }
            return ["  context=\(context)"]
        case "compact": try cluster.with(id) { $0.compact(trailing: second ?? 0) }
        case "unreachable":
            let peer = try required(second, line)
            try cluster.with(id) { $0.node.onUnreachable(peer) }
        case "status": return [try describe(id)]
        case "log": return ["  \(try cluster.log(id))"]
        default: throw SyntaxError(line: line)
        }
        return []
    }

    private mutating func propose(_ change: MembershipChange, on id: RaftID) throws {
        _ = try cluster.with(id) { try $0.node.proposeMembership(change) }
    }

    /// `+4` a voter, `~4` a learner, `-4` gone.
    private func change(_ word: String, _ line: String) throws -> MembershipChange {
        let id = try required(RaftID(word.dropFirst()), line)
        switch word.first {
        case "+": return .addVoter(id)
        case "~": return .addLearner(id)
        case "-": return .remove(id)
        default: throw SyntaxError(line: line)
        }
    }

    private func describe(_ id: RaftID) throws -> String {
        let node = try cluster[id].node
        return "  \(Format.status(node.status)) commit=\(node.commitIndex) applied=\(node.appliedIndex) "
            + "log=\(node.firstIndex)...\(node.lastIndex) \(Format.membership(node.membership))"
    }

    private func first(_ numbers: [RaftID], _ line: String) throws -> RaftID { try required(numbers.first, line) }

    private func required(_ number: RaftID?, _ line: String) throws -> RaftID {
        guard let number else { throw SyntaxError(line: line) }
        return number
    }
}
