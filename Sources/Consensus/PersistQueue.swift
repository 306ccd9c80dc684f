import DequeModule

/// The writes that storage has not completed, and the messages that wait for them.
struct PersistQueue {
    struct Ticket {
        let number: UInt64
        /// What the log is durable through when this completes; lowered when the log is cut off meanwhile.
        var lastIndex: LogIndex
        let hardState: HardState
    }

    private struct Held {
        let after: UInt64
        let message: Message
    }

    private(set) var lastNumber: UInt64 = 0
    private(set) var completed: UInt64 = 0
    private var inFlight: Deque<Ticket> = []
    /// Said since the last write was issued: they wait for the next one.
    private var fresh: [Message] = []
    private var held: Deque<Held> = []

    mutating func issue(lastIndex: LogIndex, hardState: HardState) -> UInt64 {
        lastNumber += 1
        inFlight.append(Ticket(number: lastNumber, lastIndex: lastIndex, hardState: hardState))
        return lastNumber
    }

    /// Completes every write through `number`; nil if there is nothing new in that.
    mutating func complete(through number: UInt64) -> Ticket? {
        var last: Ticket?
        var lastIndex: LogIndex = 0
        while let ticket = inFlight.first, ticket.number <= number {
            lastIndex = max(lastIndex, ticket.lastIndex)
            last = ticket
            inFlight.removeFirst()
        }
        guard var last else { return nil }
        last.lastIndex = lastIndex
        completed = last.number
        return last
    }

    /// The log was cut off from `index` on: what is being written there says nothing about what follows.
    mutating func clamp(below index: LogIndex) {
        for position in inFlight.indices where inFlight[position].lastIndex >= index {
            inFlight[position].lastIndex = index - 1
        }
    }

    /// Holds a message until all that is in memory now is durable.
    mutating func hold(_ message: Message) {
        // Of several acknowledgements to one leader the highest says it all.
        if case .appendResponse(.accepted(let match)) = message.payload, let last = fresh.last,
            case .appendResponse(.accepted(let previous)) = last.payload,
            last.to == message.to, last.term == message.term, previous <= match
        {
            fresh[fresh.count - 1] = message
        } else {
            fresh.append(message)
        }
    }

    /// The term has changed: what was to be said in the old one interests nobody.
    mutating func dropHeld() {
        fresh.removeAll()
        held.removeAll()
    }

    /// The messages whose writes are complete. Call after the write that they wait for was issued.
    mutating func takeReleased() -> [Message] {
        for message in fresh { held.append(Held(after: lastNumber, message: message)) }
        fresh.removeAll()
        var result: [Message] = []
        while let first = held.first, first.after <= completed {
            result.append(first.message)
            held.removeFirst()
        }
        return result
    }
}
