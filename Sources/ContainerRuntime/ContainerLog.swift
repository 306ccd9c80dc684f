import LinuxSystem
public import Primitives
import Synchronization

/// What a container wrote, read from its json-file log and the rotated files beside it.
public struct ContainerLog: Sendable {
    private let path: String
    private let exitPath: String
    private let pool: BlockingPool

    init(path: String, exitPath: String, pool: BlockingPool) {
        self.path = path
        self.exitPath = exitPath
        self.pool = pool
    }

    /// The lines from the oldest on, read as they are asked for: memory stays bounded whatever the log's size.
    ///
    /// `tail`: only so many last lines. `since`: only lines at that time or later. `follow`: goes on as lines are written,
    /// until the container has ended or the task is cancelled; a rotation neither loses nor repeats a line.
    public func entries(tail: Int? = nil, since: Timestamp? = nil, follow: Bool = false) -> Entries {
        Entries(path: path, exitPath: exitPath, pool: pool, tail: tail, since: since, follow: follow)
    }

    public struct Entries: AsyncSequence, Sendable {
        public typealias Element = LogEntry

        let path: String
        let exitPath: String
        let pool: BlockingPool
        let tail: Int?
        let since: Timestamp?
        let follow: Bool

        public func makeAsyncIterator() -> Iterator { Iterator(self) }
    }

    public struct Iterator: AsyncIteratorProtocol {
        private let entries: Entries
        private let reader: Reader
        private var batch: [LogEntry] = []
        private var position = 0
        private var hasEnded = false

        init(_ entries: Entries) {
            self.entries = entries
            reader = Reader(entries)
        }

        public mutating func next() async throws -> LogEntry? {
            while true {
                if position < batch.count {
                    let entry = batch[position]
                    position += 1
                    if let since = entries.since, entry.time < since { continue }
                    return entry
                }
                try Task.checkCancellation()
                batch = try await entries.pool.run { [reader] in reader.next() }
                position = 0
                if !batch.isEmpty { continue }
                if hasEnded || !entries.follow { return nil }
                // The record is written after the last line: one more look behind it finds them all.
                hasEnded = try await entries.pool.run { [exitPath = entries.exitPath] in File.exists(exitPath) }
                if !hasEnded { try await Task.sleep(for: Limits.logPollInterval) }
            }
        }
    }

    /// The cursor, opened on the first read.
    final class Reader: Sendable {
        private let entries: Entries
        private let cursor = Mutex<LogCursor?>(nil)

        init(_ entries: Entries) {
            self.entries = entries
        }

        func next() -> [LogEntry] {
            cursor.withLock { cursor in
                var current = cursor ?? LogCursor(path: entries.path, tail: entries.tail)
                defer { cursor = current }
                return current.next()
            }
        }
    }
}
