/// Bounds of the resolver.
public enum NameLimits {
    /// How long a client may keep an answer; short, since tasks come and go.
    static let answerSeconds: UInt32 = 1
    /// RFC 1035 section 2.3.4: what a client without EDNS takes over UDP.
    static let plainDatagramBytes = 512
    /// What is sent over UDP at most, whatever the client offers: it fits every network's MTU.
    static let greatestDatagramBytes = 1_232
    /// A DNS message over TCP (RFC 1035 section 4.2.2).
    public static let greatestMessageBytes = 65_535
    static let greatestNameBytes = 255
    static let greatestLabelBytes = 63
    /// Compression pointers followed in one name.
    static let pointersPerName = 32
    /// Queries of one container that wait for an answer from outside.
    static let pendingPerContainer = 256
    /// Queries of one connection that wait for an answer.
    static let queriesPerConnection = 32
    /// Answers that wait for a connection's client to read; more are not made. The last may go beyond by its own size.
    static let waitingAnswerBytes = 128 * 1024
    /// An upstream that has not answered by then is given up for this query.
    static let upstreamSeconds = 2
    /// Upstreams asked for one query.
    static let upstreamTries = 3
}
