import Primitives

extension ImageConfig.Healthcheck {
    /// What follows HEALTHCHECK in a Dockerfile: `[--interval=5s …] CMD LINE`, `… CMD ["PROGRAM", …]` or `NONE`.
    init(change: String, _ text: String) throws(Failure) {
        self.init(test: [])
        var rest = text[...]
        while rest.hasPrefix("--") {
            let option = rest.prefix { $0 != " " }
            rest = rest.dropFirst(option.count).drop { $0 == " " }
            let parts = option.dropFirst(2).split(separator: "=", maxSplits: 1).map(String.init)
            try set(parts.first ?? "", to: parts.count == 2 ? parts[1] : "", change)
        }
        let keyword = rest.prefix { $0 != " " }
        let line = String(rest.dropFirst(keyword.count).drop { $0 == " " })
        switch keyword.uppercased() {
        case "NONE" where line.isEmpty: test = ["NONE"]
        case "CMD" where !line.isEmpty:
            test = ImageConfig.stringArray(line).map { ["CMD"] + $0 } ?? ["CMD-SHELL", line]
        default:
            throw Failure(.invalidArgument, "change \"\(change)\": neither NONE nor CMD with a command follows")
        }
    }

    private mutating func set(_ option: String, to value: String, _ change: String) throws(Failure) {
        if option == "retries" {
            guard let count = Int(value), count >= 0 else {
                throw Failure(.invalidArgument, "change \"\(change)\": \"\(value)\" is not a number of retries")
            }
            retries = count > 0 ? count : nil
            return
        }
        guard let duration = Self.duration(value) else {
            throw Failure(.invalidArgument, "change \"\(change)\": \"\(value)\" is no time like 1m30s")
        }
        let given = duration > .zero ? duration : nil
        switch option {
        case "interval": interval = given
        case "timeout": timeout = given
        case "start-period": startPeriod = given
        case "start-interval": startInterval = given
        default:
            throw Failure(
                .invalidArgument,
                "change \"\(change)\": --\(option) is not one of interval, timeout, start-period, start-interval, "
                    + "retries")
        }
    }

    /// Numbers with a unit of ms, s, m or h each.
    private static func duration(_ text: String) -> Duration? {
        var milliseconds = 0.0
        var rest = text[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            let unit = rest.dropFirst(digits.count).prefix { $0.isLetter }
            rest = rest.dropFirst(digits.count + unit.count)
            let scales = ["ms": 1.0, "s": 1000, "m": 60_000, "h": 3_600_000]
            guard let number = Double(digits), let scale = scales[String(unit)] else { return nil }
            milliseconds += number * scale
        }
        guard milliseconds < 1e12 else { return nil }
        return .milliseconds(Int64(milliseconds))
    }
}
