import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import Orchestration

/// Makes Raft's members what the nodes' specs say while its manager leads, as `Manager.keepRoles` does on real machines: the
/// plan is the product's own.
final class RoleKeeper {
    private static let tick: Microseconds = 100_000

    private unowned let world: Simulation
    private let process: ManagerProcess
    let term: Term
    private var isOver = false
    private var pace = RolePace()
    /// While a manager that lost its log becomes another member: the plan would take the lost one back.
    var isPaused = false
    /// A step is under way.
    private var isWaiting = false
    /// A change that takes managers out is on its way: the next one is judged on what it left.
    private var isChangingRoles = false

    init(_ process: ManagerProcess, term: Term, in world: Simulation) {
        self.process = process
        self.term = term
        self.world = world
    }

    func start() {
        if isOver { return }
        if process.pausedUntil <= world.now, !isWaiting {
            let plan = process.rolePlan
            if let step = pace.next(of: isPaused ? nil : plan) { perform(step, of: plan) }
        }
        world.scheduler.after(Self.tick) { [self] in start() }
    }

    func end() { isOver = true }

    private func perform(_ step: RolePlan.Step, of plan: RolePlan) {
        switch step {
        case .handOver(let successor):
            world.trace("manager \(process.id) is to be a worker: \(successor) is to lead")
            world.coverage.note(.leaderGaveWay)
            process.push(.transferLeadership(to: successor))
        case .change(let changes):
            isWaiting = true
            process.push(.changeMembership(changes, from: plan.membership) { [self] in isWaiting = false })
        case .retire(let id):
            guard var node = process.tables.nodes[id] else { return }
            node.manager = nil
            isWaiting = true
            let transaction = Transaction([.update(.node(node), bySpec: false)], time: world.wallClock(of: process.id))
            process.push(
                .propose(transaction.encoded()) { [self] outcome in
                    isWaiting = false
                    if case .applied = outcome { world.coverage.note(.nodeRetired) }
                })
        }
    }

    /// What people ask for, judged before it is proposed.
    ///
    /// - Parameter completion: called when it is answered.
    /// - Returns: whether it was refused: the managers could not do without those that it takes out.
    func propose(_ transaction: Transaction, _ completion: @escaping () -> Void) -> Bool {
        let concernsRoles = RolePlan.concerns(transaction, process.tables.roster)
        if concernsRoles {
            if isChangingRoles { return false }
            if process.rolePlan.refusal(of: transaction) != nil {
                world.coverage.note(.demotionRefused)
                return true
            }
            isChangingRoles = true
        }
        process.push(
            .propose(transaction.encoded()) { [self] _ in
                if concernsRoles { isChangingRoles = false }
                completion()
            })
        return false
    }
}
