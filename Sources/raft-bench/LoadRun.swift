import Glibc
import NIOCore

/// So many clients, each of which writes again as soon as its last write is acknowledged.
struct LoadRun: Sendable {
    var clients: Int
    var warmup: TimeAmount
    var measured: TimeAmount
    var valueBytes: Int
    var prefix: String

    func perform(_ peer: RaftBench.Peer, _ connector: Connector) async throws -> LoadReport {
        let before = ProcessTime.now
        // All connections are there before the first write.
        let finished = try await withThrowingTaskGroup(of: EventLoopFuture<ClientReport>.self) { group in
            for number in 0..<clients {
                group.addTask {
                    let client = ClientSettings(run: self, number: number)
                    switch peer {
                    case .swarm: return try await ConfigWriter.connect(client, connector)
                    case .ping: return try await ConfigWriter.connect(client, isPing: true, connector)
                    case .etcd: return try await KeyWriter.connect(client, connector)
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        var reports: [ClientReport] = []
        for future in finished { reports.append(try await future.get()) }
        return LoadReport(reports, seconds: Double(measured.nanoseconds) / 1e9, cpuSeconds: ProcessTime.now - before)
    }
}

struct ClientSettings: Sendable {
    var run: LoadRun
    var number: Int

    /// Bytes that no compression shortens, the same for every run.
    var value: [UInt8] {
        var state = UInt64(truncatingIfNeeded: number) &* 0x9e37_79b9_7f4a_7c15 | 1
        return (0..<run.valueBytes).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }

    func name(_ sequence: Int) -> String { "\(run.prefix)-\(number)-\(sequence)" }
}

/// What a client saw.
struct ClientReport: Sendable {
    /// Microseconds of each acknowledged write in the measured time.
    var latencies: [UInt32] = []
    var acknowledged = 0
    var failures = 0
    var firstFailure: String?
}

/// The clock and the books of one client.
struct ClientJournal {
    private(set) var report = ClientReport()
    private var measureFrom: NIODeadline
    private var end: NIODeadline
    private var sentAt = NIODeadline.now()
    private(set) var sequence = 0

    init(_ run: LoadRun) {
        measureFrom = .now() + run.warmup
        end = measureFrom + run.measured
    }

    mutating func sends() -> Int {
        sequence += 1
        sentAt = .now()
        return sequence
    }

    /// - Returns: whether another write is due.
    mutating func answered(failure: String?) -> Bool {
        let now = NIODeadline.now()
        if let failure {
            report.failures += 1
            report.firstFailure = report.firstFailure ?? failure
        } else {
            report.acknowledged += 1
            if now >= measureFrom, now < end {
                report.latencies.append(UInt32(clamping: (now - sentAt).nanoseconds / 1000))
            }
        }
        return now < end
    }
}

/// What all clients of a run saw.
struct LoadReport {
    private var latencies: [UInt32]
    private var acknowledged: Int
    private var failures: Int
    private var firstFailure: String?
    private var seconds: Double
    private var cpuSeconds: Double

    init(_ reports: [ClientReport], seconds: Double, cpuSeconds: Double) {
        latencies = reports.flatMap(\.latencies).sorted()
        acknowledged = reports.reduce(0) { $0 + $1.acknowledged }
        failures = reports.reduce(0) { $0 + $1.failures }
        firstFailure = reports.compactMap(\.firstFailure).first
        self.seconds = seconds
        self.cpuSeconds = cpuSeconds
    }

    private func milliseconds(_ share: Double) -> String {
        guard !latencies.isEmpty else { return "null" }
        let index = min(latencies.count - 1, Int(share * Double(latencies.count)))
        return rounded(Double(latencies[index]) / 1000)
    }

    private func rounded(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }

    func json(peer: String, clients: Int) -> String {
        let members = [
            "\"peer\":\"\(peer)\"", "\"clients\":\(clients)",
            "\"per_s\":\(Int(Double(latencies.count) / seconds))", "\"p50_ms\":\(milliseconds(0.5))",
            "\"p99_ms\":\(milliseconds(0.99))", "\"max_ms\":\(milliseconds(1))", "\"acknowledged\":\(acknowledged)",
            "\"failures\":\(failures)", "\"client_cpu_s\":\(rounded(cpuSeconds))",
            "\"first_failure\":\(firstFailure.map { "\"\(String($0.filter { $0 != "\"" && $0 != "\\" && !$0.isNewline }.prefix(200)))\"" } ?? "null")",
        ]
        return "{" + members.joined(separator: ",") + "}"
    }
}

/// Processor time of this process, in seconds.
enum ProcessTime {
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
