import Glibc
public import Primitives

/// Wakes one thread that waits with a time limit. A signal that comes before the wait ends it at once.
///
/// A condition variable costs one system call to wait and one to wake; a pipe costs three.
public final class ThreadSignal: @unchecked Sendable {
    // `isSet` is read and written under `mutex` alone; the other two are used through functions that any thread may call
    // (pthread_cond_wait(3)), at addresses that do not change.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isSet = false

    public init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    public func set() {
        pthread_mutex_lock(mutex)
        isSet = true
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(condition)
    }

    /// Called by the thread that waits, before it looks for what it may have been set for.
    public func clear() {
        pthread_mutex_lock(mutex)
        isSet = false
        pthread_mutex_unlock(mutex)
    }

    /// Returns once the signal is set, which it then is no more, or at that time.
    public func wait(until instant: Instant) {
        var time = timespec(instant)
        pthread_mutex_lock(mutex)
        while !isSet, pthread_cond_timedwait(condition, mutex, &time) == 0 {}
        isSet = false
        pthread_mutex_unlock(mutex)
    }
}

extension timespec {
    init(_ instant: Instant) {
        self.init(
            tv_sec: Int(instant.nanoseconds / 1_000_000_000), tv_nsec: Int(instant.nanoseconds % 1_000_000_000))
    }
}
