import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives

/// The `container-init` program: `container-init monitor` supervises one container.
///
/// It is started with /dev/null as descriptors 0–2, the launch configuration as 3 and a control socket as 4.
/// Single-threaded throughout: it forks without an exec behind it.
public enum ContainerInitProgram {
    static let configurationDescriptor: Int32 = 3
    static let controlDescriptor: Int32 = 4

    public static func run(_ arguments: [String]) -> Int32 {
        switch arguments.dropFirst().first {
        case "monitor":
            return monitor()
        case "--version":
            print("container-init, launch protocol \(LaunchProtocol.Limits.protocolVersion)")
            return 0
        default:
            print("container-init is started by swarmd; it has no use on its own")
            return 2
        }
    }

    private static func monitor() -> Int32 {
        do throws(LaunchFailure) {
            try during("detach") { () throws(Errno) in
                try CurrentProcess.closeDescriptors(from: UInt32(controlDescriptor) + 1)
                // The starter has made this the leader of a session; its child is not, so it can never get a terminal,
                // and the daemon that waits for the leader is not the parent of what goes on.
                try ChildProcess.becomeChild { _ in _exit(0) }
            }
        } catch {
            report(error, to: MessageSocket(OwnedDescriptor(adopting: controlDescriptor)))
            return 1
        }
        CurrentProcess.setName("swarm-monitor")
        let control = MessageSocket(OwnedDescriptor(adopting: controlDescriptor))
        let monitor: Monitor
        do throws(LaunchFailure) {
            let configuration = try readConfiguration()
            try settle(configuration)
            monitor = try Monitor(configuration)
        } catch {
            report(error, to: control)
            return 1
        }
        return monitor.run(control)
    }

    private static func readConfiguration() throws(LaunchFailure) -> LaunchConfiguration {
        let bytes = try during("read the launch configuration") { () throws(Errno) in
            try OwnedDescriptor(adopting: configurationDescriptor)
                .readAll(maximumBytes: LaunchProtocol.Limits.configurationBytesMax)
        }
        do throws(DecodeError) {
            return try LaunchConfiguration(versionedBytes: bytes)
        } catch {
            throw LaunchFailure(stage: "read the launch configuration", errno: EINVAL, reason: error.description)
        }
    }

    /// Leaves everything that belongs to the daemon: its folder, cgroups and chance to be killed.
    private static func settle(_ configuration: LaunchConfiguration) throws(LaunchFailure) {
        umask(0o022)
        chdir("/")
        for folder in configuration.cgroups.supervisor {
            try during("enter cgroup", folder) { () throws(Errno) in
                try File.writeValue(folder + "/cgroup.procs", "0")
            }
        }
        // Refused without CAP_SYS_RESOURCE: then the supervisor is as likely to be killed as anything.
        try? File.writeValue("/proc/self/oom_score_adj", "\(Limits.outOfMemoryScore)")
        // /proc/PID/exe and memory of this process stay closed to what runs in the container.
        try during("prctl") { () throws(Errno) in try CurrentProcess.setDumpable(false) }
    }

    private static func report(_ failure: LaunchFailure, to control: consuming MessageSocket) {
        let message = ControlMessage<ControlReply>(number: 0, body: .failed(failure))
        try? control.send(message.versionedBytes)
    }
}
