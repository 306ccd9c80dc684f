import ClusterMessages
import Consensus
import SwiftProtobuf

extension Membership {
    var wire: WireRaftMembership {
        .with {
            $0.voters = voters
            $0.outgoingVoters = outgoingVoters
            $0.learners = learners
        }
    }

    init(wire: WireRaftMembership) {
        self.init(voters: wire.voters, outgoingVoters: wire.outgoingVoters, learners: wire.learners)
    }
}

extension SnapshotMetadata {
    var wire: WireRaftSnapshotMetadata {
        .with {
            $0.index = index
            $0.term = term
            $0.membership = membership.wire
        }
    }

    init(wire: WireRaftSnapshotMetadata) {
        self.init(index: wire.index, term: wire.term, membership: Membership(wire: wire.membership))
    }
}

extension LogEntry {
    var wire: WireRaftEntry {
        .with {
            $0.term = term
            $0.index = index
            $0.data = wireBytes(data)
            switch kind {
            case .normal: $0.kind = .normal
            case .empty: $0.kind = .empty
            case .membership(let membership):
                $0.kind = .membership
                $0.membership = membership.wire
            }
        }
    }

    init(wire: WireRaftEntry) throws(MessageError) {
        let kind: Kind =
            switch wire.kind {
            case .normal: .normal
            case .empty: .empty
            case .membership: .membership(Membership(wire: wire.membership))
            case .UNRECOGNIZED(let number): throw MessageError("kind", "unknown kind \(number) of log entry")
            }
        self.init(index: wire.index, term: wire.term, kind: kind, data: Array(wire.data))
    }
}

extension Consensus.Message {
    var wire: WireRaftMessage {
        var wire = WireRaftMessage()
        wire.from = from
        wire.to = to
        wire.term = term
        switch payload {
        case .requestVote(let vote):
            wire.type = vote.isPreVote ? .preVote : .vote
            wire.logIndex = vote.lastIndex
            wire.logTerm = vote.lastTerm
            wire.isTransfer = vote.isTransfer
            wire.commit = vote.known.index
            wire.commitTerm = vote.known.term
        case .voteResponse(let response):
            wire.type = response.isPreVote ? .preVoteResponse : .voteResponse
            wire.reject = !response.isGranted
            wire.commit = response.known.index
            wire.commitTerm = response.known.term
        case .append(let append):
            wire.type = .append
            wire.logIndex = append.previousIndex
            wire.logTerm = append.previousTerm
            wire.commit = append.commit
            wire.entries = append.entries.map(\.wire)
        case .appendResponse(.accepted(let match)):
            wire.type = .appendResponse
            wire.logIndex = match
        case .appendResponse(.rejected(let at, let hintIndex, let hintTerm)):
            wire.type = .appendResponse
            wire.reject = true
            wire.logIndex = at
            wire.hintIndex = hintIndex
            wire.hintTerm = hintTerm
        case .heartbeat(let heartbeat):
            wire.type = .heartbeat
            wire.commit = heartbeat.commit
            wire.context = heartbeat.readRound
        case .heartbeatResponse(let response):
            wire.type = .heartbeatResponse
            wire.context = response.readRound
        case .installSnapshot(let metadata):
            wire.type = .installSnapshot
            wire.snapshot = metadata.wire
        case .timeoutNow: wire.type = .timeoutNow
        case .readIndex(let context):
            wire.type = .readIndex
            wire.context = context
        case .readIndexResponse(let read):
            wire.type = .readIndexResponse
            wire.logIndex = read.index
            wire.context = read.context
        }
        return wire
    }

    init(wire: WireRaftMessage) throws(MessageError) {
        self.init(from: wire.from, to: wire.to, term: wire.term, payload: try Message.payload(wire))
    }

    private static func payload(_ wire: WireRaftMessage) throws(MessageError) -> Payload {
        switch wire.type {
        case .preVote, .vote:
            return .requestVote(
                RequestVote(
                    isPreVote: wire.type == .preVote, isTransfer: wire.isTransfer, lastIndex: wire.logIndex,
                    lastTerm: wire.logTerm, known: KnownCommit(index: wire.commit, term: wire.commitTerm)))
        case .preVoteResponse, .voteResponse:
            return .voteResponse(
                VoteResponse(
                    isPreVote: wire.type == .preVoteResponse, isGranted: !wire.reject,
                    known: KnownCommit(index: wire.commit, term: wire.commitTerm)))
        case .append:
            var entries: [LogEntry] = []
            entries.reserveCapacity(wire.entries.count)
            for entry in wire.entries { entries.append(try LogEntry(wire: entry)) }
            return .append(
                Append(
                    previousIndex: wire.logIndex, previousTerm: wire.logTerm, commit: wire.commit, entries: entries))
        case .appendResponse:
            return wire.reject
                ? .appendResponse(
                    .rejected(at: wire.logIndex, hintIndex: wire.hintIndex, hintTerm: wire.hintTerm))
                : .appendResponse(.accepted(match: wire.logIndex))
        case .heartbeat: return .heartbeat(Heartbeat(commit: wire.commit, readRound: wire.context))
        case .heartbeatResponse: return .heartbeatResponse(HeartbeatResponse(readRound: wire.context))
        case .installSnapshot: return .installSnapshot(SnapshotMetadata(wire: wire.snapshot))
        case .timeoutNow: return .timeoutNow
        case .readIndex: return .readIndex(context: wire.context)
        case .readIndexResponse:
            return .readIndexResponse(ReadState(index: wire.logIndex, context: wire.context))
        case .unspecified, .UNRECOGNIZED:
            throw MessageError("type", "unknown type \(wire.type.rawValue) of Raft message")
        }
    }
}
