import DurableLog
import Primitives

/// Files in memory that lose what was not synced when the power goes.
final class TornFiles: LogFiles {
    struct File {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
    }

    var files: [String: File] = [:]
    private var durableNames: Set<String> = []
    /// Operations until the power goes; nil: never.
    var operationsLeft: Int?

    private func spend() throws(Failure) {
        guard let left = operationsLeft else { return }
        if left == 0 { throw Failure(.unavailable, "power lost") }
        operationsLeft = left - 1
    }

    /// What is on the disk after a power cut: synced names with synced bytes, and of the rest so many bytes as
    /// happened to be written.
    func afterPowerCut(random: inout SeededRandom) -> TornFiles {
        let survivor = TornFiles()
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            guard durableNames.contains(name) || Bool.random(using: &random) else { continue }
            var bytes = file.durable
            if file.bytes.count >= bytes.count, file.bytes != bytes {
                // Some prefix of what was not synced may have reached the disk.
                let common = zip(bytes, file.bytes).prefix { $0 == $1 }.count
                let cut = Int.random(in: common...file.bytes.count, using: &random)
                let tail = bytes.count > cut ? Array(bytes[cut...]) : []
                bytes = Array(file.bytes[..<cut]) + tail
            }
            survivor.files[name] = File(bytes: bytes, durable: bytes)
            survivor.durableNames.insert(name)
        }
        return survivor
    }

    func list() throws(Failure) -> [String] { files.keys.sorted() }

    func read(_ name: String) throws(Failure) -> [UInt8] {
        guard let file = files[name] else { throw Failure(.notFound, name) }
        return file.bytes
    }

    func create(_ name: String, bytes: Int) throws(Failure) {
        try spend()
        files[name] = File(bytes: [UInt8](repeating: 0, count: min(bytes, 4096)), durable: [])
    }

    func write(_ name: String, _ bytes: [UInt8], at offset: Int) throws(Failure) {
        try spend()
        var file = files[name] ?? File()
        if file.bytes.count < offset + bytes.count {
            file.bytes += [UInt8](repeating: 0, count: offset + bytes.count - file.bytes.count)
        }
        file.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        files[name] = file
    }

    func sync(_ name: String) throws(Failure) {
        try spend()
        let bytes = files[name]?.bytes ?? []
        files[name]?.durable = bytes
    }

    func truncate(_ name: String, to bytes: Int) throws(Failure) {
        try spend()
        let count = files[name]?.bytes.count ?? 0
        files[name]?.bytes.removeLast(max(0, count - bytes))
    }

    func rename(_ name: String, to other: String) throws(Failure) {
        try spend()
        files[other] = files.removeValue(forKey: name)
        // The old name's durability goes with the next folder sync; until then either may be found.
        if durableNames.remove(name) != nil { durableNames.insert(other) }
    }

    func remove(_ name: String) throws(Failure) {
        try spend()
        files[name] = nil
        durableNames.remove(name)
    }

    func syncFolder() throws(Failure) {
        try spend()
        durableNames = Set(files.keys)
    }

    func path(of name: String) -> String { "raft/" + name }
}
