import Glibc
import Primitives

/// When an archive's folders were changed, kept until all is written: one time for each folder, in bounded memory.
struct FolderTimes {
    private let bytesMax: Int
    private var bytes = 0
    private var times: [[UInt8]: timespec] = [:]

    /// What an entry takes beside its path: the array's header, its slot and the time.
    private static let entryBytes = 64

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// The folder's last time counts, as with tar.
    mutating func set(_ time: timespec, of path: [UInt8]) throws(Failure) {
        if times.updateValue(time, forKey: path) != nil { return }
        bytes += path.count + FolderTimes.entryBytes
        guard bytes <= bytesMax else {
            throw Failure(.resourceExhausted, "the names of the archive's folders take more than \(bytesMax) bytes")
        }
    }

    /// Folders that share what is above them follow each other.
    var sorted: [(path: [UInt8], time: timespec)] {
        times.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
    }
}
