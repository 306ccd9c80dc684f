import Foundation
import Simulation
import Testing

/// `SEED=n` runs one seed, `SEEDS=n` the first n.
@Suite struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment

    private static var seeds: [UInt64] {
        if let seed = environment["SEED"].flatMap(UInt64.init) { return [seed] }
        return Array(1...(environment["SEEDS"].flatMap(UInt64.init) ?? 60))
    }

    private func run(_ seed: UInt64) -> SimulationResult {
        let result = Simulation(seed: seed).run()
        if let violation = result.violation {
            Issue.record(
                "seed \(seed): \(violation); see it: make simulate, .build/core/release/simulator --trace \(seed)")
        }
        return result
    }

    @Test func clustersKeepTheirPromisesUnderFaults() {
        var coverage = Coverage()
        for seed in Self.seeds { coverage += run(seed).coverage }
        guard Self.seeds.count >= 60 else { return }
        // A simulation in which nothing happens proves nothing.
        #expect(coverage[.writeAcknowledged] > 50 * Self.seeds.count)
        #expect(coverage[.leaderElected] > 2 * Self.seeds.count)
        #expect(coverage[.tornTailCut] > 0)
        #expect(coverage[.damageRefused] > 0)
        #expect(coverage[.clusterConverged] == Self.seeds.count)
    }

    /// Seeds that once found a bug, or nearly one: `testdata/ledger.txt`.
    @Test func seedsOfTheLedgerPass() throws {
        let url = try #require(Bundle.module.url(forResource: "testdata/ledger", withExtension: "txt"))
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
        for line in lines where !line.hasPrefix("#") {
            let seed = try #require(line.split(separator: " ").first.flatMap { UInt64($0) }, "\(line)")
            _ = run(seed)
        }
    }

    @Test func seedIsTheWholeRun() {
        var stories: [[String]] = [[], []]
        for attempt in 0...1 { _ = Simulation(seed: 7) { stories[attempt].append($0) }.run() }
        #expect(stories[0].count > 20)
        #expect(stories[0] == stories[1])
    }
}
