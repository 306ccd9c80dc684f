/// What matters of a resolv.conf(5).
public struct ResolverConfiguration: Hashable, Sendable {
    /// Numeric, IPv4 or IPv6.
    public var nameservers: [String] = []
    public var search: [String] = []

    public init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard let keyword = words.first else { continue }
            switch keyword {
            case "nameserver":
                // A zone (fe80::1%eth0) means a link of the host, which a socket address of text cannot say here.
                if words.count > 1, !words[1].contains("%") { nameservers.append(words[1]) }
            case "search", "domain": search = Array(words.dropFirst())
            default: continue
            }
        }
    }

    /// The file for a container: the node's resolver at 127.0.0.11, the host's search list or the one asked for.
    public static func forContainer(search: [String], options: [String] = []) -> String {
        var text = "nameserver 127.0.0.11\n"
        if !search.isEmpty { text += "search \(search.joined(separator: " "))\n" }
        return text + "options \((options.isEmpty ? ["ndots:0"] : options).joined(separator: " "))\n"
    }
}
