import Glibc
import LinuxSystem
import Primitives

/// A place in a container's log, which may consist of several files and be rotated at any moment. Blocks.
struct LogCursor {
    private let path: String
    /// Files still to be read, the oldest first; held open, so a rotation takes none of them away.
    private var files: [OpenFile] = []
    private var rest: [UInt8] = []
    private var isSkipping = false

    private struct OpenFile {
        let file: SharedDescriptor
        let inode: UInt
        var offset = 0

        init?(_ path: String) {
            var status = stat()
            guard let file = try? File.open(path, O_RDONLY), fstat(file.number, &status) == 0 else { return nil }
            self.file = SharedDescriptor(file)
            inode = UInt(status.st_ino)
        }

        var size: Int {
            var status = stat()
            return fstat(file.descriptor.number, &status) == 0 ? Int(status.st_size) : 0
        }
    }

    /// Begins at the oldest line that there is, or `tail` lines before the end.
    init(path: String, tail: Int?) {
        self.path = path
        open()
        if let tail { skipTo(lastLines: tail) }
    }

    private func name(_ number: Int) -> String { number == 0 ? path : "\(path).\(number)" }

    private mutating func open() {
        // Newest first: while they are opened a rotation can only move a file to a name that is still to come, and
        // meeting it twice is noticed by its inode.
        for number in 0..<Limits.logFilesMax {
            guard let file = OpenFile(name(number)) else { break }
            if !files.contains(where: { $0.inode == file.inode }) { files.insert(file, at: 0) }
        }
    }

    /// Looks for line ends backwards, a block at a time.
    private mutating func skipTo(lastLines count: Int) {
        var wanted = count
        let block = 32 << 10
        for index in files.indices.reversed() {
            var end = files[index].size
            // The newline at the very end closes the last line, it does not begin another.
            var isLast = true
            if wanted == 0 {
                files[index].offset = end
                files.removeSubrange(..<index)
                return
            }
            while end > 0 {
                let start = max(0, end - block)
                guard let bytes = try? files[index].file.descriptor.read(upTo: end - start, at: start) else { return }
                for position in bytes.indices.reversed() where bytes[position] == UInt8(ascii: "\n") {
                    if isLast {
                        isLast = false
                        continue
                    }
                    wanted -= 1
                    if wanted == 0 {
                        files[index].offset = start + position + 1
                        files.removeSubrange(..<index)
                        return
                    }
                }
                end = start
            }
            if !isLast { wanted -= 1 }
            if wanted == 0 {
                files.removeSubrange(..<index)
                return
            }
        }
    }

    /// The next lines, whole ones; empty when there are none now.
    mutating func next() -> [LogEntry] {
        while true {
            guard !files.isEmpty else {
                open()
                if files.isEmpty { return [] }
                continue
            }
            // Truncated instead of rotated (one file only): it begins again.
            if files[0].size < files[0].offset {
                files[0].offset = 0
                rest = []
            }
            guard let bytes = try? files[0].file.descriptor.read(upTo: Limits.logBatchBytes, at: files[0].offset) else {
                return []
            }
            if bytes.isEmpty {
                if advance() { continue }
                return []
            }
            files[0].offset += bytes.count
            let entries = split(bytes)
            if !entries.isEmpty { return entries }
        }
    }

    /// Goes on to the next file when the current one is finished; false when it is the newest.
    private mutating func advance() -> Bool {
        let finished = files[0]
        if files.count == 1 {
            var status = stat()
            guard stat(path, &status) == 0, UInt(status.st_ino) != finished.inode else { return false }
            // Rotated: what was written to it before is there now, and nothing more comes.
            if finished.size > finished.offset { return true }
            for number in 0..<Limits.logFilesMax {
                guard let file = OpenFile(name(number)), file.inode != finished.inode else { break }
                if !files.dropFirst().contains(where: { $0.inode == file.inode }) { files.insert(file, at: 1) }
            }
            if files.count == 1 { return false }
        }
        files.removeFirst()
        rest = []
        isSkipping = false
        return true
    }

    private mutating func split(_ bytes: [UInt8]) -> [LogEntry] {
        var entries: [LogEntry] = []
        var start = 0
        while let newline = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = rest.isEmpty ? bytes[start..<newline] : (rest + bytes[start..<newline])[...]
            if !isSkipping, let entry = LogEntry(jsonLine: line) { entries.append(entry) }
            rest = []
            isSkipping = false
            start = newline + 1
        }
        rest += bytes[start...]
        if rest.count > Limits.logLineBytesMax {
            // Nothing that our supervisor wrote.
            rest = []
            isSkipping = true
        }
        return entries
    }
}
