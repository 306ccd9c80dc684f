import ClusterModel
import ClusterState
import Consensus
import Orchestration
import Primitives

/// What operators want of the managers: one such wish at a time, of several nodes at once.
struct RoleChange {
    /// What the nodes' specs are to say.
    var wanted: [(machine: ManagerMachine, role: NodeRole)] = []
    /// Whoever is to be a worker stays a manager until the others have begun.
    var isCareful = false
    /// A machine whose disk is lost.
    var lost: ManagerMachine?
}

/// The way from the nodes' specs to Raft's members, in runs without other changes of the members. Operators change specs and
/// disks are lost; `RolePlan` on the leader and the nodes themselves do the rest.
extension Simulation {
    private static let interval: Microseconds = 50_000
    /// Nodes above it are managers' machines; they run no tasks.
    private static let firstMachine = 10_000

    func planRoles() {
        guard options.replacements > 0 else { return }
        let others = [SimulatedManager?](repeating: nil, count: options.spareMachines)
        machines = (managers.map(Optional.some) + others).enumerated().map { number, manager in
            ManagerMachine(Self.nodeID(Self.firstMachine + number), manager: manager)
        }
        lookAtRoles()
    }

    func isMachine(_ id: NodeID) -> Bool { id >= Self.nodeID(Self.firstMachine) }

    private func lookAtRoles() {
        scheduler.after(Self.interval) { [self] in
            if let leader, let roles = leader.roles, leader.pausedUntil <= now, foundNodes(through: leader) {
                for machine in machines { try follow(machine, leader) }
                advance(roles, leader)
                try operate()
            }
            lookAtRoles()
        }
    }

    /// Drained, and down: no loop has to do with them.
    private func foundNodes(through leader: ManagerProcess) -> Bool {
        let missing = machines.filter { leader.tables.nodes[$0.node] == nil }
        if missing.isEmpty { return true }
        propose(
            missing.map { machine in
                let role: NodeRole = machine.manager == nil ? .worker : .manager
                return .create(
                    .node(
                        Node(
                            id: machine.node, spec: NodeSpec(role: role, availability: .drain),
                            status: NodeStatus(state: .down), manager: machine.manager.map { Self.status(of: $0.id) })))
            }, through: leader)
        return false
    }

    private static func status(of member: RaftID) -> ManagerStatus {
        ManagerStatus(raftID: member, address: "192.0.2.\(member):2377")
    }

    // MARK: The nodes

    /// What a node does about what it is to be, as `MembershipKeeper` and `IdentityService` do.
    private func follow(_ machine: ManagerMachine, _ leader: ManagerProcess) throws {
        guard let node = leader.tables.nodes[machine.node] else { return }
        if let lost = machine.lost {
            leader.roles?.isPaused = node.manager?.raftID == lost
            if node.manager?.raftID == lost { replaceMember(lost, of: node, leader) } else { machine.lost = nil }
        } else if node.spec.role == .manager {
            guard machine.manager == nil || machine.manager?.id != node.manager?.raftID else { return }
            guard let member = node.manager?.raftID else { return become(newManagerID(), node, leader) }
            guard leader.node.membership.contains(member) else {
                return leader.push(.changeMembership([.addLearner(member)], from: leader.node.membership))
            }
            guard machine.isNew(member) else { return }
            if let former = machine.manager {
                // Promoted again before it noticed that Raft had gone on without it. It does so in a while.
                guard isCalm || chance.percent(20) else { return }
                coverage.note(.promotedAgainAtOnce)
                machine.wipe()
                retire(former)
            }
            trace("node \(machine.node.value) is a manager now: \(member)")
            machine.begin(try addManager(member, founders: []))
        } else if node.manager == nil, let manager = machine.manager, isCalm || chance.percent(20) {
            // It may have gone on for a while as a member that it is no more.
            trace("manager \(manager.id) is a worker now")
            machine.wipe()
            retire(manager)
        }
    }

    private func replaceMember(_ lost: RaftID, of node: Node, _ leader: ManagerProcess) {
        let plan = leader.rolePlan
        if plan.membership.contains(lost) {
            guard plan.refusal(without: lost) == nil else { return }
            leader.push(.changeMembership([.remove(lost)], from: plan.membership))
        } else if node.spec.role == .manager {
            become(newManagerID(), node, leader)
        }
    }

    private func become(_ member: RaftID, _ node: Node, _ leader: ManagerProcess) {
        var node = node
        node.manager = Self.status(of: member)
        propose([.update(.node(node), bySpec: false)], through: leader)
    }

    // MARK: Operators

    private func operate() throws {
        guard roleChange == nil else { return }
        if isCalm {
            guard calmRoleChanges > 0 else { return }
            calmRoleChanges -= 1
            changeSpecs()
        } else if chance.perMinute(options.replacements, every: Self.interval) {
            if chance.percent(40), let manager = chance.pick(managers) {
                try loseDisk(of: manager)
            } else {
                changeSpecs()
            }
        }
    }

    /// False where the certainty that what was committed is still there, or the quorum, would go with it.
    @discardableResult
    func loseDisk(of manager: SimulatedManager) throws -> Bool {
        guard roleChange == nil, let leader, isSettled(leader), leader.node.membership.voters.count >= 3,
            let machine = machines.first(where: { $0.manager === manager })
        else { return false }
        trace("manager \(manager.id) loses its disk")
        coverage.note(.diskLost)
        roleChange = RoleChange(lost: machine)
        machine.lost = manager.id
        machine.wipe()
        retire(manager)
        return true
    }

    /// Some managers are to be workers, some workers managers.
    private func changeSpecs() {
        guard let leader, isSettled(leader) else { return }
        let managers = machines.filter { $0.manager != nil }.shuffled(using: &chance.random)
        let workers = machines.filter { $0.manager == nil }.shuffled(using: &chance.random)
        let going = managers.prefix(chance.pick(0...min(2, managers.count - 1)))
        let coming = workers.prefix(chance.pick(0...min(2, workers.count)))
        guard !going.isEmpty || !coming.isEmpty else { return }
        trace("to be workers: \(going.map(\.node.value)), to be managers: \(coming.map(\.node.value))")
        roleChange = RoleChange(
            wanted: coming.map { ($0, NodeRole.manager) } + going.map { ($0, NodeRole.worker) },
            isCareful: chance.percent(50))
    }

    /// Each spec is asked for, one after the other, until it says so: it may be refused or lost.
    private func advance(_ roles: RoleKeeper, _ leader: ManagerProcess) {
        takeDemotionsBack(leader)
        guard let change = roleChange else { return }
        let open = change.wanted.filter { leader.tables.nodes[$0.machine.node]?.spec.role != $0.role }
        if open.isEmpty {
            if isSettled(leader) { end(change) }
            return
        }
        let haveBegun = change.wanted.allSatisfy { $0.role == .worker || $0.machine.manager != nil }
        guard let next = open.first(where: { $0.role == .manager || haveBegun || !change.isCareful }),
            var node = leader.tables.nodes[next.machine.node]
        else { return }
        node.spec.role = next.role
        let transaction = Transaction([.update(.node(node), bySpec: true)], time: wallClock(of: leader.id))
        let isRefused = roles.propose(transaction) { [self] in
            // The next one follows at once, as with several nodes in one command.
            scheduler.after(chance.pick(100...20_000)) { [self] in
                if self.leader === leader, leader.roles === roles { advance(roles, leader) }
            }
        }
        // Whoever waits for a sign of life of the others gives up in the end.
        if isRefused, chance.percent(20) { roleChange?.wanted.removeAll { $0.machine === next.machine } }
    }

    /// Somebody thinks better of it, when Raft may already go on without the manager, and its node may not know.
    private func takeDemotionsBack(_ leader: ManagerProcess) {
        for (index, wish) in (roleChange?.wanted ?? []).enumerated() where wish.role == .worker {
            guard let node = leader.tables.nodes[wish.machine.node], node.spec.role == .worker,
                wish.machine.manager != nil, chance.percent(5)
            else { continue }
            trace("node \(node.id.value) is to be a manager after all")
            if !leader.node.membership.isVoter(node.manager?.raftID ?? 0) { coverage.note(.removalTakenBack) }
            roleChange?.wanted[index].role = .manager
        }
    }

    private func end(_ change: RoleChange) {
        trace("the managers are as they are to be")
        roleChange = nil
        if change.lost != nil { coverage.note(.lostManagerReplaced) }
        for (machine, role) in change.wanted {
            if role == .manager, machine.wasDemoted { coverage.note(.managerDemotedAndPromoted) }
            if role == .worker { machine.wasDemoted = true }
        }
    }

    /// Whether nothing more is to be done about the managers.
    var rolesAreSettled: Bool {
        guard !machines.isEmpty else { return true }
        return calmRoleChanges == 0 && roleChange == nil && leader.map(isSettled) ?? false
    }

    /// Whether Raft's members, the machines and the specs agree.
    func isSettled(_ leader: ManagerProcess) -> Bool {
        let membership = leader.node.membership
        guard membership == self.membership, !membership.isJoint, membership.learners.isEmpty else { return false }
        var members: Set<RaftID> = []
        for machine in machines {
            guard let node = leader.tables.nodes[machine.node], node.manager?.raftID == machine.manager?.id,
                machine.lost == nil, (node.spec.role == .manager) == (machine.manager != nil)
            else { return false }
            if let manager = machine.manager { members.insert(manager.id) }
        }
        return members == Set(membership.voters)
    }
}
