import Glibc
import LaunchProtocol
import LinuxSystem

/// The process that becomes the container's first: it builds the container around itself, waits, and becomes the program.
///
/// Born in new mount, pid, uts, ipc and network namespaces, single-threaded, with copies of the supervisor's descriptors.
struct Stage: ~Copyable {
    private let configuration: LaunchConfiguration
    private let channel: StageChannel

    static let channelDescriptor: Int32 = 3

    /// `output` and `error` become descriptors 1 and 2; of the others only the channel stays.
    static func run(
        _ configuration: LaunchConfiguration, channel: borrowing MessageSocket, output: borrowing OwnedDescriptor,
        error: borrowing OwnedDescriptor
    ) -> Never {
        // A signal to process group 0 must not reach the supervisor: groups know no pid namespaces.
        guard (try? CurrentProcess.startSession()) != nil,
            (try? takeDescriptors(channel: channel, output: output, error: error)) != nil
        else {
            _exit(LaunchFailure.runtimeFailed)
        }
        let stage = Stage(
            configuration: configuration,
            channel: StageChannel(MessageSocket(OwnedDescriptor(adopting: channelDescriptor))))
        let failure = stage.perform()
        try? stage.channel.send(.failed(failure))
        _exit(failure.exitCode)
    }

    /// Puts the three where programs expect them, the channel behind them, and closes the rest.
    static func takeDescriptors(
        channel: borrowing MessageSocket, output: borrowing OwnedDescriptor, error: borrowing OwnedDescriptor
    ) throws(Errno) {
        let channel = try channel.descriptor.duplicate()
        let output = try output.duplicate()
        let error = try error.duplicate()
        // Numbers 0–3 are the supervisor's null device and nothing else, so no source is overwritten before its turn.
        try output.duplicate(onto: 1)
        try error.duplicate(onto: 2)
        if channel.number != channelDescriptor { try channel.duplicate(onto: channelDescriptor) }
        _ = channel.release()
        _ = output.release()
        _ = error.release()
        try CurrentProcess.closeDescriptors(from: UInt32(channelDescriptor) + 1)
        try CurrentProcess.closeDescriptorsOnExec(from: UInt32(channelDescriptor))
        CurrentProcess.resetSignals()
    }

    /// Returns only to say what failed.
    private func perform() -> LaunchFailure {
        do throws(LaunchFailure) {
            CurrentProcess.setName("swarm-stage")
            try prepare()
            try during("report") { () throws(Errno) in try channel.send(.ready) }
            // The end of the stream means that the supervisor is gone: nobody would watch what would be started.
            guard channel.receive() == .start else { _exit(LaunchFailure.runtimeFailed) }
            let start = ProgramStart(process: configuration.process)
            let environment = start.environment()
            try start.confine()
            if configuration.usesInit { try becomeInit() }
            return start.execute(environment)
        } catch {
            return error
        }
    }

    private func prepare() throws(LaunchFailure) {
        umask(0)
        try enterCgroups()
        let adjustment = configuration.process.outOfMemoryScoreAdjustment
        try during("oom_score_adj", "\(adjustment)") { () throws(Errno) in
            try File.writeValue("/proc/self/oom_score_adj", "\(adjustment)")
        }
        let nullDevice = try StageMounts(configuration).build()
        try during("use /dev/null") { () throws(Errno) in try nullDevice.becomeStandardInput() }
        try identify()
    }

    /// Into the groups first, out of their names second: /proc/self/cgroup then says `/`.
    private func enterCgroups() throws(LaunchFailure) {
        for folder in configuration.cgroups.legacy.map(\.value) + [configuration.cgroups.unified].compactMap({ $0 }) {
            try during("enter cgroup", folder) { () throws(Errno) in
                try File.writeValue(folder + "/cgroup.procs", "0")
            }
        }
        try during("unshare cgroup namespace") { () throws(Errno) in try Namespaces.cgroup.unshare() }
    }

    private func identify() throws(LaunchFailure) {
        if !configuration.hostname.isEmpty {
            try during("sethostname", configuration.hostname) { () throws(Errno) in
                try HostIdentity.setHostname(configuration.hostname)
            }
        }
        if !configuration.domainName.isEmpty {
            try during("setdomainname", configuration.domainName) { () throws(Errno) in
                try HostIdentity.setDomainName(configuration.domainName)
            }
        }
        try during("bring up lo") { () throws(Errno) in try Loopback.bringUp() }
    }

    /// The parent stays as pid 1; only the child returns. Both have the program's user, capabilities and filter.
    private func becomeInit() throws(LaunchFailure) {
        try during("fork init") { () throws(Errno) in
            try ChildProcess.becomeChild { child in Init.run(child: child) }
        }
    }
}
