import Foundation
import Simulation
import Testing

/// `SEED=n` runs one seed, `SEEDS=n` the first n; the phase of faults is short, as the code is not optimized here.
@Suite struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let faultSeconds = 3

    private static var seeds: [UInt64] {
        if let seed = environment["SEED"].flatMap(UInt64.init) { return [seed] }
        return Array(1...(environment["SEEDS"].flatMap(UInt64.init) ?? 100))
    }

    private func run(_ seed: UInt64, faultSeconds: Int) -> SimulationResult {
        let result = Simulation(seed: seed, faultSeconds: faultSeconds).run()
        if let violation = result.violation {
            Issue.record(
                """
                seed \(seed): \(violation)
                to see it again: simulator --trace \(seed) --fault-seconds \(faultSeconds)
                """)
        }
        return result
    }

    @Test func clustersKeepTheirPromisesUnderFaults() {
        var coverage = Coverage()
        for seed in Self.seeds { coverage += run(seed, faultSeconds: Self.faultSeconds).coverage }
        guard Self.seeds.count >= 100 else { return }
        // A simulation in which nothing happens proves nothing.
        #expect(coverage[.writeAcknowledged] > 5 * Self.seeds.count)
        #expect(coverage[.leaderElected] > Self.seeds.count)
        #expect(coverage[.readByLease] > Self.seeds.count)
        #expect(coverage[.tornTailCut] > 0)
        #expect(coverage[.containerStarted] > 20)
        #expect(coverage[.nodeRetired] > 10)
        #expect(coverage[.managersSwapped] > 0)
        #expect(coverage[.clusterConverged] == Self.seeds.count)
    }

    /// Each line: a seed, the length of its phase of faults, and what it found.
    @Test func seedsOfTheLedgerPass() throws {
        let url = try #require(Bundle.module.url(forResource: "testdata/ledger", withExtension: "txt"))
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }
        for line in lines {
            let words = line.split(separator: " ")
            let seed = try #require(words.first.flatMap { UInt64($0) }, "\(line)")
            let faultSeconds = try #require(words.dropFirst().first.flatMap { Int($0) }, "\(line)")
            _ = run(seed, faultSeconds: faultSeconds)
        }
        #expect(!lines.isEmpty)
    }

    @Test func seedIsTheWholeRun() {
        var stories: [[String]] = [[], []]
        for attempt in 0...1 {
            _ = Simulation(seed: 12, faultSeconds: Self.faultSeconds) { stories[attempt].append($0) }.run()
        }
        #expect(stories[0].count > 20)
        #expect(stories[0] == stories[1])
    }

    /// What was never seen is named: `simulator` fails for it.
    @Test func coverageNamesWhatIsMissing() {
        #expect(Coverage().missing.contains("fault tornWrite"))
        let coverage = Simulation(seed: 1, faultSeconds: 1).run().coverage
        #expect(!coverage.missing.contains("directive send"))
        var sum = coverage
        sum += coverage
        #expect(sum[.leaderElected] == 2 * coverage[.leaderElected])
    }
}
