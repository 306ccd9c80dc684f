import Glibc
import Simulation

enum ExitCode {
    static let safety: Int32 = 1
    static let liveness: Int32 = 2
    static let incomplete: Int32 = 3
    static let crash: Int32 = 4
    static let usage: Int32 = 64
    /// EX_OSERR of sysexits.h.
    static let resources: Int32 = 71
}

func runOne(_ seed: UInt64, faultSeconds: Int?, isTraced: Bool) -> Int32 {
    let result = Simulation(seed: seed, faultSeconds: faultSeconds, story: isTraced ? { print($0) } : nil).run()
    if !isTraced { print("options: \(SimulationOptions(seed: seed))") }
    print("seed \(seed): \(Double(result.simulated) / 1_000_000) simulated seconds, digest \(result.digest)")
    switch result.violation {
    case nil:
        print("all is well")
        return 0
    case .safety(let text):
        print("safety: \(text)")
        return ExitCode.safety
    case .liveness(let text):
        print("liveness: \(text)")
        return ExitCode.liveness
    }
}

do throws(UsageError) {
    switch try Request(Array(CommandLine.arguments.dropFirst())) {
    case .help: print(Request.usage)
    case .worker(let first, let count): Worker.run(first: first, count: count)
    case .one(let seed, let faultSeconds, let isTraced):
        exit(runOne(seed, faultSeconds: faultSeconds, isTraced: isTraced))
    case .seeds(let first, let count, let stopsAtFailure):
        var campaign = Campaign(first: first, count: count, stopsAtFailure: stopsAtFailure)
        exit(campaign.run())
    }
} catch {
    print("simulator: \(error.description)\n\(Request.usage)")
    exit(ExitCode.usage)
}
