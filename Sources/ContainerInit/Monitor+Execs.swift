import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives

extension Monitor {
    /// A program that runs in the container beside its own.
    final class Exec {
        let waiter: Waiter
        let child: ForkedChild
        let channel: MessageSocket
        let deadline: Instant?
        let outputBytesMax: Int
        var pipe: OwnedDescriptor?
        var output: [UInt8] = []
        var wasCut = false
        var timedOut = false

        init(
            waiter: Waiter, child: consuming ForkedChild, channel: consuming MessageSocket,
            pipe: consuming OwnedDescriptor, request: ExecRequest
        ) {
            self.waiter = waiter
            self.child = child
            self.channel = channel
            self.pipe = consume pipe
            deadline =
                request.timeoutMilliseconds == 0
                ? nil : Clock.now + .milliseconds(Int64(request.timeoutMilliseconds))
            outputBytesMax = min(Int(request.outputBytesMax), LaunchProtocol.Limits.execOutputBytesMax)
        }
    }

    func startExec(_ request: ExecRequest, _ waiter: Waiter) {
        do throws(LaunchFailure) {
            guard case .running = phase else {
                throw LaunchFailure(stage: "exec", errno: ESRCH, reason: "the container is not running")
            }
            guard execs.count < Limits.concurrentExecsMax else {
                throw LaunchFailure(
                    stage: "exec", errno: EAGAIN, reason: "\(execs.count) programs are being run in it already")
            }
            try launchExec(request, waiter)
        } catch {
            reply(.failed(error), to: waiter)
        }
    }

    private func launchExec(_ request: ExecRequest, _ waiter: Waiter) throws(LaunchFailure) {
        let pair = try during("socketpair") { () throws(Errno) in try MessageSocket.makePair() }
        let near = pair.first
        let far = pair.second
        let pipe = try during("pipe") { () throws(Errno) in try Pipe() }
        let reading = pipe.reading
        let writing = pipe.writing
        try during("pipe") { () throws(Errno) in try reading.setNonBlocking() }
        let token = nextToken
        nextToken += 1
        try during("epoll") { () throws(Errno) in try events.add(reading, token: token) }
        guard let target = processDescriptor else { return }
        let child = try during("clone3") { () throws(Errno) in
            try ChildProcess.fork {
                ExecStage.run(request, configuration, target: target.descriptor, channel: far, output: writing)
            }
        }
        execs[token] = Exec(waiter: waiter, child: child, channel: near, pipe: reading, request: request)
    }

    func readExec(_ token: UInt64) {
        guard let exec = execs[token] else { return }
        collect(exec, reads: 1)
    }

    private func collect(_ exec: Exec, reads: Int) {
        for _ in 0..<reads {
            let bytes: [UInt8]
            do throws(Errno) {
                guard let pipe = exec.pipe.take() else { return }
                do throws(Errno) {
                    bytes = try pipe.read(upTo: Limits.pipeReadBytes)
                } catch {
                    exec.pipe = consume pipe
                    throw error
                }
                if bytes.isEmpty { return }
                exec.pipe = consume pipe
            } catch {
                return
            }
            let room = exec.outputBytesMax - exec.output.count
            exec.output += bytes.prefix(room)
            if bytes.count > room { exec.wasCut = true }
        }
    }

    /// A child that is not the container's process has ended.
    func finishExec(_ pid: Int32, _ end: ProcessEnd) {
        guard let (token, exec) = execs.first(where: { $0.value.child.pid == pid }) else { return }
        execs[token] = nil
        collect(exec, reads: Limits.drainReadsMax)
        if let message = try? exec.channel.receive(maximumBytes: LaunchProtocol.Limits.messageBytesMax, waits: false),
            case .failed(let failure) = try? StageMessage(versionedBytes: message.bytes)
        {
            return reply(.failed(failure), to: exec.waiter)
        }
        reply(
            .executed(
                ExecResult(
                    exitCode: end.exitCode, timedOut: exec.timedOut, output: exec.output, outputWasCut: exec.wasCut)),
            to: exec.waiter)
    }

    /// The container has ended, and with it what ran in it.
    func abandon(_ exec: Exec) {
        let failure = LaunchFailure(stage: "exec", errno: ESRCH, reason: "the container has ended")
        reply(.failed(failure), to: exec.waiter)
    }

    func nextDeadlineMilliseconds() -> Int32? {
        let deadlines = execs.values.compactMap { $0.timedOut ? nil : $0.deadline }
        guard let next = deadlines.min() else { return nil }
        // Rounded up: woken a moment too early, it would be woken again and again until the moment has come.
        return Int32(clamping: max(0, (next - Clock.now).wholeMilliseconds + 1))
    }

    func killOverdueExecs() {
        if execs.isEmpty { return }
        let now = Clock.now
        for exec in execs.values where !exec.timedOut {
            guard let deadline = exec.deadline, deadline <= now else { continue }
            exec.timedOut = true
            // The program dies with its parent, the exec stage.
            try? Signal.send(SIGKILL, to: exec.child.pidfd)
        }
    }
}
