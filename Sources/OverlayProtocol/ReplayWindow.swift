/// Which of the newest 8,128 counters have been seen (RFC 6479: a ring of words, no shifting).
struct ReplayWindow: Sendable {
    private static let wordCount = 128
    private var words = [UInt64](repeating: 0, count: ReplayWindow.wordCount)
    private var greatest: UInt64 = 0

    enum Answer: Hashable { case fresh, replayed, tooOld }

    /// Looks only; the packet is not authenticated yet.
    func check(_ counter: UInt64) -> Answer {
        if counter > greatest { return .fresh }
        if greatest - counter >= OverlayLimits.replayWindowPackets { return .tooOld }
        return words[ReplayWindow.word(counter)] & ReplayWindow.bit(counter) == 0 ? .fresh : .replayed
    }

    /// Remembers a counter that `check` called fresh and whose packet was authentic.
    mutating func accept(_ counter: UInt64) {
        if counter > greatest {
            let first = greatest >> 6
            let steps = min((counter >> 6) - first, UInt64(ReplayWindow.wordCount))
            for step in 0..<steps { words[Int((first + 1 + step) % UInt64(ReplayWindow.wordCount))] = 0 }
            greatest = counter
        }
        words[ReplayWindow.word(counter)] |= ReplayWindow.bit(counter)
    }

    private static func word(_ counter: UInt64) -> Int { Int((counter >> 6) % UInt64(wordCount)) }
    private static func bit(_ counter: UInt64) -> UInt64 { 1 << (counter & 63) }
}
