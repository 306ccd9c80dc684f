import Glibc
public import Primitives
import Synchronization

/// The system's clocks, for shells.
public enum Clock {
    /// CLOCK_MONOTONIC.
    public static var now: Instant {
        let time = read(CLOCK_MONOTONIC)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// CLOCK_REALTIME, and what ``setWallOffset(_:)`` added.
    public static var wallTime: Timestamp {
        let time = read(CLOCK_REALTIME)
        return Timestamp(
            nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
                + wallOffset.load(ordering: .relaxed))
    }

    /// Moves this process's wall clock, for drills: no namespace of Linux has a CLOCK_REALTIME of its own.
    public static func setWallOffset(_ offset: Duration) {
        wallOffset.store(offset.wholeNanoseconds, ordering: .relaxed)
    }

    private static let wallOffset = Atomic<Int64>(0)

    private static func read(_ clock: Int32) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}
