import ClusterModel
import LinuxSystem
import NameService
import Primitives
import Synchronization

/// The resolver of all containers of the node: one thread, a socket pair in each container's namespace.
final class NameServer: Sendable {
    /// A container to answer for.
    struct Container: Sendable {
        var task: TaskID
        var networks: [NetworkID]
        var udp: SharedDescriptor
        var tcp: SharedDescriptor
        /// nil: the host's.
        var upstreams: [String]?
    }

    enum Command: Sendable {
        case serve(Container)
        case forget(TaskID)
        /// nil: not known yet.
        case tables([NetworkID: NameTable]?)
        case upstreams([String])
        case stop
    }

    private let commands = Mutex<[Command]>([])
    private let wakeUp: WakeUp
    private let events: EventQueue

    init() throws(Errno) {
        wakeUp = try WakeUp()
        events = try EventQueue()
        try events.add(wakeUp.descriptor, token: 0)
    }

    /// Starts the thread in the calling thread's namespace, from which other resolvers are asked.
    func start() throws(Errno) {
        try SystemThread.start(name: "names") { [self] in work() }
    }

    func post(_ command: Command) {
        commands.withLock { $0.append(command) }
        wakeUp.signal()
    }

    private func work() {
        var loop = NameLoop()
        while true {
            let arrived = commands.withLock { commands in
                defer { commands.removeAll() }
                return commands
            }
            for command in arrived {
                if case .stop = command { return }
                loop.on(command, events)
            }
            guard let ready = try? events.wait(timeoutMilliseconds: loop.timeoutMilliseconds(now: Clock.now)) else {
                continue
            }
            let now = Clock.now
            for event in ready {
                if event.token == 0 { wakeUp.clear() } else { loop.onReady(event, events, now: now) }
            }
            loop.onTick(events, now: now)
        }
    }
}

/// What the resolver's thread owns.
private struct NameLoop {
    private enum Watched {
        case udp(TaskID)
        case listener(TaskID)
        case connection(TaskID)
        case exchange(TaskID, UInt64)
    }

    private struct Served {
        var container: NameServer.Container
        var resolver: NameResolver
    }

    /// A TCP connection of a client, or of ours to an upstream.
    private struct Stream {
        var socket: SharedDescriptor
        var isStream: Bool
        var input: [UInt8] = []
        var output: [UInt8] = []
        var deadline: Instant
    }

    private var containers: [TaskID: Served] = [:]
    private var watched: [UInt64: Watched] = [:]
    private var streams: [UInt64: Stream] = [:]
    private var tokenOfExchange: [UInt64: UInt64] = [:]
    private var lastToken: UInt64 = 0
    private var serial: UInt64 = 0
    private var tables: [NetworkID: NameTable]?
    private var upstreams: [String] = []
    private var random = SystemRandomNumberGenerator()

    func timeoutMilliseconds(now: Instant) -> Int32? {
        let deadlines = containers.values.compactMap(\.resolver.nextDeadline) + streams.values.map(\.deadline)
        guard let next = deadlines.min() else { return nil }
        return Int32(clamping: max(0, (next - now).wholeMilliseconds + 1))
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
        guard let tables else { return nil }
        return container.networks.map { tables[$0] ?? NameTable() }
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
        if case .exchange(_, let exchange) = watched.removeValue(forKey: token) {
            tokenOfExchange.removeValue(forKey: exchange)
        }
        if let stream = streams.removeValue(forKey: token) { try? events.remove(stream.socket.descriptor) }
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
    }

    mutating func onTick(_ events: borrowing EventQueue, now: Instant) {
        for task in containers.keys.sorted() where (containers[task]?.resolver.nextDeadline).map({ $0 <= now }) == true
        {
            let directives = containers[task]?.resolver.onTick(now: now, using: &random) ?? []
            perform(directives, task, events, now: now)
        }
        for (token, stream) in streams where stream.deadline <= now {
            if case .connection = watched[token] { close(token, events) }
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

    private mutating func query(
        _ bytes: [UInt8], _ client: NameClient, _ task: TaskID, _ events: borrowing EventQueue, now: Instant
    ) {
        let directives = containers[task]?.resolver.onQuery(bytes, from: client, now: now, using: &random) ?? []
        perform(directives, task, events, now: now)
    }

    private mutating func accept(_ task: TaskID, _ events: borrowing EventQueue, now: Instant) {
        while let listener = containers[task]?.container.tcp, let socket = InternetSocket.accept(listener.descriptor) {
            if streams.count >= NetworkLimits.nameConnections { continue }
            let shared = SharedDescriptor(socket)
            guard let token = watch(.connection(task), shared, events) else { continue }
            streams[token] = Stream(
                socket: shared, isStream: true, deadline: now + .seconds(NetworkLimits.nameConnectionSeconds))
        }
    }

    /// Reads what is there; nil when the other end is gone.
    private mutating func read(_ token: UInt64) -> [UInt8]? {
        guard let socket = streams[token]?.socket else { return nil }
        do throws(Errno) {
            let bytes = try socket.descriptor.read(upTo: NameLimits.greatestMessageBytes)
            return bytes.isEmpty ? nil : bytes
        } catch {
            return error == .tryAgain ? [] : nil
        }
    }

    /// The next whole message of a stream (RFC 1035 section 4.2.2).
    private mutating func nextMessage(_ token: UInt64) -> [UInt8]? {
        guard let input = streams[token]?.input, input.count >= 2 else { return nil }
        let length = Int(input[0]) << 8 | Int(input[1])
        guard input.count >= 2 + length else { return nil }
        streams[token]?.input.removeFirst(2 + length)
        return Array(input[2..<2 + length])
    }

    /// False when the stream is broken.
    private mutating func flush(_ token: UInt64, _ events: borrowing EventQueue) -> Bool {
        guard let stream = streams[token] else { return false }
        do throws(Errno) {
            var rest = stream.output[...]
            if !rest.isEmpty { rest = rest.dropFirst(try InternetSocket.write(rest, to: stream.socket.descriptor)) }
            streams[token]?.output = Array(rest)
            try events.change(
                stream.socket.descriptor, token: token, rest.isEmpty ? .readable : [.readable, .writable])
            return true
        } catch {
            return false
        }
    }

    private mutating func serveConnection(
        _ event: EventQueue.Event, _ task: TaskID, _ events: borrowing EventQueue, now: Instant
    ) {
        let token = event.token
        if event.readiness.contains(.writable), !flush(token, events) { return close(token, events) }
        guard let bytes = read(token) else { return close(token, events) }
        streams[token]?.input += bytes
        streams[token]?.deadline = now + .seconds(NetworkLimits.nameConnectionSeconds)
        while let message = nextMessage(token) {
            query(message, NameClient(.tcp(connection: token)), task, events, now: now)
        }
    }

    private mutating func serveExchange(
        _ event: EventQueue.Event, _ task: TaskID, _ exchange: UInt64, _ events: borrowing EventQueue, now: Instant
    ) {
        let token = event.token
        guard let stream = streams[token] else { return }
        var message: [UInt8]?
        if stream.isStream {
            if event.readiness.contains(.writable), !flush(token, events) {
                return fail(task, exchange, events, now: now)
            }
            guard let bytes = read(token) else { return fail(task, exchange, events, now: now) }
            streams[token]?.input += bytes
            message = nextMessage(token)
        } else {
            guard let bytes = read(token) else { return fail(task, exchange, events, now: now) }
            message = bytes
        }
        guard let message, !message.isEmpty else { return }
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
            case .answer(let bytes, let client): answer(bytes, client, task, events)
            case .close(let exchange):
                if let token = tokenOfExchange[exchange] { close(token, events) }
            case .ask(let bytes, let upstream, let exchange, let isStream):
                if !ask(bytes, upstream, exchange, isStream: isStream, task, events, now: now) {
                    fail(task, exchange, events, now: now)
                }
            }
        }
    }

    private mutating func answer(
        _ bytes: [UInt8], _ client: NameClient, _ task: TaskID, _ events: borrowing EventQueue
    ) {
        switch client.transport {
        case .udp(let address, let port):
            guard let socket = containers[task]?.container.udp else { return }
            InternetSocket.send(bytes, to: address, port: port, on: socket.descriptor)
        case .tcp(let token):
            guard streams[token] != nil, bytes.count <= NameLimits.greatestMessageBytes else { return }
            streams[token]?.output += [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes
            if !flush(token, events) { close(token, events) }
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
            // The resolver has deadlines of its own for these; this one only bounds a loss.
            var stream = Stream(socket: shared, isStream: isStream, deadline: now + .seconds(3_600))
            if isStream { stream.output = [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes }
            streams[token] = stream
            tokenOfExchange[exchange] = token
            return true
        } catch {
            return false
        }
    }
}
