import Assignments
import ClusterModel

/// One connection of an agent to the leader. Messages arrive in order or not at all: one that is lost breaks it.
final class AgentSession {
    let node: NodeID
    var id: SessionID?
    private(set) var isOpen = true
    private unowned let world: Simulation
    private weak var agent: SimulatedAgent?
    private let duties: LeaderDuties
    private var isStuck = false
    private var lastToAgent: Microseconds = 0
    private var lastToManager: Microseconds = 0

    init(_ agent: SimulatedAgent, with duties: LeaderDuties, in world: Simulation) {
        node = agent.id
        self.agent = agent
        self.duties = duties
        self.world = world
    }

    private func delay(after last: inout Microseconds) -> Microseconds {
        let most = world.isCalm ? 1_000 : world.options.delayMicroseconds
        last = max(last + 1, world.now + world.chance.pick(100...100 + most))
        return last - world.now
    }

    /// From the manager.
    func send(_ message: AssignmentMessage) {
        world.coverage.note(.assignmentsSent)
        world.scheduler.after(delay(after: &lastToAgent)) { [self] in
            guard isOpen, !isLost else { return }
            if isBroken { return breakUp() }
            agent?.take(message)
        }
    }

    /// From the agent.
    func submit(_ body: @escaping (LeaderDuties, SessionID) -> Void) {
        world.scheduler.after(delay(after: &lastToManager)) { [self] in
            guard isOpen, !isLost, let id else { return }
            if isBroken { return breakUp() }
            body(duties, id)
        }
    }

    /// Whether its link is cut: what is on its way does not arrive, nor does anything behind it, and after a while the agent
    /// gives up. The manager is not told.
    private var isLost: Bool {
        if isStuck { return true }
        guard let agent, agent.isParted(from: duties.manager) else { return false }
        isStuck = true
        world.scheduler.after(world.chance.pick(200_000...3_000_000)) { [self] in
            guard isOpen else { return }
            isOpen = false
            world.coverage.note(.agentSessionHalfOpen)
            self.agent?.sessionEnded(self)
        }
        return true
    }

    private var isBroken: Bool { !world.isCalm && world.chance.perMille(world.options.lossPerMille / 10) }

    /// The manager ends it.
    func close() {
        guard isOpen else { return }
        world.scheduler.after(delay(after: &lastToAgent)) { [self] in
            guard isOpen, !isLost else { return }
            isOpen = false
            agent?.sessionEnded(self)
        }
    }

    /// Both sides notice.
    func breakUp() {
        guard isOpen else { return }
        isOpen = false
        world.coverage.note(.agentSessionBroken)
        if let id, !isStuck { duties.disconnect(id) }
        agent?.sessionEnded(self)
    }
}
