import DurableLog
import Primitives

/// Files in memory that lose what was not synced when the power goes.
///
/// Each write since the last sync reaches the disk in whole, in part or not at all, whatever happens to the others; so
/// does each name in the folder.
final class TornFiles: LogFiles {
    /// A file, whatever its names are.
    final class Content {
        var bytes: [UInt8] = []
        fileprivate var durable: [UInt8] = []
        fileprivate var pending: [Change] = []

        init(_ bytes: [UInt8] = []) {
            self.bytes = bytes
            durable = bytes
        }
    }

    fileprivate enum Change {
        case write([UInt8], offset: Int)
        /// Cut off, or made longer with zeros.
        case resize(Int)

        func apply(to bytes: inout [UInt8]) {
            switch self {
            case .write(let new, let offset):
                let missing = offset + new.count - bytes.count
                if missing > 0 { bytes += [UInt8](repeating: 0, count: missing) }
                bytes.replaceSubrange(offset..<offset + new.count, with: new)
            case .resize(let count):
                bytes = Array(bytes.prefix(count)) + [UInt8](repeating: 0, count: max(0, count - bytes.count))
            }
        }
    }

    private(set) var files: [String: Content] = [:]
    private var durableNames: [String: Content] = [:]
    /// Operations until the power goes; nil: never.
    var operationsLeft: Int?

    /// Durable files.
    init(_ files: [String: [UInt8]] = [:]) {
        self.files = files.mapValues { Content($0) }
        durableNames = self.files
    }

    private func spend() throws(Failure) {
        guard let left = operationsLeft else { return }
        if left == 0 { throw Failure(.unavailable, "power lost") }
        operationsLeft = left - 1
    }

    /// What may be on the disk after a power cut.
    ///
    /// - Parameter cut: how many bytes of each write that was not synced got there; nil leaves it to chance.
    func afterPowerCut(random: inout SeededRandom, cut: Int? = nil) -> TornFiles {
        var survivors: [String: [UInt8]] = [:]
        for name in Set(files.keys).union(durableNames.keys).sorted() {
            let isNew = Bool.random(using: &random)
            guard let content = isNew ? files[name] : durableNames[name] else { continue }
            var bytes = content.durable
            for change in content.pending {
                switch change {
                case .write(let new, let offset):
                    let count =
                        cut
                        ?? [0, new.count, Int.random(in: 0...new.count, using: &random)][
                            Int.random(in: 0..<3, using: &random)]
                    Change.write(Array(new.prefix(count)), offset: offset).apply(to: &bytes)
                case .resize: if Bool.random(using: &random) { change.apply(to: &bytes) }
                }
            }
            survivors[name] = bytes
        }
        return TornFiles(survivors)
    }

    private func change(_ name: String, _ change: Change) throws(Failure) {
        guard let content = files[name] else { throw Failure(.notFound, name) }
        change.apply(to: &content.bytes)
        content.pending.append(change)
    }

    func list() throws(Failure) -> [String] { files.keys.sorted() }

    func read(_ name: String) throws(Failure) -> [UInt8] {
        guard let file = files[name] else { throw Failure(.notFound, name) }
        return file.bytes
    }

    func read(_ name: String, at offset: Int, count: Int) throws(Failure) -> [UInt8] {
        Array(try read(name).dropFirst(offset).prefix(count))
    }

    func another() -> Self { self }
    func close() {}

    func create(_ name: String, bytes: Int) throws(Failure) {
        try spend()
        if files[name] == nil { files[name] = Content() }
        try change(name, .resize(0))
        try change(name, .resize(min(bytes, 4096)))
    }

    func write(_ name: String, _ bytes: [UInt8], at offset: Int) throws(Failure) {
        try spend()
        try change(name, .write(bytes, offset: offset))
    }

    func sync(_ name: String) throws(Failure) {
        try spend()
        guard let content = files[name] else { throw Failure(.notFound, name) }
        content.durable = content.bytes
        content.pending = []
    }

    func truncate(_ name: String, to bytes: Int) throws(Failure) {
        try spend()
        try change(name, .resize(bytes))
    }

    func rename(_ name: String, to other: String) throws(Failure) {
        try spend()
        files[other] = files.removeValue(forKey: name)
    }

    func remove(_ name: String) throws(Failure) {
        try spend()
        files[name] = nil
    }

    func syncFolder() throws(Failure) {
        try spend()
        durableNames = files
    }

    func path(of name: String) -> String { "raft/" + name }
}
