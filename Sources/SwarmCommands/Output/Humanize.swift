import Primitives

/// Numbers as people read them, in Docker's words.
enum Humanize {
    /// `5 minutes`, `About an hour`.
    static func duration(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        let hours = (seconds + 1800) / 3600
        switch seconds {
        case 0: return "Less than a second"
        case 1: return "1 second"
        case ..<60: return "\(seconds) seconds"
        case ..<120: return "About a minute"
        case ..<3600: return "\(seconds / 60) minutes"
        default: break
        }
        switch hours {
        case ..<2: return "About an hour"
        case ..<48: return "\(hours) hours"
        case ..<(24 * 7 * 2): return "\(hours / 24) days"
        case ..<(24 * 30 * 2): return "\(hours / 24 / 7) weeks"
        case ..<(24 * 365 * 2): return "\(hours / 24 / 30) months"
        default: return "\(hours / 24 / 365) years"
        }
    }

    /// `5 minutes ago` before `now`; empty for a time that cannot be read.
    static func ago(_ time: String?, now: Timestamp) -> String {
        guard let time, let then = Timestamp(rfc3339: time) else { return "" }
        return duration(now - then) + " ago"
    }

    /// Decimal, three digits: `12.3MB`.
    static func size(_ bytes: Int64) -> String {
        var value = Double(bytes)
        var units = ["B", "kB", "MB", "GB", "TB", "PB"][...]
        while value >= 999.5, units.count > 1 {
            value /= 1000
            units.removeFirst()
        }
        let decimals = units.first == "B" || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
        return fixed(value, decimals) + (units.first ?? "")
    }

    /// Binary: `4GiB`.
    static func memory(_ bytes: Int64) -> String {
        var value = Double(bytes)
        var units = ["B", "KiB", "MiB", "GiB", "TiB"][...]
        while value >= 1024, units.count > 1 {
            value /= 1024
            units.removeFirst()
        }
        return fixed(value, value == value.rounded() ? 0 : 2) + (units.first ?? "")
    }

    /// `3.2 s`.
    static func seconds(_ duration: Duration) -> String { fixed(Double(duration.wholeMilliseconds) / 1000, 1) + " s" }

    private static func fixed(_ value: Double, _ decimals: Int) -> String {
        let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
        let whole = Int64((value * scale).rounded())
        guard decimals > 0 else { return String(whole) }
        let fraction = String(whole % Int64(scale))
        let padded = String(repeating: "0", count: decimals - fraction.count) + fraction
        let trimmed = padded.reversed().drop { $0 == "0" }.reversed()
        return String(whole / Int64(scale)) + (trimmed.isEmpty ? "" : "." + String(trimmed))
    }
}
