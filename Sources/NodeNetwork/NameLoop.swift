import ClusterModel
import LinuxSystem
import NameService
import Primitives

/// What the resolver's thread owns.
struct NameLoop {
    private enum Watched {
        case udp(TaskID)
        case listener(TaskID)
        case connection(TaskID)
        case exchange(TaskID, UInt64)
    }

    private struct Served {
        var container: NameServer.Container
        var resolver: NameResolver
        /// TCP connections of the container; its questions to upstreams have a limit of their own in the resolver.
        var connections = 0
    }

    /// A TCP connection of a client, or a socket of ours to an upstream.
    private struct Channel {
        var socket: SharedDescriptor
        /// nil: UDP.
        var stream: MessageStream?
    }

    private var containers: [TaskID: Served] = [:]
    private var watched: [UInt64: Watched] = [:]
    private var channels: [UInt64: Channel] = [:]
    /// Connections that have got an answer, or may go on for another reason.
    private var unsettled: Set<UInt64> = []
    private var tokenOfExchange: [UInt64: UInt64] = [:]
    private var lastToken: UInt64 = 0
    private var serial: UInt64 = 0
    private var tables: [NetworkID: NameTable]?
    private var upstreams: [String] = []
    private var random = SystemRandomNumberGenerator()
    private let patience: Duration

    init(patience: Duration) { self.patience = patience }

    func timeoutMilliseconds(now: Instant) -> Int32? {
        let deadlines =
            containers.values.compactMap(\.resolver.nextDeadline)
            + channels.compactMap { isConnection($0.key) ? $0.value.stream?.deadline : nil }
        guard let next = deadlines.min() else { return nil }
        return Int32(clamping: max(0, (next - now).wholeMilliseconds + 1))
    }

    private func isConnection(_ token: UInt64) -> Bool {
        if case .connection = watched[token] { return true }
        return false
    }

    private mutating func watch(
        _ what: Watched, _ socket: SharedDescriptor, _ events: borrowing EventQueue,
        _ interest: EventQueue.Interest = .readable
    ) -> UInt64? {
        lastToken += 1
        guard (try? events.add(socket.descriptor, token: lastToken, interest)) != nil else { return nil }
        watched[lastToken] = what
        return lastToken
    }

    // MARK: Commands

    mutating func on(_ command: NameServer.Command, _ events: borrowing EventQueue) {
        switch command {
        case .serve(let container):
            forget(container.task, events)
            serial += 1
            // 2^32 exchanges of one container before they meet another's.
            let resolver = NameResolver(
                tables: tables(of: container), upstreams: container.upstreams ?? upstreams,
                firstExchange: serial << 32)
            containers[container.task] = Served(container: container, resolver: resolver)
            _ = watch(.udp(container.task), container.udp, events)
            _ = watch(.listener(container.task), container.tcp, events)
        case .forget(let task): forget(task, events)
        case .tables(let new):
            tables = new
            for task in Array(containers.keys) {
                guard let container = containers[task]?.container else { continue }
                let known = tables(of: container)
                containers[task]?.resolver.tables = known
            }
        case .upstreams(let new):
            upstreams = new
            for task in Array(containers.keys) where containers[task]?.container.upstreams == nil {
                containers[task]?.resolver.upstreams = new
            }
        case .stop: return
        }
    }

    private func tables(of container: NameServer.Container) -> [NameTable]? {
        if container.networks.isEmpty { return [] }
        guard let tables else { return nil }
        // Of a network that the managers do not know (any more) nobody can say that it leads outside.
        return container.networks.map { tables[$0] ?? NameTable(isInternal: true) }
    }

    private mutating func forget(_ task: TaskID, _ events: borrowing EventQueue) {
        guard let served = containers.removeValue(forKey: task) else { return }
        try? events.remove(served.container.udp.descriptor)
        try? events.remove(served.container.tcp.descriptor)
        for (token, what) in watched {
            switch what {
            case .udp(task), .listener(task): watched.removeValue(forKey: token)
            case .connection(task), .exchange(task, _): close(token, events)
            default: continue
            }
        }
    }

    private mutating func close(_ token: UInt64, _ events: borrowing EventQueue) {
        switch watched.removeValue(forKey: token) {
        case .exchange(_, let exchange): tokenOfExchange.removeValue(forKey: exchange)
        case .connection(let task): containers[task]?.connections -= 1
        case .udp, .listener, nil: break
        }
        unsettled.remove(token)
        if let channel = channels.removeValue(forKey: token) { try? events.remove(channel.socket.descriptor) }
    }

    // MARK: Events

    mutating func onReady(_ event: EventQueue.Event, _ events: borrowing EventQueue, now: Instant) {
        guard let what = watched[event.token] else { return }
        switch what {
        case .udp(let task): receive(task, events, now: now)
        case .listener(let task): accept(task, events, now: now)
        case .connection(let task): serveConnection(event, task, events, now: now)
        case .exchange(let task, let exchange): serveExchange(event, task, exchange, events, now: now)
        }
        settle(events, now: now)
    }

    mutating func onTick(_ events: borrowing EventQueue, now: Instant) {
        for task in containers.keys.sorted() where (containers[task]?.resolver.nextDeadline).map({ $0 <= now }) == true
        {
            let directives = containers[task]?.resolver.onTick(now: now, using: &random) ?? []
            perform(directives, task, events, now: now)
        }
        settle(events, now: now)
        for (token, channel) in channels where isConnection(token) {
            if let deadline = channel.stream?.deadline, deadline <= now { close(token, events) }
        }
    }

    private mutating func receive(_ task: TaskID, _ events: borrowing EventQueue, now: Instant) {
        for _ in 0..<64 {
            guard let socket = containers[task]?.container.udp,
                let datagram = InternetSocket.receive(socket.descriptor, maximumBytes: 4_096)
            else { return }
            let client = NameClient(.udp(datagram.address, port: datagram.port))
            query(datagram.bytes, client, task, events, now: now)
        }
    }

    /// Whether there is an answer now, or will be one.
    @discardableResult
    private mutating func query(
        _ bytes: [UInt8], _ client: NameClient, _ task: TaskID, _ events: borrowing EventQueue, now: Instant
    ) -> Bool {
        let directives = containers[task]?.resolver.onQuery(bytes, from: client, now: now, using: &random) ?? []
        perform(directives, task, events, now: now)
        return !directives.isEmpty
    }

    private mutating func accept(_ task: TaskID, _ events: borrowing EventQueue, now: Instant) {
        while let served = containers[task], let socket = InternetSocket.accept(served.container.tcp.descriptor) {
            // Closed at once: a container that has that many connections waits for its own.
            if served.connections >= NetworkLimits.nameConnectionsPerContainer { continue }
            let shared = SharedDescriptor(socket)
            guard let token = watch(.connection(task), shared, events) else { continue }
            containers[task]?.connections += 1
            channels[token] = Channel(socket: shared, stream: MessageStream(patience: patience, now: now))
        }
    }

    /// Reads what is there; nil when the other end is gone.
    private mutating func read(_ token: UInt64) -> [UInt8]? {
        guard let socket = channels[token]?.socket else { return nil }
        do throws(Errno) {
            let bytes = try socket.descriptor.read(upTo: NameLimits.greatestMessageBytes)
            return bytes.isEmpty ? nil : bytes
        } catch {
            return error == .tryAgain ? [] : nil
        }
    }

    /// Writes what waits and watches for what comes next; false when the stream is broken.
    private mutating func flush(_ token: UInt64, _ events: borrowing EventQueue, now: Instant) -> Bool {
        guard let socket = channels[token]?.socket, let waiting = channels[token]?.stream?.waitingOutput else {
            return false
        }
        do throws(Errno) {
            if !waiting.isEmpty {
                let count = try InternetSocket.write(waiting, to: socket.descriptor)
                channels[token]?.stream?.wrote(count, now: now)
            }
            var interest: EventQueue.Interest = []
            if channels[token]?.stream?.waitingOutput.isEmpty == false { interest.insert(.writable) }
            if channels[token]?.stream?.wantsInput == true { interest.insert(.readable) }
            try events.change(socket.descriptor, token: token, interest)
            return true
        } catch {
            return false
        }
    }

    private mutating func serveConnection(
        _ event: EventQueue.Event, _ task: TaskID, _ events: borrowing EventQueue, now: Instant
    ) {
        let token = event.token
        if channels[token]?.stream?.wantsInput == true {
            guard let bytes = read(token) else { return close(token, events) }
            channels[token]?.stream?.received(bytes)
        } else if !event.readiness.isDisjoint(with: [.failed, .hungUp]) {
            // Nobody reads the answers any more, and reported it would be again and again.
            return close(token, events)
        }
        unsettled.insert(token)
    }

    /// Takes connections' further queries and writes their answers until each waits for its client or an upstream.
    private mutating func settle(_ events: borrowing EventQueue, now: Instant) {
        while let token = unsettled.popFirst() {
            guard case .connection(let task) = watched[token] else { continue }
            while let message = channels[token]?.stream?.nextQuery(now: now) {
                if !query(message, NameClient(.tcp(connection: token)), task, events, now: now) {
                    channels[token]?.stream?.answered()
                }
            }
            let before = channels[token]?.stream?.waitingOutput.count ?? 0
            unsettled.remove(token)
            guard flush(token, events, now: now) else {
                close(token, events)
                continue
            }
            // What was written may have made room for queries that are here already.
            let after = channels[token]?.stream?.waitingOutput.count ?? 0
            if after < before, channels[token]?.stream?.hasMessage == true { unsettled.insert(token) }
        }
    }

    private mutating func serveExchange(
        _ event: EventQueue.Event, _ task: TaskID, _ exchange: UInt64, _ events: borrowing EventQueue, now: Instant
    ) {
        let token = event.token
        guard let channel = channels[token] else { return }
        guard channel.stream != nil else {
            guard let bytes = read(token) else { return fail(task, exchange, events, now: now) }
            return take(bytes, task, exchange, events, now: now)
        }
        if event.readiness.contains(.writable), !flush(token, events, now: now) {
            return fail(task, exchange, events, now: now)
        }
        guard let bytes = read(token) else { return fail(task, exchange, events, now: now) }
        channels[token]?.stream?.received(bytes)
        while let message = channels[token]?.stream?.takeMessage() { take(message, task, exchange, events, now: now) }
    }

    private mutating func take(
        _ message: [UInt8], _ task: TaskID, _ exchange: UInt64, _ events: borrowing EventQueue, now: Instant
    ) {
        guard !message.isEmpty else { return }
        let directives = containers[task]?.resolver.onUpstreamAnswer(message, exchange: exchange) ?? []
        perform(directives, task, events, now: now)
    }

    private mutating func fail(
        _ task: TaskID, _ exchange: UInt64, _ events: borrowing EventQueue, now: Instant
    ) {
        let directives =
            containers[task]?.resolver.onUpstreamFailure(exchange: exchange, now: now, using: &random) ?? []
        perform(directives, task, events, now: now)
    }

    // MARK: Directives

    private mutating func perform(
        _ directives: [NameDirective], _ task: TaskID, _ events: borrowing EventQueue, now: Instant
    ) {
        for directive in directives {
            switch directive {
            case .answer(let bytes, let client): answer(bytes, client, task)
            case .close(let exchange):
                if let token = tokenOfExchange[exchange] { close(token, events) }
            case .ask(let bytes, let upstream, let exchange, let isStream):
                if !ask(bytes, upstream, exchange, isStream: isStream, task, events, now: now) {
                    fail(task, exchange, events, now: now)
                }
            }
        }
    }

    private mutating func answer(_ bytes: [UInt8], _ client: NameClient, _ task: TaskID) {
        switch client.transport {
        case .udp(let address, let port):
            guard let socket = containers[task]?.container.udp else { return }
            InternetSocket.send(bytes, to: address, port: port, on: socket.descriptor)
        case .tcp(let token):
            guard channels[token] != nil else { return }
            channels[token]?.stream?.answered()
            channels[token]?.stream?.append(bytes)
            unsettled.insert(token)
        }
    }

    private mutating func ask(
        _ bytes: [UInt8], _ upstream: String, _ exchange: UInt64, isStream: Bool, _ task: TaskID,
        _ events: borrowing EventQueue, now: Instant
    ) -> Bool {
        do throws(Errno) {
            let socket =
                isStream
                ? try InternetSocket.connectTCP(upstream, port: 53)
                : try InternetSocket.connectUDP(upstream, port: 53)
            if !isStream { try socket.write(all: bytes) }
            let shared = SharedDescriptor(socket)
            let interest: EventQueue.Interest = isStream ? [.readable, .writable] : .readable
            guard let token = watch(.exchange(task, exchange), shared, events, interest) else { return false }
            // The resolver has the deadlines of these.
            var channel = Channel(socket: shared)
            if isStream {
                channel.stream = MessageStream(patience: patience, now: now)
                channel.stream?.append(bytes)
            }
            channels[token] = channel
            tokenOfExchange[exchange] = token
            return true
        } catch {
            return false
        }
    }
}
