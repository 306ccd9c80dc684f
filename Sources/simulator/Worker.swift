import Glibc
import Simulation

/// Runs some seeds and tells of each on standard output, a line before it and a line after it: a seed that crashes the
/// process is the one that was begun last.
enum Worker {
    enum Line {
        case begun(seed: UInt64)
        case passed(simulated: Microseconds, counts: [Int])
        case failed(seed: UInt64, isLiveness: Bool, text: String)

        init?(_ text: String) {
            let words = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            switch words.first {
            case "begun" where words.count == 2:
                guard let seed = UInt64(words[1]) else { return nil }
                self = .begun(seed: seed)
            case "passed" where words.count == 3:
                guard let simulated = Int(words[1]) else { return nil }
                self = .passed(simulated: simulated, counts: words[2].split(separator: ",").compactMap { Int($0) })
            case "safety" where words.count == 3, "liveness" where words.count == 3:
                guard let seed = UInt64(words[1]) else { return nil }
                self = .failed(seed: seed, isLiveness: words[0] == "liveness", text: String(words[2]))
            default: return nil
            }
        }
    }

    static func run(first: UInt64, count: UInt64) {
        for seed in first..<first + count {
            say("begun \(seed)")
            let result = Simulation(seed: seed).run()
            switch result.violation {
            case nil:
                let counts = result.coverage.counts.map { "\($0)" }.joined(separator: ",")
                say("passed \(result.simulated) \(counts)")
            case .safety(let text): say("safety \(seed) \(text)")
            case .liveness(let text): say("liveness \(seed) \(text)")
            }
        }
    }

    private static func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}
