import Glibc
import Primitives

/// The machine's clocks; shells read them and pass the time on.
enum SystemClock {
    static var wall: Timestamp { Timestamp(nanoseconds: Int64(bitPattern: read(CLOCK_REALTIME))) }
    static var monotonic: Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
