import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives

/// The log of a container in Docker's json-file format, rotated by size.
///
/// A full disk loses lines, counts them and never stops the container. Times strictly increase, so a reader can go on
/// behind the last one that it has.
struct JSONFileLog: ~Copyable {
    enum Stream: String {
        case stdout
        case stderr
    }

    private let configuration: LogConfiguration
    private var file: OwnedDescriptor?
    /// Bytes in the current file, the buffer not included.
    private var fileBytes: UInt64 = 0
    private var buffer: [UInt8] = []
    private var bufferedLines: UInt64 = 0
    private var lastTime = Timestamp.zero
    private var timePrefix: [UInt8] = []
    private var timePrefixSecond = Int64.min
    private(set) var lostLines: UInt64 = 0

    init(_ configuration: LogConfiguration) throws(Errno) {
        self.configuration = configuration
        try openFile(O_APPEND)
    }

    private mutating func openFile(_ flag: Int32) throws(Errno) {
        let file = try File.open(configuration.path, O_WRONLY | O_CREAT | flag, mode: 0o640)
        var status = stat()
        fileBytes = fstat(file.number, &status) == 0 ? UInt64(status.st_size) : 0
        self.file = consume file
    }

    /// Adds a line, or a piece of one. It is written by the next ``flush()`` at the latest.
    mutating func append(_ line: ArraySlice<UInt8>, endsLine: Bool, _ stream: Stream, at time: Timestamp) {
        lastTime = max(time, Timestamp(nanoseconds: lastTime.nanoseconds + 1))
        let start = buffer.count
        buffer += JSONFileLog.beforeText
        JSONText.append(line, to: &buffer)
        if endsLine { buffer += Array("\\n".utf8) }
        buffer += stream == .stdout ? JSONFileLog.afterStdout : JSONFileLog.afterStderr
        appendTime()
        buffer += JSONFileLog.afterTime
        let limit = configuration.maximumBytes
        if limit > 0, fileBytes + UInt64(buffer.count) > limit, fileBytes + UInt64(start) > 0 {
            let record = Array(buffer[start...])
            buffer.removeSubrange(start...)
            flush()
            rotate()
            buffer += record
        }
        bufferedLines += 1
        if buffer.count >= Limits.logBufferBytes { flush() }
    }

    private static let beforeText = Array(#"{"log":""#.utf8)
    private static let afterStdout = Array(#"","stream":"stdout","time":""#.utf8)
    private static let afterStderr = Array(#"","stream":"stderr","time":""#.utf8)
    private static let afterTime = Array("\"}\n".utf8)

    /// RFC 3339 with nine digits. The date is worked out once a second: a busy container writes many lines in one.
    private mutating func appendTime() {
        let (second, fraction) = lastTime.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        if second != timePrefixSecond {
            timePrefixSecond = second
            timePrefix = Array(lastTime.rfc3339.utf8.prefix(20))
        }
        buffer += timePrefix
        var divisor: Int64 = 100_000_000
        while divisor > 0 {
            buffer.append(UInt8(ascii: "0") + UInt8(fraction / divisor % 10))
            divisor /= 10
        }
        buffer.append(UInt8(ascii: "Z"))
    }

    /// Writes what is buffered.
    mutating func flush() {
        guard !buffer.isEmpty else { return }
        do throws(Errno) {
            if file == nil { try openFile(O_APPEND) }
            try file?.write(all: buffer)
            fileBytes += UInt64(buffer.count)
        } catch {
            lostLines += bufferedLines
            // Half a line would spoil the one behind it.
            if let number = file?.number { ftruncate(number, off_t(fileBytes)) }
        }
        buffer.removeAll(keepingCapacity: true)
        bufferedLines = 0
    }

    private mutating func rotate() {
        file = nil
        let path = configuration.path
        let kept = max(1, Int(configuration.maximumFiles))
        if kept == 1 {
            try? openFile(O_TRUNC | O_APPEND)
            return
        }
        for number in stride(from: kept - 1, through: 1, by: -1) {
            rename(number == 1 ? path : "\(path).\(number - 1)", "\(path).\(number)")
        }
        try? openFile(O_APPEND)
    }

    /// Makes everything written durable; for the end, when nothing more comes.
    mutating func finish() {
        flush()
        try? file?.synchronize()
    }
}
