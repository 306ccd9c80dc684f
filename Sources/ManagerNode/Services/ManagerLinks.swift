import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import Consensus
import GRPCCore
import Primitives

/// What other managers' links lead to: this node's Raft member, and what they have to propose while it leads.
struct ManagerLinks: LinkService {
    let slot: ManagerSlot

    func open(_ hello: WireLinkHello, from peer: PeerIdentity, _ bell: LinkBell) throws -> LinkUse {
        let manager = try slot.require()
        switch hello.lane {
        case .messages, .heartbeats, .introduction: return try openRaft(hello, peer, manager)
        case .proposals: return openProposals(peer, manager, bell)
        case .unspecified, .UNRECOGNIZED:
            throw Failure(.invalidArgument, "a link for what this manager does not know: \(hello.lane.rawValue)")
        }
    }

    private func openRaft(_ hello: WireLinkHello, _ peer: PeerIdentity, _ manager: Manager) throws -> LinkUse {
        let announcement = PeerAnnouncement(hello)
        let isHeard = try announcement.map { try manager.hear($0, from: peer.node) } ?? false
        return LinkUse(
            receive: { frame in
                guard case .messages(let batch) = frame.frame else { throw ManagerLinks.unexpected }
                for wire in batch.messages {
                    let message = try Consensus.Message(wire: wire)
                    try manager.require(message, from: peer.node)
                    manager.receive(.message(message))
                }
            },
            end: { if isHeard, let announcement { manager.endLink(of: announcement) } })
    }

    private func openProposals(_ peer: PeerIdentity, _ manager: Manager, _ bell: LinkBell) -> LinkUse {
        let outbox = OutcomeOutbox(bell)
        return LinkUse(
            next: { outbox.next() },
            receive: { frame in
                guard case .proposals(let batch) = frame.frame else { throw ManagerLinks.unexpected }
                let isManager = manager.roster.nodes[peer.node]?.manager != nil
                for proposal in batch.proposals {
                    if isManager {
                        manager.take(proposal, outbox)
                    } else {
                        outbox.push(proposal.number, .refusal(WireRefusal(ManagerLinks.noManager)))
                    }
                }
            })
    }

    private static let unexpected = Failure(.invalidArgument, "a frame that does not belong on this link")
    private static let noManager = Failure(
        .permissionDenied, "only managers write, and this node is none any more")
}

extension Manager {
    /// Proposes for another manager; what becomes of it goes to its outbox.
    fileprivate func take(_ proposal: WireProposal, _ outbox: OutcomeOutbox) {
        let number = proposal.number
        guard isLeader else { return outbox.push(number, .notLeader(notLeader)) }
        do throws(MessageError) {
            let data = Array(proposal.transaction)
            submit(Proposal(transaction: try Transaction(encoded: data), data: data)) { [self] result in
                switch result {
                case .success(let index): outbox.push(number, .index(index))
                case .failure(let failure):
                    // Where this manager has stopped, another one may know what became of it.
                    let told = self.failure == nil ? failure : Failure(.unknown, failure.description)
                    outbox.push(number, .refusal(WireRefusal(told)))
                }
            }
        } catch {
            let failure = Failure(.invalidArgument, "a transaction that cannot be read: \(error)")
            outbox.push(number, .refusal(WireRefusal(failure)))
        }
    }
}
