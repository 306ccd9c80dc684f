import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives

/// Supervises one container: holds its pipes, writes its log, runs programs in it, and records how it ended.
///
/// One thread and one loop. A daemon may come, go, crash and come back: nothing here depends on it.
final class Monitor {
    enum Phase {
        case launching
        case created
        /// `start` was passed on; these clients wait for what comes of it.
        case starting([Waiter])
        case running
    }

    /// A request that is answered later.
    struct Waiter {
        var client: UInt64
        var number: UInt32
    }

    enum Token {
        static let signals: UInt64 = 1
        static let listener: UInt64 = 2
        static let output: UInt64 = 3
        static let error: UInt64 = 4
        static let stage: UInt64 = 5
        /// Above it: clients, and the output of execs.
        static let firstDynamic: UInt64 = 100
    }

    var configuration: LaunchConfiguration
    let events: EventQueue
    let signals: SignalQueue
    let listener: OwnedDescriptor
    var phase = Phase.launching
    var state: StateRecord?
    var startedAt: Timestamp?
    var failure: LaunchFailure?

    /// The container's first process, and the supervisor's ends of what leads to it.
    var process: Int32 = 0
    var processDescriptor: SharedDescriptor?
    var stage: MessageSocket?
    var output: OwnedDescriptor?
    var error: OwnedDescriptor?
    var outputLines = LineSplitter()
    var errorLines = LineSplitter()
    var log: JSONFileLog
    private var readBuffer = [UInt8](repeating: 0, count: Limits.pipeReadBytes)

    var clients: [UInt64: Client] = [:]
    var execs: [UInt64: Exec] = [:]
    var stored: [String: StoredDescriptors] = [:]
    var nextToken = Token.firstDynamic
    private var end: ProcessEnd?
    /// Nothing has happened since memory was given back.
    private var isTrimmed = false

    init(_ configuration: LaunchConfiguration) throws(LaunchFailure) {
        self.configuration = configuration
        events = try during("epoll") { () throws(Errno) in try EventQueue() }
        // The others end a process unless they are taken: a supervisor ends when its container has.
        signals = try during("signalfd") { () throws(Errno) in
            try SignalQueue([SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM])
        }
        log = try during("open log", configuration.log.path) { () throws(Errno) in
            try JSONFileLog(configuration.log)
        }
        listener = try during("listen", configuration.runFolder + "/" + Monitor.socketName) { () throws(Errno) in
            try File.remove(configuration.runFolder + "/" + Monitor.socketName)
            let folder = try File.open(configuration.runFolder, O_RDONLY | O_DIRECTORY)
            return try MessageSocket.listen(folder: folder, name: Monitor.socketName)
        }
        try during("epoll") { () throws(Errno) in
            try events.add(signals.descriptor, token: Token.signals)
            try events.add(listener, token: Token.listener)
        }
    }

    /// In the container's run folder.
    static let socketName = ControlSocket.fileName

    /// Runs until the container has ended and everybody who listens has been told.
    func run(_ first: consuming MessageSocket) -> Int32 {
        addClient(first)
        do throws(LaunchFailure) {
            try launch()
        } catch {
            failure = error
            return finish(.exited(code: error.exitCode))
        }
        while true {
            let ready = waitForEvents()
            for event in ready where event.token != Token.signals { handle(event) }
            log.flush()
            // Last: what a process wrote and said before it ended has been read by then.
            if ready.contains(where: { $0.token == Token.signals }) { handleSignals() }
            killOverdueExecs()
            if let end { return finish(end) }
        }
    }

    private func waitForEvents() -> [EventQueue.Event] {
        let deadline = nextDeadlineMilliseconds()
        if deadline == nil, !isTrimmed {
            let idle = Limits.idleMillisecondsBeforeTrim
            if let ready = try? events.wait(timeoutMilliseconds: idle), !ready.isEmpty { return ready }
            CurrentProcess.trimMemory()
            isTrimmed = true
        }
        let ready = (try? events.wait(timeoutMilliseconds: deadline)) ?? []
        isTrimmed = false
        return ready
    }

    private func launch() throws(LaunchFailure) {
        let pair = try during("socketpair") { () throws(Errno) in try MessageSocket.makePair() }
        let first = pair.first
        let second = pair.second
        let outputPipe = try during("pipe") { () throws(Errno) in try Pipe() }
        let outputReading = outputPipe.reading
        let outputWriting = outputPipe.writing
        let errorPipe = try during("pipe") { () throws(Errno) in try Pipe() }
        let errorReading = errorPipe.reading
        let errorWriting = errorPipe.writing
        let child = try during("clone3") { () throws(Errno) in
            let cgroup = try configuration.cgroups.unified.map { (path) throws(Errno) in
                try File.open(path, O_RDONLY | O_DIRECTORY).release()
            }
            defer { if let cgroup { close(cgroup) } }
            return try ChildProcess.fork(
                [.mount, .process, .hostname, .interProcess, .network], cgroup: cgroup ?? -1
            ) {
                Stage.run(configuration, channel: second, output: outputWriting, error: errorWriting)
            }
        }
        process = child.pid
        processDescriptor = SharedDescriptor(child.pidfd)
        // Only the stage needs them; here they would only be memory, and somewhere else for secrets to be.
        configuration.files = []
        try during("epoll") { () throws(Errno) in
            try events.add(first.descriptor, token: Token.stage)
            try events.add(outputReading, token: Token.output)
            try events.add(errorReading, token: Token.error)
            try outputReading.setNonBlocking()
            try errorReading.setNonBlocking()
        }
        stage = consume first
        output = consume outputReading
        error = consume errorReading
    }

    // MARK: Events

    private func handle(_ event: EventQueue.Event) {
        switch event.token {
        case Token.listener: acceptClients()
        case Token.output: output = readPipe(output.take(), .stdout, reads: 1)
        case Token.error: error = readPipe(error.take(), .stderr, reads: 1)
        case Token.stage: readStage()
        default:
            if clients[event.token] != nil {
                readClient(event.token)
            } else {
                readExec(event.token)
            }
        }
    }

    private func handleSignals() {
        while let signal = try? signals.next() {
            // Asked to end (the machine shuts down): the container is asked, its end is recorded as usual.
            if signal == SIGTERM, let processDescriptor { try? Signal.send(SIGTERM, to: processDescriptor.descriptor) }
        }
        while let (pid, ended) = ChildProcess.reap() {
            if pid == process { end = ended } else { finishExec(pid, ended) }
        }
    }

    /// Reads from a stream of the container; returns it unless it has ended.
    private func readPipe(
        _ pipe: consuming OwnedDescriptor?, _ stream: JSONFileLog.Stream, reads: Int
    ) -> OwnedDescriptor? {
        guard let pipe else { return nil }
        for _ in 0..<reads {
            let count: Int
            do throws(Errno) {
                count = try pipe.read(into: &readBuffer)
            } catch {
                return pipe
            }
            if count == 0 { return nil }
            record(readBuffer[..<count], stream)
        }
        return pipe
    }

    private func record(_ bytes: ArraySlice<UInt8>, _ stream: JSONFileLog.Stream) {
        let now = Clock.wallTime
        switch stream {
        case .stdout: outputLines.append(bytes) { log.append($0, endsLine: $1, .stdout, at: now) }
        case .stderr: errorLines.append(bytes) { log.append($0, endsLine: $1, .stderr, at: now) }
        }
    }

    // MARK: The stage's words

    private func readStage() {
        guard let channel = stage.take() else { return }
        let message: MessageSocket.Message?
        do throws(Errno) {
            message = try channel.receive(maximumBytes: LaunchProtocol.Limits.messageBytesMax, waits: false)
        } catch {
            if error == .tryAgain { stage = consume channel }
            return
        }
        guard let message else { return stageEnded() }
        stage = consume channel
        switch try? StageMessage(versionedBytes: message.bytes) {
        case .ready: becomeCreated()
        case .failed(let reason):
            failure = reason
            if case .starting(let waiters) = phase {
                for waiter in waiters { reply(.failed(reason), to: waiter) }
                phase = .starting([])
            }
        case .start, nil: break
        }
    }

    /// Its socket has been closed: by the exec that succeeded, or by an end that its exit status explains.
    private func stageEnded() {
        guard case .starting(let waiters) = phase, failure == nil else { return }
        phase = .running
        startedAt = Clock.wallTime
        for waiter in waiters { reply(.done, to: waiter) }
    }

    private func becomeCreated() {
        guard case .launching = phase else { return }
        do throws(LaunchFailure) {
            let path = configuration.stateFolder + "/" + StateRecord.fileName
            let record = try during("write", path) { () throws(Errno) in
                let own = try ProcessIdentity(ofProcess: CurrentProcess.pid)
                let container = try ProcessIdentity(ofProcess: process)
                let record = StateRecord(
                    id: configuration.id,
                    supervisor: RecordedProcess(pid: own.pid, startTime: own.startTime),
                    process: RecordedProcess(pid: container.pid, startTime: container.startTime),
                    runFolder: configuration.runFolder, createdAt: Clock.wallTime)
                // No container outlives the machine: a power cut may take its records.
                try File.replace(path, with: record.versionedBytes, isDurable: false)
                return record
            }
            state = record
            phase = .created
            broadcast(.created(record))
        } catch {
            // A container that no later daemon could find must not run.
            failure = error
            if let processDescriptor { try? Signal.send(SIGKILL, to: processDescriptor.descriptor) }
        }
    }

    // MARK: The end

    /// All processes of the container are gone by now: its pid namespace ended with its first process.
    private func finish(_ end: ProcessEnd) -> Int32 {
        readStage()
        output = readPipe(output.take(), .stdout, reads: Limits.drainReadsMax)
        error = readPipe(error.take(), .stderr, reads: Limits.drainReadsMax)
        let now = Clock.wallTime
        outputLines.finish { log.append($0, endsLine: $1, .stdout, at: now) }
        errorLines.finish { log.append($0, endsLine: $1, .stderr, at: now) }
        log.finish()
        if case .starting(let waiters) = phase {
            // Ended between its exec and the moment that this was noticed: it did start.
            if failure == nil { startedAt = now }
            for waiter in waiters { reply(failure.map(ControlReply.failed) ?? .done, to: waiter) }
        }
        var signal: Int32?
        if case .killed(let number) = end { signal = number }
        let record = ExitRecord(
            exitCode: failure?.exitCode ?? end.exitCode, signal: signal, wasOutOfMemory: outOfMemoryKills() > 0,
            startedAt: startedAt, finishedAt: now, failure: failure, lostLogLines: log.lostLines)
        for (_, exec) in execs.sorted(by: { $0.key < $1.key }) { abandon(exec) }
        var isRecorded = true
        do throws(Errno) {
            try File.replace(
                configuration.stateFolder + "/" + ExitRecord.fileName, with: record.versionedBytes, isDurable: false)
        } catch {
            isRecorded = false
        }
        broadcast(.exited(record))
        try? File.remove(configuration.runFolder + "/" + Monitor.socketName)
        return isRecorded ? 0 : 1
    }

    private func outOfMemoryKills() -> UInt64 {
        guard let path = configuration.cgroups.memoryEvents, let text = try? File.readText(path) else { return 0 }
        for line in text.split(separator: "\n") where line.hasPrefix("oom_kill ") {
            return UInt64(line.dropFirst(9)) ?? 0
        }
        return 0
    }
}
