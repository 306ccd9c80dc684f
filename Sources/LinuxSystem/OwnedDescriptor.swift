import CLinux
import Glibc

/// A file descriptor with one owner, who closes it by letting go of it.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// Valid as long as this value lives.
    public let number: Int32

    /// Takes over a descriptor that nobody else closes.
    public init(adopting number: Int32) {
        self.number = number
    }

    deinit {
        // Whatever close returns, Linux has released the number: calling again would close another thread's file.
        _ = Glibc.close(number)
    }

    /// Closes and reports what a file system only says now (a delayed write error).
    public consuming func close() throws(Errno) {
        let number = self.number
        discard self
        if Glibc.close(number) == -1, Errno.current != .interrupted { throw Errno.current }
    }

    /// Gives the number away; the caller closes it.
    public consuming func release() -> Int32 {
        let number = self.number
        discard self
        return number
    }

    /// Another descriptor of the same open file, close-on-exec.
    public func duplicate() throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(adopting: try retrying { fcntl(number, F_DUPFD_CLOEXEC, 3) })
    }

    /// `/proc/self/fd/N`: a short path to what the descriptor refers to, for calls that take only paths.
    public var path: String { "/proc/self/fd/\(number)" }
}

extension OwnedDescriptor {
    /// At most `count` bytes; empty at the end of the file. `EAGAIN` is thrown.
    public func read(upTo count: Int) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(Errno) {
                initialized = try read(into: UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Fills `buffer` as far as bytes are there; 0 at the end of the file.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try retrying { Glibc.read(number, buffer.baseAddress, buffer.count) }
    }

    /// Fills an array as far as bytes are there and returns how many came; 0 at the end of the file.
    public func read(into bytes: inout [UInt8]) throws(Errno) -> Int {
        let count = bytes.withUnsafeMutableBytes { buffer in
            var result = Glibc.read(number, buffer.baseAddress, buffer.count)
            while result == -1 && Errno.current == .interrupted {
                result = Glibc.read(number, buffer.baseAddress, buffer.count)
            }
            return result
        }
        return try checked(count)
    }

    /// At most `count` bytes from an offset, without moving the file's position.
    public func read(upTo count: Int, at offset: Int) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(Errno) {
                initialized = try retrying { pread(number, buffer.baseAddress, buffer.count, off_t(offset)) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Everything to the end of the file; `EFBIG` above `maximumBytes`.
    public func readAll(maximumBytes: Int) throws(Errno) -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let piece = try read(upTo: 16_384)
            if piece.isEmpty { return all }
            all += piece
            if all.count > maximumBytes { throw .fileTooLarge }
        }
    }

    /// Writes all bytes.
    public func write(all bytes: some Sequence<UInt8>) throws(Errno) {
        var failure: Errno?
        let done: Void? = bytes.withContiguousStorageIfAvailable { buffer in
            do throws(Errno) { try write(buffer: UnsafeRawBufferPointer(buffer)) } catch { failure = error }
        }
        if let failure { throw failure }
        if done == nil { try write(all: Array(bytes)) }
    }

    /// Writes all bytes of a buffer.
    public func write(buffer: UnsafeRawBufferPointer) throws(Errno) {
        var rest = buffer
        while !rest.isEmpty {
            let written = try retrying { Glibc.write(number, rest.baseAddress, rest.count) }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    public func synchronize() throws(Errno) {
        _ = try retrying { fsync(number) }
    }

    public func setNonBlocking() throws(Errno) {
        let flags = try retrying { fcntl(number, F_GETFL) }
        _ = try retrying { fcntl(number, F_SETFL, flags | O_NONBLOCK) }
    }

    public func changeOwner(user: UInt32, group: UInt32) throws(Errno) {
        _ = try retrying { fchown(number, user, group) }
    }

    /// Makes `target` a copy of this descriptor that programs inherit.
    public func duplicate(onto target: Int32) throws(Errno) {
        _ = try retrying { dup2(number, target) }
    }
}

/// A descriptor that several hold; the last one closes it.
public final class SharedDescriptor: Sendable {
    public let descriptor: OwnedDescriptor

    public init(_ descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }
}

/// Both ends of a pipe.
@frozen
public struct Pipe: ~Copyable {
    public var reading: OwnedDescriptor
    public var writing: OwnedDescriptor

    public init() throws(Errno) {
        var ends: [Int32] = [-1, -1]
        try checked(clinux_pipe2(&ends, 0))
        reading = OwnedDescriptor(adopting: ends[0])
        writing = OwnedDescriptor(adopting: ends[1])
    }
}
