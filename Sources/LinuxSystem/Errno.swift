import Glibc

/// An error number of the kernel.
public struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: Int32

    public init(_ rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The calling thread's `errno`: read it before anything else is called.
    public static var current: Errno { Errno(errno) }

    public static let operationNotPermitted = Errno(EPERM)
    public static let noSuchFile = Errno(ENOENT)
    public static let noSuchProcess = Errno(ESRCH)
    public static let interrupted = Errno(EINTR)
    public static let inputOutput = Errno(EIO)
    public static let tryAgain = Errno(EAGAIN)
    public static let noMemory = Errno(ENOMEM)
    public static let accessDenied = Errno(EACCES)
    public static let busy = Errno(EBUSY)
    public static let exists = Errno(EEXIST)
    public static let notDirectory = Errno(ENOTDIR)
    public static let isDirectory = Errno(EISDIR)
    public static let invalidArgument = Errno(EINVAL)
    public static let fileTooLarge = Errno(EFBIG)
    public static let noSpace = Errno(ENOSPC)
    public static let readOnlyFileSystem = Errno(EROFS)
    public static let brokenPipe = Errno(EPIPE)
    public static let notSupported = Errno(EOPNOTSUPP)
    public static let notImplemented = Errno(ENOSYS)
    public static let notEmpty = Errno(ENOTEMPTY)
    public static let tooManyLinks = Errno(ELOOP)
    public static let nameTooLong = Errno(ENAMETOOLONG)
    public static let messageTooLong = Errno(EMSGSIZE)
    public static let connectionRefused = Errno(ECONNREFUSED)
    public static let noDevice = Errno(ENODEV)
    public static let timedOut = Errno(ETIMEDOUT)
    public static let addressInUse = Errno(EADDRINUSE)
    public static let noExec = Errno(ENOEXEC)

    /// The system's words with a small first letter, as Go's tools print them: `no such file or directory`.
    public var description: String {
        guard let text = strerror(rawValue) else { return "error \(rawValue)" }
        let words = String(cString: text)
        return words.prefix(1).lowercased() + words.dropFirst()
    }
}

/// Calls again while a signal interrupts; -1 becomes the error that `errno` holds.
@inline(__always)
func retrying<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error != .interrupted { throw error }
    }
}

/// Calls once; -1 becomes the error that `errno` holds.
@inline(__always)
@discardableResult
func checked<Result: SignedInteger>(_ result: Result) throws(Errno) -> Result {
    if result == -1 { throw Errno.current }
    return result
}
