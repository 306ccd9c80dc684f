import Foundation
import Testing

/// `SEED=n` runs one seed, `SEEDS=n` that many of each size.
@Suite struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    static var seeds: [UInt64] {
        if let seed = environment["SEED"].flatMap(UInt64.init) { return [seed] }
        return Array(1...(environment["SEEDS"].flatMap(UInt64.init) ?? 100))
    }

    @Test(arguments: [3, 5]) func clusterKeepsItsPromisesUnderFaults(serverCount: Int) throws {
        var counts = SimulationCounts()
        for seed in Self.seeds {
            var simulator = try Simulator(seed: seed, serverCount: serverCount)
            do {
                try simulator.run()
            } catch {
                Issue.record("seed \(seed), \(serverCount) servers: \(error); \(simulator.options)")
            }
            counts += simulator.counts
        }
        guard Self.seeds.count >= 100 else { return }
        // A simulation in which nothing happens proves nothing.
        let runs = Self.seeds.count
        #expect(counts.applied > UInt64(100 * runs))
        #expect(counts.elections > 3 * runs)
        #expect(counts.crashes > runs)
        #expect(counts.snapshotsInstalled > runs / 2)
        #expect(counts.readsServed > 2 * runs)
        #expect(counts.truncations > runs / 4)
        if serverCount > 3 { #expect(counts.membershipChanges > runs) }
        print(counts)
    }
}
