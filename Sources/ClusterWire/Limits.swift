public enum WireLimits {
    /// HTTP/2 flow-control window of a stream: gRPC's default of 64 KiB stalls on a link with latency.
    public static let windowBytes = 4 << 20
    /// Largest message: a transaction (1.5 MiB) or a piece of a snapshot, with room.
    public static let messageBytes = 4 << 20
    /// A silent peer is asked after this time …
    public static let keepaliveTime = Duration.seconds(5)
    /// … and given up after this one.
    public static let keepaliveTimeout = Duration.seconds(5)
    /// A link on which nothing is sent for so long carries an empty frame …
    static let linkRest = Duration.seconds(5)
    /// … and one on which nothing comes for so long is over.
    static let linkSilence = Duration.seconds(10)
    /// For a connection's first bytes to come, and for the hello of a link.
    static let firstBytes = Duration.seconds(10)
    /// Of a link's frames until its caller is known.
    static let helloBytes = 1024
    /// What a link writes before it looks whether the other end keeps up.
    static let linkFlushBytes = 64 << 10
    /// For the TCP connection of a link.
    static let linkConnect = Duration.seconds(3)
    /// Between two attempts to connect, doubling from the first to the last.
    public static let connectBackoffFirst = Duration.milliseconds(100)
    public static let connectBackoffLast = Duration.seconds(2)
    /// Between two looks at the certificate of whoever makes a call that lasts.
    static let validityCheck = Duration.seconds(10)
}
