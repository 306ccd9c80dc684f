import Glibc
import Primitives

/// A thread of the system, for work that blocks or that changes what belongs to a thread (its network namespace).
public enum SystemThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `body` on a new detached thread; `name` (15 bytes at most) is what `top -H` shows.
    public static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        let box = Unmanaged.passRetained(
            Body {
                CurrentProcess.setName(name)
                body()
            })
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let result = pthread_create(&thread, &attributes, runBody, box.toOpaque())
        guard result == 0 else {
            box.release()
            throw Errno(result)
        }
    }

    /// A free function: a closure here would inherit the isolation of whoever wrote it.
    private static let runBody: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
        if let pointer { Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run() }
        return nil
    }
}
