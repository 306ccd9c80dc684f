import Consensus

/// How the transcripts show things.
enum Format {
    static func ids(_ ids: [RaftID]) -> String { "[" + ids.map(String.init).joined(separator: " ") + "]" }

    static func entry(_ entry: LogEntry) -> String {
        let place = "\(entry.index)/\(entry.term)"
        switch entry.kind {
        case .empty: return place
        case .normal: return "\(place) '\(String(decoding: entry.data, as: UTF8.self))'"
        case .membership(let membership): return "\(place) \(Format.membership(membership))"
        }
    }

    static func entries(_ entries: [LogEntry]) -> String { "[" + entries.map(entry).joined(separator: ", ") + "]" }

    static func membership(_ membership: Membership) -> String {
        var text = "voters=\(ids(membership.voters))"
        if membership.isJoint { text += " outgoing=\(ids(membership.outgoingVoters))" }
        if !membership.learners.isEmpty { text += " learners=\(ids(membership.learners))" }
        return text
    }

    static func snapshot(_ metadata: SnapshotMetadata) -> String {
        "\(metadata.index)/\(metadata.term) \(membership(metadata.membership))"
    }

    static func message(_ message: Message) -> String {
        "\(message.from)->\(message.to) term=\(message.term) \(payload(message.payload))"
    }

    private static func payload(_ payload: Message.Payload) -> String {
        switch payload {
        case .requestVote(let request):
            return "\(request.isPreVote ? "pre-vote" : "request-vote") last=\(request.lastIndex)/\(request.lastTerm)"
                + " known=\(request.known.index)/\(request.known.term)" + (request.isTransfer ? " transfer" : "")
        case .voteResponse(let response):
            return "\(response.isPreVote ? "pre-vote" : "vote") \(response.isGranted ? "granted" : "refused")"
                + " known=\(response.known.index)/\(response.known.term)"
        case .append(let append):
            return "append prev=\(append.previousIndex)/\(append.previousTerm) commit=\(append.commit) "
                + entries(append.entries)
        case .appendResponse(.accepted(let match)): return "accepted match=\(match)"
        case .appendResponse(.rejected(let at, let index, let term)): return "rejected at=\(at) hint=\(index)/\(term)"
        case .heartbeat(let heartbeat): return "heartbeat commit=\(heartbeat.commit) round=\(heartbeat.readRound)"
        case .heartbeatResponse(let response): return "heartbeat-response round=\(response.readRound)"
        case .installSnapshot(let metadata): return "install-snapshot \(snapshot(metadata))"
        case .timeoutNow: return "timeout-now"
        case .readIndex(let context): return "read-index context=\(context)"
        case .readIndexResponse(let read): return "read-index-response index=\(read.index) context=\(read.context)"
        }
    }

    static func status(_ status: RaftStatus) -> String {
        "\(status.role) term=\(status.term) leader=\(status.leader.map(String.init) ?? "none")"
    }

    static func persist(_ request: PersistRequest) -> String {
        var text = "persist #\(request.number)"
        if let metadata = request.snapshot { text += " snapshot=\(snapshot(metadata))" }
        if let hard = request.hardState {
            text += " term=\(hard.term) vote=\(hard.vote.map(String.init) ?? "none") commit=\(hard.commit)"
        }
        if let index = request.truncatesFrom { text += " truncate=\(index)" }
        if !request.entries.isEmpty { text += " \(entries(request.entries))" }
        return text
    }

    static func directive(_ directive: Directive) -> [String] {
        switch directive {
        case .status(let value): return ["status \(status(value))"]
        case .send(let messages): return messages.map { "send \(message($0))" }
        case .persist(let request): return [persist(request)]
        case .sendSnapshot(let transfer): return ["send-snapshot \(message(transfer.message))"]
        case .installSnapshot(let metadata): return ["install \(snapshot(metadata))"]
        case .apply(let list): return ["apply \(entries(list))"]
        case .serveReads(let reads): return reads.map { "serve-read index=\($0.index) context=\($0.context)" }
        }
    }
}
