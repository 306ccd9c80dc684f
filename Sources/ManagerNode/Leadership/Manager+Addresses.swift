import ClusterMessages
import ClusterModel
import ClusterState
import ClusterWire
import Consensus
import GRPCCore
import LinuxSystem
import Logging
import Primitives
import SwiftProtobuf

/// What a manager says of itself on each link that it opens.
///
/// It is believed where the state says that the raft id belongs to the node of the link's certificate.
struct PeerAnnouncement: Hashable {
    var member: RaftID
    /// `HOST:PORT`.
    var address: String

    /// A name in DNS has at most 253 characters.
    private static let addressBytes = 260

    init(member: RaftID, address: String) {
        self.member = member
        self.address = address
    }

    /// nil where the caller says nothing that could be meant.
    init?(_ hello: WireLinkHello) {
        guard hello.member != 0, hello.address.utf8.count <= Self.addressBytes,
            (try? HostPort.split(hello.address)) != nil
        else { return nil }
        self.init(member: hello.member, address: hello.address)
    }

    func hello(_ lane: WireLinkLane) -> WireLinkHello {
        .with {
            $0.lane = lane
            $0.member = member
            $0.address = address
        }
    }
}

extension Manager {
    /// A manager's link begins: from now on it is found where it says.
    ///
    /// - Returns: whether ``endLink(of:)`` is to follow.
    /// - Throws: `RPCError` while another machine with the same identity has a link here.
    func hear(_ announcement: PeerAnnouncement, from node: NodeID) throws -> Bool {
        let roster = roster
        // Who this manager's state does not know yet is found by the addresses of the token.
        guard announcement.member != settings.raftID, let stored = roster.node(ofMember: announcement.member),
            stored.id == node
        else { return false }
        guard peers.beginLink(announcement.member, at: announcement.address) else {
            throw RPCError(
                code: .alreadyExists,
                message: "another machine shows the identity of node \(node) and is alive: the one at "
                    + "\(announcement.address) is a copy, or its former self has not been given up yet")
        }
        if peers.announce(announcement.member, at: announcement.address, stored: stored.manager?.address) {
            log.info("node \(node) is at \(announcement.address) now")
        }
        return true
    }

    func endLink(of announcement: PeerAnnouncement) {
        peers.endLink(announcement.member, at: announcement.address)
    }

    /// The address of a manager, its own included, where the state says another one.
    private var moved: (node: Node, address: String)? {
        let roster = roster
        for member in membership.voters + membership.learners {
            guard let node = roster.node(ofMember: member), let stored = node.manager?.address else { continue }
            let address = member == settings.raftID ? settings.address : address(of: member)
            if let address, address != stored { return (node, address) }
        }
        return nil
    }

    /// Why a manager's address is not written: the leader hears that manager at another one, so whoever announced it is a
    /// copy. Nil where there is nothing to say against the transaction.
    func refusalOfMoves(in transaction: Transaction) -> Failure? {
        for case .update(.node(let node), bySpec: false) in transaction.changes {
            guard let stored = roster.nodes[node.id]?.manager, let new = node.manager, new.raftID == stored.raftID,
                new.address != stored.address
            else { continue }
            let isElsewhere =
                new.raftID == settings.raftID
                ? new.address != settings.address : peers.speaks(new.raftID, elsewhereThan: new.address)
            if isElsewhere {
                return Failure(
                    .failedPrecondition,
                    "node \(node.id) is alive at another address than \(new.address): the machine there is a copy of it"
                )
            }
        }
        return nil
    }

    /// Writes down where managers are: agents, joiners and the other managers go by it.
    ///
    /// Not only while this manager leads: the leader may not have heard of a manager that this one has.
    func keepAddresses() async {
        while !Task.isCancelled {
            if leaderID != nil, let (moved, address) = moved {
                var node = moved
                node.manager?.address = address
                do {
                    _ = try await propose(Transaction([.update(.node(node), bySpec: false)], time: Clock.wallTime))
                    log.info("node \(node.id) has the address \(address)")
                } catch {
                    if Task.isCancelled { return }
                    if (error as? Failure)?.code == .failedPrecondition, let member = node.manager?.raftID {
                        log.warning("\(error)")
                        peers.forget(member)
                    }
                    log.debug("the address of node \(node.id) is not written yet: \(error)")
                }
            }
            try? await Task.sleep(for: isLeader ? ManagerLimits.leaderTick : ManagerLimits.introductionPeriod)
        }
    }

    /// Calls on the managers that somebody named, so that they learn where this one is and answer.
    ///
    /// Each at least once; again while there is no leader, since any of them may have moved as well.
    func callOnNamedManagers() async {
        var reached: Set<String> = []
        while !Task.isCancelled, !settings.namedManagers.isEmpty {
            for address in settings.namedManagers where leaderID == nil || !reached.contains(address) {
                do {
                    try await introduce(to: address)
                    reached.insert(address)
                } catch {
                    if Task.isCancelled { return }
                    log.debug("no manager at \(address) yet: \(error)")
                }
            }
            try? await Task.sleep(for: ManagerLimits.introductionPeriod)
        }
    }
}
