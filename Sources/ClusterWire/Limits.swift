public enum WireLimits {
    /// HTTP/2 flow-control window of a stream: gRPC's default of 64 KiB stalls on a link with latency.
    public static let windowBytes = 4 << 20
    /// Largest message: a transaction (1.5 MiB) or a piece of a snapshot, with room.
    public static let messageBytes = 4 << 20
    /// A silent peer is asked after this time …
    public static let keepaliveTime = Duration.seconds(5)
    /// … and given up after this one.
    public static let keepaliveTimeout = Duration.seconds(5)
    /// Between two attempts to connect, doubling from the first to the last.
    public static let connectBackoffFirst = Duration.milliseconds(100)
    public static let connectBackoffLast = Duration.seconds(2)
    /// Between two looks at the certificate of whoever makes a call that lasts.
    static let validityCheck = Duration.seconds(10)
}
