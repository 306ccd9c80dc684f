import Glibc
import LaunchProtocol
import LinuxSystem

/// The process that runs another program in a running container.
///
/// It enters the container and forks once more, because only children are in a pid namespace that was entered. The
/// parent half stays outside that namespace, passes the exit status on, and takes the program with it when it is killed.
enum ExecStage {
    static func run(
        _ request: ExecRequest, _ configuration: LaunchConfiguration, target: borrowing OwnedDescriptor,
        channel: borrowing MessageSocket, output: borrowing OwnedDescriptor
    ) -> Never {
        CurrentProcess.setName("swarm-exec")
        do throws(LaunchFailure) {
            try enter(configuration, target)
            try during("descriptors") { () throws(Errno) in
                try Stage.takeDescriptors(channel: channel, output: output, error: output)
            }
        } catch {
            try? channel.send(StageMessage.failed(error).versionedBytes)
            _exit(error.exitCode)
        }
        // From here on the channel has its new number, and the old one may be anything.
        let failure: LaunchFailure
        do throws(LaunchFailure) {
            try during("open", "/dev/null") { () throws(Errno) in
                try NullDevice.ofCurrentRoot().becomeStandardInput()
            }
            try during("fork") { () throws(Errno) in try ChildProcess.becomeChild { child in waitFor(child) } }
            // As the container's own program: the supervisor and the half that waits are not in its process group.
            try during("setsid") { () throws(Errno) in try CurrentProcess.startSession() }
            failure = perform(request, configuration)
        } catch {
            failure = error
        }
        let channel = StageChannel(MessageSocket(OwnedDescriptor(adopting: Stage.channelDescriptor)))
        try? channel.send(.failed(failure))
        _exit(failure.exitCode)
    }

    private static func enter(
        _ configuration: LaunchConfiguration, _ target: borrowing OwnedDescriptor
    ) throws(LaunchFailure) {
        let adjustment = configuration.process.outOfMemoryScoreAdjustment
        try during("oom_score_adj", "\(adjustment)") { () throws(Errno) in
            try File.writeValue("/proc/self/oom_score_adj", "\(adjustment)")
        }
        for folder in configuration.cgroups.legacy.map(\.value) + [configuration.cgroups.unified].compactMap({ $0 }) {
            try during("enter cgroup", folder) { () throws(Errno) in
                try File.writeValue(folder + "/cgroup.procs", "0")
            }
        }
        try during("setns") { () throws(Errno) in
            try Namespaces([.cgroup, .hostname, .interProcess, .network, .process, .mount]).enter(target)
        }
    }

    /// Returns only to say what failed.
    private static func perform(_ request: ExecRequest, _ configuration: LaunchConfiguration) -> LaunchFailure {
        var process = configuration.process
        process.arguments = request.arguments
        let replaced = Set(request.environment.map { $0.prefix { $0 != "=" } })
        process.environment.removeAll { replaced.contains($0.prefix { $0 != "=" }) }
        process.environment += request.environment
        process.user = request.user ?? process.user
        process.workingDirectory = request.workingDirectory ?? process.workingDirectory
        let start = ProgramStart(process: process)
        do throws(LaunchFailure) {
            let environment = start.environment()
            try start.confine()
            return start.execute(environment)
        } catch {
            return error
        }
    }

    private static func waitFor(_ child: Int32) -> Never {
        // So that the ends of the pipe and the channel are the program's alone.
        try? CurrentProcess.closeDescriptors(from: 0)
        let end = try? ChildProcess.wait(child)
        _exit(end?.exitCode ?? LaunchFailure.runtimeFailed)
    }
}
