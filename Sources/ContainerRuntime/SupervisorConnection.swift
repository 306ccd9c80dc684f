import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives
import Synchronization

/// The daemon's end of one supervisor's control socket: requests, their answers, and how the container ended.
final class SupervisorConnection: Sendable {
    /// What came back, with descriptors that the caller owns.
    struct Answer: Sendable {
        var reply: ControlReply
        var descriptors: [Int32]
    }

    /// How it turned out, once the supervisor is gone.
    enum Outcome: Sendable {
        case exited(ExitRecord)
        /// The supervisor ended without a record: it was killed, or the disk was full.
        case lost
    }

    private struct Pending {
        var continuation: CheckedContinuation<Answer, any Error>
        var deadline: Instant
        var what: String
    }

    private struct State {
        var nextNumber: UInt32 = 1
        var pending: [UInt32: Pending] = [:]
        /// A word of the supervisor that nobody waited for yet.
        var early: ControlReply?
        var outcome: Outcome?
        var waiters: [UInt64: CheckedContinuation<Outcome, any Error>] = [:]
        var nextWaiter: UInt64 = 1
        var wake: (@Sendable () -> Void)?
    }

    let socket: MessageSocket
    private let id: String
    private let stateFolder: String
    private let state = Mutex(State())

    init(_ socket: consuming MessageSocket, id: String, stateFolder: String) {
        self.socket = socket
        self.id = id
        self.stateFolder = stateFolder
    }

    func whenRequesting(_ wake: @escaping @Sendable () -> Void) {
        state.withLock { $0.wake = wake }
    }

    // MARK: For callers

    /// Sends a request and waits for its answer; a refusal is thrown.
    func request(
        _ body: ControlRequest, what: String, descriptors: [Int32] = [], timeout: Duration = Limits.requestTimeout
    ) async throws -> Answer {
        let answer = try await withCheckedThrowingContinuation { continuation in
            submit(body, what, descriptors, timeout, continuation)
        }
        if case .failed(let failure) = answer.reply { throw failure }
        return answer
    }

    private func submit(
        _ body: ControlRequest, _ what: String, _ descriptors: [Int32], _ timeout: Duration,
        _ continuation: CheckedContinuation<Answer, any Error>
    ) {
        let number: UInt32? = state.withLock { state in
            if state.outcome != nil { return nil }
            let number = state.nextNumber
            state.nextNumber = number == .max ? 1 : number + 1
            state.pending[number] = Pending(
                continuation: continuation, deadline: Clock.now + timeout, what: what)
            return number
        }
        guard let number else { return continuation.resume(throwing: hasEnded(what)) }
        do throws(Errno) {
            let message = ControlMessage(number: number, body: body).versionedBytes
            guard message.count <= LaunchProtocol.Limits.messageBytesMax else { throw .messageTooLong }
            try socket.send(message, descriptors: descriptors, waits: false)
        } catch {
            let failure = Failure(.unavailable, "cannot \(what): the supervisor of container \(id) says \(error)")
            // Its end may have been noticed first, and the caller been told.
            state.withLock { $0.pending.removeValue(forKey: number) }?.continuation.resume(throwing: failure)
        }
        state.withLock { $0.wake }?()
    }

    /// Waits for the supervisor's first word: created, or why not.
    func firstWord(timeout: Duration) async throws -> ControlReply {
        let what = "create the container"
        return try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Answer, any Error>) in
            let known: Result<Answer, any Error>? = state.withLock { state in
                if let early = state.early { return .success(Answer(reply: early, descriptors: [])) }
                if state.outcome != nil { return .failure(hasEnded(what)) }
                state.pending[0] = Pending(continuation: continuation, deadline: Clock.now + timeout, what: what)
                return nil
            }
            if let known { return continuation.resume(with: known) }
            state.withLock { $0.wake }?()
        }.reply
    }

    /// Waits for the end; throws only when the waiting task is cancelled.
    func outcome() async throws -> Outcome {
        let token = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let known: Result<Outcome, any Error>? = state.withLock { state in
                    if let outcome = state.outcome { return .success(outcome) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiters[token] = continuation
                    return nil
                }
                if let known { continuation.resume(with: known) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: token) }
            waiter?.resume(throwing: CancellationError())
        }
    }

    private func hasEnded(_ what: String) -> Failure {
        Failure(.failedPrecondition, "cannot \(what): container \(id) has ended")
    }

    // MARK: For the reactor

    var hasDeadline: Bool { state.withLock { !$0.pending.isEmpty } }

    func expire(_ now: Instant) {
        let overdue = state.withLock { state in
            let numbers = state.pending.filter { $0.value.deadline <= now }.keys.sorted()
            return numbers.compactMap { state.pending.removeValue(forKey: $0) }
        }
        for request in overdue {
            request.continuation.resume(
                throwing: Failure(
                    .deadlineExceeded, "cannot \(request.what): the supervisor of container \(id) does not answer"))
        }
    }

    /// Takes one message; false when there will be no more.
    func read() -> Bool {
        let message: MessageSocket.Message?
        do throws(Errno) {
            message = try socket.receive(maximumBytes: LaunchProtocol.Limits.messageBytesMax, waits: false)
        } catch {
            return error == .tryAgain
        }
        guard let message else { return false }
        guard let decoded = try? ControlMessage<ControlReply>(versionedBytes: message.bytes) else {
            for descriptor in message.descriptors { close(descriptor) }
            return true
        }
        if case .exited(let record) = decoded.body { finish(.exited(record)) }
        let pending = state.withLock { state in
            if decoded.number == 0, state.pending[0] == nil { state.early = state.early ?? decoded.body }
            return state.pending.removeValue(forKey: decoded.number)
        }
        if let pending {
            pending.continuation.resume(returning: Answer(reply: decoded.body, descriptors: message.descriptors))
        } else {
            for descriptor in message.descriptors { close(descriptor) }
        }
        return true
    }

    /// The supervisor is gone: its record says how, or nothing does.
    func ended() {
        let record = ContainerRecords.readExit(stateFolder)
        finish(record.map(Outcome.exited) ?? .lost)
        let pending = state.withLock { state in
            defer { state.pending = [:] }
            return state.pending.sorted { $0.key < $1.key }.map(\.value)
        }
        for request in pending { request.continuation.resume(throwing: hasEnded(request.what)) }
    }

    private func finish(_ outcome: Outcome) {
        let waiters = state.withLock { state in
            if state.outcome == nil { state.outcome = outcome }
            defer { state.waiters = [:] }
            return state.waiters.sorted { $0.key < $1.key }.map(\.value)
        }
        for waiter in waiters { waiter.resume(returning: outcome) }
    }
}

/// The records that a supervisor leaves in a container's folder.
enum ContainerRecords {
    static func readExit(_ folder: String) -> ExitRecord? {
        read(folder + "/" + ExitRecord.fileName).flatMap { try? ExitRecord(versionedBytes: $0) }
    }

    static func readState(_ folder: String) -> StateRecord? {
        read(folder + "/" + StateRecord.fileName).flatMap { try? StateRecord(versionedBytes: $0) }
    }

    private static func read(_ path: String) -> [UInt8]? {
        try? File.read(path, maximumBytes: LaunchProtocol.Limits.recordBytesMax)
    }
}
