/// Other programs' rules that cut what the node's containers send to the outside.
enum ForeignForwarding {
    fileprivate struct Chain {
        var table: String
        var name: String
        var isForwarding = false
        var drops = false
        /// Our own rules in it, with their handles.
        var own: [(rule: String, handle: String)] = []
        /// In their order.
        var rules: [String] = []

        /// Whether a rule that begins so accepts before anything else decides.
        func accepts(_ match: String) -> Bool {
            rules.prefix { !ForeignForwarding.isFinal($0) }
                .contains { $0.hasPrefix(match) && $0.contains("accept") }
        }
    }

    static let comment = "swarm"

    /// Commands that insert the missing accept rules, given the host's ruleset as nft prints it with handles.
    static func additions(_ ruleset: String) -> [String] {
        let chains = parse(ruleset)
        return targets(chains).flatMap { chain -> [String] in
            ["iifname", "oifname"].flatMap { side -> [String] in
                let match = "\(side) \"\(NetworkLimits.hostLink)\""
                if chain.accepts(match) { return [] }
                // One of ours that a later rule of somebody else stands before has no effect any more.
                let stale = chain.own.filter { $0.rule.hasPrefix(match) }
                return stale.map { "delete rule \(chain.table) \(chain.name) handle \($0.handle)" } + [
                    "insert rule \(chain.table) \(chain.name) \(match) accept comment \"\(comment)\""
                ]
            }
        }
    }

    /// Commands that take our rules out of other programs' chains.
    static func removals(_ ruleset: String) -> [String] {
        parse(ruleset).filter { $0.table != NetworkLimits.table }.flatMap { chain in
            chain.own.map { "delete rule \(chain.table) \(chain.name) handle \($0.handle)" }
        }
    }

    /// A rule without a condition that ends the chain: what follows it is never reached.
    fileprivate static func isFinal(_ rule: String) -> Bool {
        let verdict = verdict(rule)
        return ["drop", "return", "accept"].contains(verdict) || verdict.hasPrefix("reject")
    }

    /// The rule without handle and counter.
    fileprivate static func verdict(_ rule: String) -> String {
        let text = rule.split(separator: "#").first.map { $0.trimmed } ?? ""
        return text.hasPrefix("counter ") ? String(text.dropFirst("counter ".count)) : text
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
            own.append((text, String(handle)))
        }
        // Only what drops whatever comes: a rule with a condition of its own is somebody's intent.
        let verdict = ForeignForwarding.verdict(text)
        if verdict == "drop" || verdict.hasPrefix("reject") { drops = true }
    }
}

extension Substring {
    fileprivate var trimmed: String {
        let start = firstIndex { $0 != " " && $0 != "\t" } ?? endIndex
        let end = lastIndex { $0 != " " && $0 != "\t" }.map { index(after: $0) } ?? endIndex
        return start < end ? String(self[start..<end]) : ""
    }
}
