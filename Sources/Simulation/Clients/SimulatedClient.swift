import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import Primitives

/// Somebody who reads and writes registers, one operation at a time, through one manager or another.
final class SimulatedClient {
    private static let timeout: Microseconds = 3_000_000

    private unowned let world: Simulation
    private let number: Int
    private var target: RaftID = 1
    /// What it last saw of each register.
    private var known: [Int: (version: UInt64, value: UInt64)] = [:]
    private var calls = 0
    private var isThinking = false
    /// Counts what it thought of: a thought that was overtaken is dropped.
    private var thoughts = 0

    init(_ number: Int, in world: Simulation) {
        self.number = number
        self.world = world
    }

    func start() { think() }

    private func think() {
        isThinking = true
        thoughts += 1
        let thought = thoughts
        world.scheduler.after(world.chance.pick(0...2_000 * world.options.thinkMilliseconds)) { [self] in
            if world.isOverForClients || thought != thoughts { return }
            operate()
        }
    }

    /// Has its next operation at once, there, unless one is under way.
    func hurry(to manager: RaftID, writing isWrite: Bool) {
        guard isThinking, !world.isOverForClients else { return }
        thoughts += 1
        isThinking = false
        calls += 1
        target = manager
        let key = world.chance.pick(0...world.options.keys - 1)
        if isWrite { write(key) } else { read(key) }
    }

    private func operate() {
        isThinking = false
        calls += 1
        if world.chance.percent(15) { target = world.chance.pick(world.managers)?.id ?? target }
        let key = world.chance.pick(0...world.options.keys - 1)
        if world.chance.percent(world.options.readPercent) { read(key) } else { write(key) }
    }

    // MARK: Reads

    private func read(_ key: Int) {
        let call = calls
        let operation = world.history.call(key, number, .read, at: world.now)
        timeOut(call)
        submit(
            .read { [self] outcome in
                guard calls == call else { return }
                switch outcome {
                case .state(let tables):
                    let config = tables.configs[SimulatedClient.id(of: key)]
                    let value = config.map { SimulatedClient.value(in: $0.data) } ?? 0
                    world.history.finish(key, operation, .value(value), at: world.now)
                    known[key] = config.map { ($0.meta.version, value) }
                    if let config { world.saw(value, version: config.meta.version) }
                case .notTaken(let leader): follow(leader)
                case .unknown: break
                }
                finish()
            })
    }

    // MARK: Writes

    private func write(_ key: Int) {
        let call = calls
        let seen = known[key]
        let isDeletion = seen != nil && world.chance.percent(8)
        let value = isDeletion ? 0 : world.nextValue()
        let operation = world.history.call(
            key, number, .compareAndSet(expected: seen?.value ?? 0, new: value), at: world.now)
        let transaction = Transaction(
            [change(key, seen: seen?.version, value)], time: world.wallClock(of: target))
        timeOut(call)
        submit(
            .propose(transaction.encoded()) { [self] outcome in
                guard calls == call else { return }
                switch outcome {
                case .applied(let index):
                    world.coverage.note(.writeAcknowledged)
                    world.history.finish(key, operation, .set, at: world.now)
                    known[key] = value == 0 ? nil : (index, value)
                    if value != 0 { world.saw(value, version: index) }
                case .refused:
                    world.coverage.note(.writeRefusedAsStale)
                    world.history.finish(key, operation, .refused, at: world.now)
                    known[key] = nil
                    return finish { self.read(key) }
                case .notTaken(let leader):
                    world.history.withdraw(key, operation)
                    follow(leader)
                case .unknown:
                    world.coverage.note(.writeOfUnknownOutcome)
                }
                finish()
            })
    }

    private func change(_ key: Int, seen version: UInt64?, _ value: UInt64) -> Change {
        let id = SimulatedClient.id(of: key)
        if value == 0 { return .delete(.config(id), version: version) }
        var writer = ByteWriter()
        writer.write(value)
        writer.write(bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: value), count: world.options.valueBytes))
        let config = Config(
            id: id, meta: Meta(version: version ?? 0), name: "register-\(key)", data: writer.bytes)
        return version == nil ? .create(.config(config)) : .update(.config(config), bySpec: true)
    }

    static func id(of key: Int) -> ConfigID { ConfigID(value: UInt128(key + 1)) }

    private static func value(in data: [UInt8]) -> UInt64 {
        data.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: On the way

    private func follow(_ leader: RaftID?) {
        target = leader ?? world.chance.pick(world.managers)?.id ?? target
    }

    /// A process that is gone takes nothing, and then never answers.
    private func submit(_ input: ManagerInput) {
        let target = target
        world.scheduler.after(world.chance.pick(0...1_000)) { [self] in
            guard let process = world.manager(target)?.process else {
                switch input {
                case .propose(_, let completion): completion(.notTaken(leader: nil))
                case .read(let completion): completion(.notTaken(leader: nil))
                default: break
                }
                return
            }
            process.push(input)
        }
    }

    private func timeOut(_ call: Int) {
        world.scheduler.after(Self.timeout) { [self] in
            guard calls == call else { return }
            target = world.chance.pick(world.managers)?.id ?? target
            finish()
        }
    }

    private func finish(_ next: (() -> Void)? = nil) {
        calls += 1
        if let next { next() } else { think() }
    }
}
