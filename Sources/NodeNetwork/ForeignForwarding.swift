/// Other programs' rules that cut what the node's containers send to the outside.
enum ForeignForwarding {
    fileprivate struct Chain {
        var table: String
        var name: String
        var isForwarding = false
        var drops = false
        /// Handles of our own rules in it.
        var own: [String] = []
        var rules: [String] = []
    }

    static let comment = "swarm"

    /// Commands that insert the missing accept rules, given the host's ruleset as nft prints it with handles.
    static func additions(_ ruleset: String) -> [String] {
        let chains = parse(ruleset)
        return targets(chains).flatMap { chain -> [String] in
            ["iifname", "oifname"].compactMap { side in
                let match = "\(side) \"\(NetworkLimits.hostLink)\""
                if chain.rules.contains(where: { $0.hasPrefix(match) && $0.contains("accept") }) { return nil }
                return "insert rule \(chain.table) \(chain.name) \(match) accept comment \"\(comment)\""
            }
        }
    }

    /// Commands that take our rules out of other programs' chains.
    static func removals(_ ruleset: String) -> [String] {
        parse(ruleset).filter { $0.table != NetworkLimits.table }.flatMap { chain in
            chain.own.map { "delete rule \(chain.table) \(chain.name) handle \($0)" }
        }
    }

    /// Docker's chain for its users where there is one, since Docker rewrites FORWARD; else the chain that drops.
    private static func targets(_ chains: [Chain]) -> [Chain] {
        chains.filter { $0.isForwarding && $0.drops && $0.table != NetworkLimits.table }.map { chain in
            chains.first { $0.table == chain.table && $0.name == "DOCKER-USER" } ?? chain
        }
    }

    private static func parse(_ ruleset: String) -> [Chain] {
        var chains: [Chain] = []
        var table = ""
        for line in ruleset.split(whereSeparator: \.isNewline) {
            let text = line.trimmed
            let words = text.split(separator: " ")
            if words.first == "table", words.count > 2 {
                table = "\(words[1]) \(words[2])"
            } else if words.first == "chain", words.count > 1 {
                chains.append(Chain(table: table, name: String(words[1])))
            } else if !chains.isEmpty, chains[chains.count - 1].table == table {
                chains[chains.count - 1].take(text)
            }
        }
        // Only families that see IPv4 packets on their way through.
        return chains.filter { $0.table.hasPrefix("ip ") || $0.table.hasPrefix("inet ") }
    }
}

extension ForeignForwarding.Chain {
    fileprivate mutating func take(_ text: String) {
        if text.hasPrefix("type filter hook forward") {
            isForwarding = true
            drops = drops || text.contains("policy drop")
            return
        }
        rules.append(text)
        if text.contains("comment \"\(ForeignForwarding.comment)\""), let handle = text.split(separator: " ").last {
            own.append(String(handle))
        }
        // Only what drops whatever comes: a rule with a condition of its own is somebody's intent.
        let verdict = text.split(separator: "#").first.map { $0.trimmed } ?? ""
        if verdict == "drop" || verdict.hasPrefix("reject") || verdict == "counter drop" { drops = true }
    }
}

extension Substring {
    fileprivate var trimmed: String {
        let start = firstIndex { $0 != " " && $0 != "\t" } ?? endIndex
        let end = lastIndex { $0 != " " && $0 != "\t" }.map { index(after: $0) } ?? endIndex
        return start < end ? String(self[start..<end]) : ""
    }
}
