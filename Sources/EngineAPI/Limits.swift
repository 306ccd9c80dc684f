/// Every bound of this module.
public enum EngineLimits {
    /// A request whose body is JSON.
    public static let jsonBodyBytes = 4 << 20
    /// A request with a larger body is not answered on an event loop: JSON of 64 KiB takes less than a millisecond.
    public static let briefBodyBytes = 64 << 10
    public static let secretBytes = 500 << 10
    public static let configBytes = 1000 << 10
    public static let objectNameCharacters = 64
    public static let serviceNameCharacters = 63
    /// Docker's smallest memory limit.
    public static let taskMemoryBytes: Int64 = 4 << 20
    /// Docker's smallest CPU limit: a thousandth.
    public static let taskNanoCPUs: Int64 = 1_000_000
    /// How often a write is tried again when the cluster's own writes came between.
    public static let writeAttempts = 8
    /// Progress events kept for a slow client; older ones are dropped.
    public static let progressEvents = 256
}
