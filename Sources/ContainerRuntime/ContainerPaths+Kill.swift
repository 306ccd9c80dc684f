import LaunchProtocol
import LinuxSystem

/// Ending a container whose supervisor is gone or does not answer, by what is recorded of it. Blocks.
extension ContainerPaths {
    /// Kills everything in the container; a supervisor that was stopped goes on and records the end.
    func killContainer() {
        if let state = ContainerRecords.readState(stateFolder) {
            // An error is ESRCH: it has ended.
            try? ProcessIdentity(state.process).send(Signal.kill)
            try? ProcessIdentity(state.supervisor).send(Signal.proceed)
        }
        cgroup.killAll()
    }

    func killSupervisor() {
        guard let state = ContainerRecords.readState(stateFolder) else { return }
        try? ProcessIdentity(state.supervisor).send(Signal.kill)
    }
}

extension ProcessIdentity {
    init(_ recorded: RecordedProcess) {
        self.init(pid: recorded.pid, startTime: recorded.startTime)
    }
}
