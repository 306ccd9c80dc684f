import Foundation
import Testing

/// `SEED=n` runs one seed, `SEEDS=n` that many of each size.
@Suite struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    static var seeds: [UInt64] {
        if let seed = environment["SEED"].flatMap(UInt64.init) { return [seed] }
        return Array(1...(environment["SEEDS"].flatMap(UInt64.init) ?? 50))
    }

    @Test(arguments: [3, 5]) func clusterKeepsItsPromisesUnderFaults(serverCount: Int) throws {
        var applied: UInt64 = 0
        var elections = 0
        for seed in Self.seeds {
            var simulator = try Simulator(seed: seed, serverCount: serverCount)
            do {
                applied += try simulator.run()
            } catch {
                Issue.record("seed \(seed), \(serverCount) servers: \(error); \(simulator.options)")
            }
            elections += simulator.elections
        }
        // A simulation in which nothing happens proves nothing.
        #expect(applied > UInt64(20 * Self.seeds.count))
        #expect(elections > Self.seeds.count)
    }
}
