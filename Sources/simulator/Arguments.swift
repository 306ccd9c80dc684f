/// What the command line asks for.
enum Request: Equatable {
    case seeds(first: UInt64, count: UInt64, stopsAtFailure: Bool)
    case one(seed: UInt64, faultSeconds: Int?, isTraced: Bool)
    /// A part of the seeds, for the process that started this one.
    case worker(first: UInt64, count: UInt64)
    case help
}

struct UsageError: Error {
    let description: String
}

extension Request {
    static let usage = """
        usage: simulator --seeds COUNT [--first SEED]   run that many seeds, on all processors
                         [--until-failure]              end at the first one that fails
               simulator SEED                           run one seed
               simulator --trace SEED                   run one seed and tell its story
                         [--fault-seconds N]            with a phase of faults of that length

        Exit codes: 0 all is well, 1 something happened that must never happen, 2 something did not happen that must
        happen when nothing fails any more, 3 a fault, a directive or a checker's case did not occur in 1,000 seeds or
        more, 4 the program itself crashed, 64 wrong arguments.
        """

    init(_ arguments: [String]) throws(UsageError) {
        var first: UInt64 = 1
        var count: UInt64?
        var seed: UInt64?
        var isTraced = false
        var isWorker = false
        var faultSeconds: Int?
        var stopsAtFailure = false
        var rest = arguments[...]
        func number(_ name: String) throws(UsageError) -> UInt64 {
            guard let text = rest.popFirst(), let value = UInt64(text) else {
                throw UsageError(description: "\(name) needs a number")
            }
            return value
        }
        while let argument = rest.popFirst() {
            switch argument {
            case "--help", "-h":
                self = .help
                return
            case "--seeds": count = try number(argument)
            case "--first": first = try number(argument)
            case "--worker": isWorker = true
            case "--fault-seconds": faultSeconds = Int(clamping: try number(argument))
            case "--until-failure": stopsAtFailure = true
            case "--trace":
                isTraced = true
                seed = try number(argument)
            default:
                guard let value = UInt64(argument), seed == nil else {
                    throw UsageError(description: "\(argument) is not known")
                }
                seed = value
            }
        }
        switch (seed, count) {
        case (let seed?, nil): self = .one(seed: seed, faultSeconds: faultSeconds, isTraced: isTraced)
        case (nil, let count?):
            self =
                isWorker
                ? .worker(first: first, count: count)
                : .seeds(first: first, count: count, stopsAtFailure: stopsAtFailure)
        default: throw UsageError(description: "either a seed or --seeds")
        }
    }
}
