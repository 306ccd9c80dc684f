import AgentCore
import ClusterModel
import Primitives

extension SimulatedAgent {
    func perform(_ directive: Agent.Directive) {
        switch directive {
        case .prepare(let task, _, _):
            later(5...300) { [self] in prepared(task) }
        case .cancelPreparation: break
        case .start(let id): later(5...100) { [self] in started(id) }
        case .probe(let id, _, _):
            later(5...50) { [self] in act { $0.onHealthResult(id, exitCode: 0, now: now, wallClock: wallClock) } }
        case .stop(let id, _, _): later(10...400) { [self] in stopped(id) }
        case .remove(let id): later(5...50) { [self] in removed(id) }
        case .save(let record): records[record.task.id] = record
        case .report(let id, let status): report(id, status)
        }
    }

    private func prepared(_ task: ClusterTask) {
        if task.spec.container.image == "missing" || isUnlucky {
            let failure = Failure(.notFound, "no such image: \(task.spec.container.image)")
            return act { $0.onPrepared(task.id, .failure(failure), now: now, wallClock: wallClock) }
        }
        containers[task.id] = Container(state: .created)
        let status = ContainerStatus(containerID: "\(task.id)")
        act { $0.onPrepared(task.id, .success(status), now: now, wallClock: wallClock) }
    }

    private func started(_ id: TaskID) {
        guard containers[id] != nil, !isUnlucky else {
            let failure = Failure(.internal, "the container does not start")
            return act { $0.onStarted(id, .failure(failure), now: now, wallClock: wallClock) }
        }
        containers[id]?.state = .running
        world.coverage.note(.containerStarted)
        let isBad = records[id]?.task.spec.container.image == "bad"
        act { $0.onStarted(id, .success(ContainerStatus(containerID: "\(id)")), now: now, wallClock: wallClock) }
        guard isBad || isUnlucky else { return }
        // Whether the daemon lives or not.
        world.scheduler.after(world.chance.pick(50...1_500) * 1000) { [self] in exited(id, code: isBad ? 1 : 0) }
    }

    private var isUnlucky: Bool { !world.isCalm && world.chance.perMille(world.options.taskFailuresPerMille) }

    private func exited(_ id: TaskID, code: Int32) {
        guard containers[id]?.state == .running else { return }
        world.coverage.note(.containerFailed)
        containers[id]?.state = .exited(code)
        act { $0.onExited(id, ContainerExit(code: code, finishedAt: wallClock), now: now, wallClock: wallClock) }
    }

    private func stopped(_ id: TaskID) {
        if isUnlucky {
            return act { agent in
                agent.onStopFailed(id, now: now); return []
            }
        }
        if containers[id] != nil { containers[id]?.state = .exited(143) }
        act { $0.onExited(id, ContainerExit(code: 143, finishedAt: wallClock), now: now, wallClock: wallClock) }
    }

    private func removed(_ id: TaskID) {
        if isUnlucky {
            return act { agent in
                agent.onRemovalFailed(id, now: now); return []
            }
        }
        containers[id] = nil
        records[id] = nil
        act { agent in
            agent.onRemoved(id); return []
        }
    }
}
