import ClusterMessages
import ClusterWire
import GRPCCore
import Primitives
import SwiftProtobuf

/// Asks the managers for a new certificate.
struct RenewalCall {
    let connections: NodeConnections
    /// `HOST:PORT`: where the managers are to find this node.
    let advertisedAddress: String
    /// The one that leads, as far as this node knows.
    let leader: String?
    let managers: [String]

    /// For the leader to answer: it may have to wait for its turn in Raft.
    private static let answerTimeout = Duration.seconds(20)
    /// Managers asked in one attempt, redirections included.
    private static let askedManagers = 8

    /// - Throws: ``Failure`` `unavailable` naming what each of those that were asked has said; what keeps this node from asking.
    func run() async throws -> WireAdmission {
        var candidates = [leader].compactMap { $0 } + managers.shuffled()
        var problems: [String] = []
        for _ in 0..<RenewalCall.askedManagers where !candidates.isEmpty {
            let address = candidates.removeFirst()
            do {
                switch try await answer(of: address).answer {
                case .admission(let admission): return admission
                case .notLeader(let other):
                    problems.append("\(address) does not lead")
                    if !other.leaderAddress.isEmpty { candidates.insert(other.leaderAddress, at: 0) }
                case nil: problems.append("\(address) gave no answer")
                }
            } catch let error as RPCError {
                problems.append("\(address): \(connections.problem(at: address) ?? error.message)")
            }
        }
        throw Failure(.unavailable, "no manager gave one (\(problems.joined(separator: "; "))); it is tried again")
    }

    private func answer(of address: String) async throws -> WireJoinAnswer {
        var options = CallOptions.defaults
        options.timeout = RenewalCall.answerTimeout
        options.waitForReady = false
        let client = WireIdentity.Client(wrapping: try connections.client(to: address))
        return try await client.renew(.with { $0.advertisedAddress = advertisedAddress }, options: options)
    }
}
