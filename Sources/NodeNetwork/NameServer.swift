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
    private let patience: Duration

    /// `patience`: how long a TCP connection may be without a query, or its client without reading.
    init(patience: Duration = .seconds(NetworkLimits.nameConnectionSeconds)) throws(Errno) {
        self.patience = patience
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
        var loop = NameLoop(patience: patience)
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
