import Glibc
import Primitives
import Synchronization

/// What waits for the Raft thread. A pipe wakes it: a thread that also keeps time cannot wait on a lock.
final class InputQueue: Sendable {
    private struct State {
        var inputs: [RaftInput] = []
        /// The thread has ended: nobody would take what is pushed.
        var isClosed = false
    }

    private let state = Mutex(State())
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(.resourceExhausted, "no pipe for the Raft thread: errno \(errno)") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        Glibc.close(readEnd)
        Glibc.close(writeEnd)
    }

    /// False when the queue is full or closed: the input is not taken.
    func push(_ input: RaftInput) -> Bool {
        let (isTaken, wasEmpty) = state.withLock { state in
            guard !state.isClosed, state.inputs.count < ManagerLimits.inputs else { return (false, false) }
            state.inputs.append(input)
            return (true, state.inputs.count == 1)
        }
        if wasEmpty {
            var byte: UInt8 = 0
            // A full pipe wakes the thread as well.
            _ = write(writeEnd, &byte, 1)
        }
        return isTaken
    }

    /// Everything that waits, after at most so long.
    func take(timeout: Duration) -> [RaftInput] {
        var descriptor = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        if poll(&descriptor, 1, Int32(clamping: (timeout + .microseconds(999)).wholeMilliseconds)) > 0 {
            var buffer = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
            _ = withUnsafeMutableBytes(of: &buffer) { read(readEnd, $0.baseAddress, $0.count) }
        }
        return state.withLock { state in
            defer { state.inputs = [] }
            return state.inputs
        }
    }

    /// Takes nothing any more, and returns what nobody has taken.
    func close() -> [RaftInput] {
        state.withLock { state in
            state.isClosed = true
            defer { state.inputs = [] }
            return state.inputs
        }
    }
}
