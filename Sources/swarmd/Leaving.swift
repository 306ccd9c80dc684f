import ClusterMessages
import ClusterWire
import Consensus
import GRPCCore
import Logging
import ManagerNode
import Primitives
import WorkerNode

/// Takes leave of the managers: Raft goes on without this node, and it is down at once.
struct Leaving {
    let runtime: NodeRuntime
    let isForced: Bool
    let log: Logger

    /// For the managers to let the node go; then it goes all the same.
    private static let patience = Duration.seconds(20)
    /// For one of them to answer.
    private static let answerTimeout = Duration.seconds(5)
    /// Between two questions.
    private static let pause = Duration.milliseconds(100)

    /// - Throws: ``Failure`` `failedPrecondition` where the cluster cannot do without this manager, or force is needed.
    func run() async throws {
        if let manager = runtime.manager {
            let voters = manager.membership.voters
            let isLast = voters == [runtime.membership.raftID]
            if !isForced { throw refusal(isLast, voters.count) }
            if isLast {
                log.notice("the last manager leaves: the cluster's state goes with it")
                return
            }
        }
        if await runtime.keeper.isFenced {
            log.notice("this copy of node \(runtime.id) goes without a word to the managers: the node itself stays")
            return
        }
        await runtime.keeper.pause()
        do {
            try await ask()
        } catch {
            await runtime.keeper.resume()
            throw error
        }
    }

    private func refusal(_ isLast: Bool, _ managers: Int) -> Failure {
        let loss =
            isLast
            ? "Removing the last manager erases all current state of the swarm"
            : "Removing this node leaves \(managers - 1) managers"
        return Failure(
            .failedPrecondition,
            "You are attempting to leave the swarm on a node that is participating as a manager. \(loss). Use `--force` "
                + "to leave all the same, or demote the node first")
    }

    private func ask() async throws {
        var problem = "no manager is known"
        var hint = runtime.manager?.leaderAddress
        var turn = 0
        let clock = ContinuousClock()
        let deadline = clock.now + Leaving.patience
        while clock.now < deadline {
            let known = await runtime.worker.managers
            guard let address = hint ?? (known.isEmpty ? nil : known[turn % known.count]) else { break }
            hint = nil
            turn += 1
            do {
                let answer = try await leave(at: address)
                if answer.isGone { return }
                if answer.hasNotLeader {
                    problem = "\(address) does not lead"
                    hint = answer.notLeader.leaderAddress.isEmpty ? nil : answer.notLeader.leaderAddress
                } else {
                    problem = "\(address) has not let it go yet"
                    hint = address
                }
            } catch let error as RPCError {
                if error.code == .failedPrecondition { throw error.failure }
                // Removed before.
                if error.code == .unauthenticated { return }
                problem = "\(address): \(error.message)"
            }
            try await Task.sleep(for: Leaving.pause)
        }
        log.warning(
            "this node leaves without a manager's knowledge: \(problem); remove it there with `swarmctl node rm`")
    }

    private func leave(at address: String) async throws -> WireLeaveAnswer {
        var options = CallOptions.defaults
        options.timeout = Leaving.answerTimeout
        options.waitForReady = false
        let client = WireControl.Client(wrapping: try runtime.connections.client(to: address))
        return try await client.leave(WireLeaveRequest(), options: options)
    }
}
