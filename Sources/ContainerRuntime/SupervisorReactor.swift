import Glibc
import LinuxSystem
import Primitives
import Synchronization

/// One thread that reads the control sockets of all supervisors.
final class SupervisorReactor: Sendable {
    private struct Registry {
        var connections: [UInt64: SupervisorConnection] = [:]
        var nextToken: UInt64 = 1
    }

    private static let wakeToken: UInt64 = 0
    /// How exactly the deadlines of requests are kept.
    private static let deadlineStepMilliseconds: Int32 = 100

    private let events: EventQueue
    private let wakeUp: WakeUp
    private let registry = Mutex(Registry())

    /// The thread lives as long as the program.
    init() throws(Errno) {
        events = try EventQueue()
        wakeUp = try WakeUp()
        try events.add(wakeUp.descriptor, token: SupervisorReactor.wakeToken)
        try SystemThread.start(name: "supervisors") { [self] in serve() }
    }

    func add(_ connection: SupervisorConnection) throws(Errno) {
        let token = registry.withLock { registry in
            let token = registry.nextToken
            registry.nextToken += 1
            registry.connections[token] = connection
            return token
        }
        connection.whenRequesting { [weak self] in self?.wakeUp.signal() }
        do throws(Errno) {
            try events.add(connection.socket.descriptor, token: token)
        } catch {
            registry.withLock { $0.connections[token] = nil }
            throw error
        }
    }

    private func serve() {
        while true {
            let connections = registry.withLock { Array($0.connections.values) }
            let hasDeadline = connections.contains { $0.hasDeadline }
            let timeout = hasDeadline ? SupervisorReactor.deadlineStepMilliseconds : nil
            guard let ready = try? events.wait(timeoutMilliseconds: timeout) else { return }
            for event in ready {
                if event.token == SupervisorReactor.wakeToken {
                    wakeUp.clear()
                } else if let connection = registry.withLock({ $0.connections[event.token] }), !connection.read() {
                    registry.withLock { $0.connections[event.token] = nil }
                    try? events.remove(connection.socket.descriptor)
                    connection.ended()
                }
            }
            if hasDeadline {
                let now = Clock.now
                for connection in connections { connection.expire(now) }
            }
        }
    }
}
