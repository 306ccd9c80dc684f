import Foundation
import Synchronization

/// Registers in a real cluster: configs, whose label holds a value that nobody else writes.
///
/// A value bears one version for ever, so the version check of an update is a comparison with the value that was read.
final class RegisterClients: Sendable {
    private struct State {
        var history = RegisterHistory()
        var nextValue: UInt64 = 1
        var nextClient = 0
    }

    private let sockets: [String]
    private let keys: [String]
    private let state = Mutex(State())
    private let hasEnded = Mutex(false)
    private let running = DispatchGroup()

    /// - Parameter sockets: of the managers.
    init(sockets: [String], keys: [String]) {
        self.sockets = sockets
        self.keys = keys
    }

    var history: RegisterHistory { state.withLock { $0.history } }

    /// Clients that go on until ``end()``, each with at most so many operations.
    func start(_ count: Int, operations: Int) {
        for number in 0..<count {
            running.enter()
            Thread { [self] in
                run(startingAt: number, operations: operations)
                running.leave()
            }.start()
        }
    }

    func end() {
        hasEnded.withLock { $0 = true }
        running.wait()
    }

    private static func now() -> Int { Int(nanoseconds(of: CLOCK_MONOTONIC)) }

    private func freshClient() -> Int {
        state.withLock { state in
            state.nextClient += 1
            return state.nextClient
        }
    }

    private func run(startingAt first: Int, operations: Int) {
        var manager = first
        var client = freshClient()
        for _ in 0..<operations where !hasEnded.withLock({ $0 }) {
            // The impatient leave writes behind whose outcome they do not know.
            let socket = SocketClient(
                path: sockets[manager % sockets.count], timeoutMilliseconds: Int.random(in: 100...2000))
            let key = keys.randomElement() ?? keys[0]
            switch step(key, socket, client) {
            case .done: break
            case .unanswered: manager += 1
            case .unknown:
                // Its write is under way for ever: what follows is somebody else's.
                client = freshClient()
                manager += 1
            }
            usleep(UInt32.random(in: 500...8_000))
        }
    }

    private enum Step { case done, unanswered, unknown }

    /// A read, and in half of the cases a write that is based on it.
    private func step(_ key: String, _ socket: SocketClient, _ client: Int) -> Step {
        let number = state.withLock { $0.history.read(key, client: client, at: Self.now()) }
        guard case .status(200, let body) = socket.request("GET", "/configs/\(key)"),
            let register = Register(body)
        else {
            state.withLock { $0.history.withdraw(number) }
            return .unanswered
        }
        state.withLock { $0.history.sawValue(number, register.value, at: Self.now()) }
        guard Bool.random() else { return .done }
        return write(key, register, socket, client)
    }

    private func write(_ key: String, _ register: Register, _ socket: SocketClient, _ client: Int) -> Step {
        let (new, number) = state.withLock { state in
            state.nextValue += 1
            let number = state.history.compareAndSet(
                key, client: client, expected: register.value, new: state.nextValue, at: Self.now())
            return (state.nextValue, number)
        }
        let answer = socket.request(
            "POST", "/configs/\(register.id)/update?version=\(register.version)", body: register.body(with: new))
        return state.withLock { state in
            switch answer {
            case .status(200, _): state.history.wasSet(number, true, at: Self.now())
            case .status(409, _): state.history.wasSet(number, false, at: Self.now())
            case .notSent:
                state.history.withdraw(number)
                return .unanswered
            case .status, .lost: return .unknown
            }
            return .done
        }
    }

    private static func nanoseconds(of clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

/// A config as the API shows it.
struct Register {
    let id: String
    let version: Int
    let value: UInt64
    private let name: String
    private let data: String

    init?(_ body: Data) {
        guard let object = try? JSONSerialization.jsonObject(with: body) as? [String: Any],
            let id = object["ID"] as? String, let version = (object["Version"] as? [String: Any])?["Index"] as? Int,
            let spec = object["Spec"] as? [String: Any], let name = spec["Name"] as? String,
            let value = (spec["Labels"] as? [String: String])?["value"].flatMap(UInt64.init)
        else { return nil }
        (self.id, self.version, self.value, self.name) = (id, version, value, name)
        data = spec["Data"] as? String ?? ""
    }

    func body(with value: UInt64) -> Data {
        Self.body(name, data, value)
    }

    static func body(_ name: String, _ data: String, _ value: UInt64) -> Data {
        Data("{\"Name\":\"\(name)\",\"Data\":\"\(data)\",\"Labels\":{\"value\":\"\(value)\"}}".utf8)
    }
}
