import ContainerRuntime

/// A task's lines, read from its log as they are asked for: a reader that is slow holds up nothing and fills no memory.
public struct TaskLog: AsyncSequence, Sendable {
    private let entries: ContainerLog.Entries
    private let query: LogQuery

    init(_ entries: ContainerLog.Entries, _ query: LogQuery) {
        self.entries = entries
        self.query = query
    }

    public func makeAsyncIterator() -> Iterator { Iterator(lines: entries.makeAsyncIterator(), query: query) }

    /// A place in the log.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var lines: ContainerLog.Iterator
        fileprivate let query: LogQuery

        public mutating func next() async throws -> LogEntry? {
            while let line = try await lines.next() {
                if let until = query.until, line.time > until { return nil }
                let isError = line.stream == .stderr
                guard isError ? query.stderr : query.stdout else { continue }
                return LogEntry(isError: isError, time: line.time, bytes: line.text)
            }
            return nil
        }
    }
}
