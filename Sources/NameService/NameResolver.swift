public import Primitives

/// Who asked, to be named in the directive that answers; only the shell knows what the number means.
public struct NameClient: Hashable, Sendable {
    public enum Transport: Hashable, Sendable {
        case udp(IPv4Address, port: UInt16)
        case tcp(connection: UInt64)
    }

    public var transport: Transport

    public init(_ transport: Transport) { self.transport = transport }

    var isStream: Bool {
        if case .tcp = transport { return true }
        return false
    }
}

/// What the resolver asks its shell to do.
public enum NameDirective: Hashable, Sendable {
    /// Sends a message to the client; the length in front of it (TCP) is the shell's.
    case answer([UInt8], to: NameClient)
    /// Sends a message to an upstream from a new socket; what comes back goes to `onUpstreamAnswer` with the exchange.
    case ask([UInt8], upstream: String, exchange: UInt64, stream: Bool)
    /// Closes the socket of an exchange.
    case close(exchange: UInt64)
}

/// The resolver of one container: it knows the names of the container's networks and asks others for the rest.
public struct NameResolver: Sendable {
    private struct Pending: Sendable {
        var query: DNSQuery
        var client: NameClient
        var message: [UInt8]
        var outgoingID: UInt16
        var tries: Int
        var deadline: Instant
    }

    /// Of the container's networks, in their order; nil until the managers have told anything of them.
    public var tables: [NameTable]?
    /// Numeric addresses of the host's resolvers.
    public var upstreams: [String]
    private var pending: [UInt64: Pending] = [:]
    private var lastExchange: UInt64
    private var turn: UInt64 = 0

    /// `firstExchange` keeps the exchanges of several resolvers of one shell apart.
    public init(tables: [NameTable]?, upstreams: [String], firstExchange: UInt64 = 0) {
        self.tables = tables
        self.upstreams = upstreams
        lastExchange = firstExchange
    }

    /// When `onTick` has something to do; nil when nothing waits.
    public var nextDeadline: Instant? { pending.values.map(\.deadline).min() }

    /// The exchanges that are open, for a shell that closes.
    public var openExchanges: [UInt64] { pending.keys.sorted() }

    // MARK: Events

    public mutating func onQuery(
        _ message: [UInt8], from client: NameClient, now: Instant, using random: inout some RandomNumberGenerator
    ) -> [NameDirective] {
        do throws(DNSQuery.Refusal) {
            let query = try DNSQuery(message)
            if let answer = localAnswer(query, isStream: client.isStream) { return [.answer(answer, to: client)] }
            return forward(query, message, client, now: now, using: &random)
        } catch {
            switch error {
            case .ignored: return []
            case .malformed(let id):
                return [.answer(DNSAnswer.encodeError(id: id, code: DNSCode.formatError), to: client)]
            case .notImplemented(let id):
                return [.answer(DNSAnswer.encodeError(id: id, code: DNSCode.notImplemented), to: client)]
            }
        }
    }

    /// An answer that belongs to no exchange, or to another question, is ignored (RFC 5452 section 9.1).
    public mutating func onUpstreamAnswer(_ message: [UInt8], exchange: UInt64) -> [NameDirective] {
        guard let waiting = pending[exchange], message.count >= 12,
            UInt16(message[0]) << 8 | UInt16(message[1]) == waiting.outgoingID, message[2] & 0x80 != 0,
            let (name, _) = DNSName.read(message, at: 12), name == waiting.query.name
        else { return [] }
        pending.removeValue(forKey: exchange)
        var answer = message
        answer[0] = UInt8(waiting.query.id >> 8)
        answer[1] = UInt8(waiting.query.id & 0xff)
        return [.close(exchange: exchange), .answer(answer, to: waiting.client)]
    }

    /// The socket of an exchange failed: the next upstream is asked, or the client told.
    public mutating func onUpstreamFailure(
        exchange: UInt64, now: Instant, using random: inout some RandomNumberGenerator
    ) -> [NameDirective] {
        guard let waiting = pending.removeValue(forKey: exchange) else { return [] }
        return [.close(exchange: exchange)] + retry(waiting, now: now, using: &random)
    }

    public mutating func onTick(now: Instant, using random: inout some RandomNumberGenerator) -> [NameDirective] {
        var directives: [NameDirective] = []
        for exchange in pending.filter({ $0.value.deadline <= now }).keys.sorted() {
            directives += onUpstreamFailure(exchange: exchange, now: now, using: &random)
        }
        return directives
    }

    // MARK: What is known here

    private mutating func localAnswer(_ query: DNSQuery, isStream: Bool) -> [UInt8]? {
        let maximum = isStream ? NameLimits.greatestMessageBytes : query.datagramBytes
        guard query.isInternet, let tables else {
            // Without a table nobody knows whether the name exists: the client shall ask again.
            if query.isInternet, !query.name.contains(".") {
                return DNSAnswer.encode(query, code: DNSCode.serverFailure, maximumBytes: maximum)
            }
            return nil
        }
        if let address = query.reverseAddress {
            guard let name = tables.lazy.compactMap({ $0.name(of: address) }).first, let data = DNSName.encode(name)
            else { return nil }
            let isAsked = query.type == DNSCode.pointer || query.type == DNSCode.any
            return DNSAnswer.encode(query, type: DNSCode.pointer, data: isAsked ? [data] : [], maximumBytes: maximum)
        }
        let found = tables.compactMap { $0.addresses(of: query.name) }
        guard !found.isEmpty else { return nil }
        // The first network that has the name with a task that serves, as the order of the networks is the user's.
        let addresses = found.first { !$0.isEmpty } ?? []
        // AAAA has no data, but the name exists: NODATA, not NXDOMAIN (RFC 2308 section 2.2).
        guard query.type == DNSCode.a || query.type == DNSCode.any else {
            return DNSAnswer.encode(query, maximumBytes: maximum)
        }
        return DNSAnswer.encode(query, data: rotated(addresses).map(\.bytes), maximumBytes: maximum)
    }

    /// Round robin: each answer starts at another address.
    private mutating func rotated(_ addresses: [IPv4Address]) -> [IPv4Address] {
        guard addresses.count > 1 else { return addresses }
        let start = Int(turn % UInt64(addresses.count))
        turn &+= 1
        return Array(addresses[start...] + addresses[..<start])
    }

    // MARK: The rest

    private mutating func forward(
        _ query: DNSQuery, _ message: [UInt8], _ client: NameClient, now: Instant,
        using random: inout some RandomNumberGenerator
    ) -> [NameDirective] {
        guard let tables else {
            // Whether the container may ask outside is not known either.
            return [.answer(DNSAnswer.encodeError(id: query.id, code: DNSCode.serverFailure), to: client)]
        }
        // A name asked for outside carries what its asker likes (CVE-2024-29018): internal networks have no way there.
        let isInternal = !tables.isEmpty && tables.allSatisfy(\.isInternal)
        guard !upstreams.isEmpty, !isInternal else {
            let maximum = query.datagramBytes
            return [
                .answer(DNSAnswer.encode(query, code: DNSCode.nameError, maximumBytes: maximum), to: client)
            ]
        }
        guard pending.count < NameLimits.pendingPerContainer else {
            return [.answer(DNSAnswer.encodeError(id: query.id, code: DNSCode.serverFailure), to: client)]
        }
        let waiting = Pending(query: query, client: client, message: message, outgoingID: 0, tries: 0, deadline: now)
        return retry(waiting, now: now, using: &random)
    }

    private mutating func retry(
        _ former: Pending, now: Instant, using random: inout some RandomNumberGenerator
    ) -> [NameDirective] {
        var waiting = former
        guard waiting.tries < NameLimits.upstreamTries, !upstreams.isEmpty else {
            return [
                .answer(DNSAnswer.encodeError(id: waiting.query.id, code: DNSCode.serverFailure), to: waiting.client)
            ]
        }
        let upstream = upstreams[waiting.tries % upstreams.count]
        waiting.tries += 1
        waiting.outgoingID = UInt16.random(in: .min ... .max, using: &random)
        waiting.deadline = now + .seconds(NameLimits.upstreamSeconds)
        waiting.message[0] = UInt8(waiting.outgoingID >> 8)
        waiting.message[1] = UInt8(waiting.outgoingID & 0xff)
        lastExchange &+= 1
        pending[lastExchange] = waiting
        return [
            .ask(waiting.message, upstream: upstream, exchange: lastExchange, stream: waiting.client.isStream)
        ]
    }
}
