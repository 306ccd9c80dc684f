/// Cuts a stream into lines, and lines that are too long into pieces.
struct LineSplitter {
    private var partial: [UInt8] = []
    private let maximumBytes: Int

    init(maximumBytes: Int = Limits.logLineBytesMax) {
        self.maximumBytes = maximumBytes
    }

    /// Calls `emit` with each line, without its newline, and whether there was one: a piece of a longer line has none.
    mutating func append(_ bytes: ArraySlice<UInt8>, _ emit: (ArraySlice<UInt8>, _ endsLine: Bool) -> Void) {
        var rest = bytes
        while !rest.isEmpty {
            let room = maximumBytes - partial.count
            let window = rest.prefix(room)
            if let newline = window.firstIndex(of: UInt8(ascii: "\n")) {
                take(rest[..<newline], endsLine: true, emit)
                rest = rest[(newline + 1)...]
            } else if rest.count < room {
                partial += rest
                return
            } else {
                rest = rest.dropFirst(cut(window, emit))
            }
        }
    }

    /// What stands at the end of the stream without a newline.
    mutating func finish(_ emit: (ArraySlice<UInt8>, _ endsLine: Bool) -> Void) {
        if !partial.isEmpty { take([], endsLine: false, emit) }
    }

    private mutating func take(
        _ bytes: ArraySlice<UInt8>, endsLine: Bool, _ emit: (ArraySlice<UInt8>, Bool) -> Void
    ) {
        guard !partial.isEmpty else { return emit(bytes, endsLine) }
        partial += bytes
        emit(partial[...], endsLine)
        partial.removeAll(keepingCapacity: true)
    }

    /// Emits a full piece that ends between two characters; returns how many bytes of the window it took.
    private mutating func cut(_ window: ArraySlice<UInt8>, _ emit: (ArraySlice<UInt8>, Bool) -> Void) -> Int {
        var whole = partial + window
        partial.removeAll(keepingCapacity: true)
        let kept = LineSplitter.unfinishedCharacterBytes(at: whole[...])
        if kept < whole.count {
            partial += whole.suffix(kept)
            whole.removeLast(kept)
        }
        emit(whole[...], false)
        return window.count
    }

    /// How many bytes at the end begin a UTF-8 character that is not complete: 0 to 3.
    private static func unfinishedCharacterBytes(at bytes: ArraySlice<UInt8>) -> Int {
        for (distance, byte) in bytes.suffix(3).reversed().enumerated() {
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > distance + 1 ? distance + 1 : 0
        }
        return 0
    }
}
