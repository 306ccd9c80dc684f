import ClusterMessages
import ClusterModel
import ClusterState
import Consensus
import GRPCCore
import Primitives
import Testing

@testable import ManagerNode

/// R25b: what a member says of itself counts until the state says something newer.
@Suite struct PeerBookTests {
    @Test func aJoinersAddressesCountUntilTheStateHasOne() {
        let book = PeerBook([7: "10.0.0.7:2377"])
        #expect(book.address(of: 7, stored: nil) == "10.0.0.7:2377")
        #expect(book.address(of: 7, stored: "10.0.0.8:2377") == "10.0.0.8:2377")
        #expect(book.address(of: 9, stored: nil) == nil)
    }

    @Test func aMemberIsWhereItSaysUntilTheStateKnowsBetter() {
        let book = PeerBook([:])
        #expect(!book.announce(7, at: "a:1", stored: "a:1"))
        #expect(book.announce(7, at: "b:1", stored: "a:1"))
        #expect(!book.announce(7, at: "b:1", stored: "a:1"))
        #expect(book.address(of: 7, stored: "a:1") == "b:1")
        // The leader has written it down.
        #expect(book.address(of: 7, stored: "b:1") == "b:1")
        // It moved again, and told others.
        #expect(book.address(of: 7, stored: "c:1") == "c:1")
        // And back.
        #expect(book.announce(7, at: "b:1", stored: "c:1"))
        #expect(book.address(of: 7, stored: "c:1") == "b:1")
    }

    /// R28b: as long as the original has a link, a copy with its certificate gets none.
    @Test func oneMachineAtATimeSpeaksForAMember() {
        let book = PeerBook([:])
        #expect(book.beginLink(7, at: "a:1") && book.beginLink(7, at: "a:1"))
        #expect(!book.beginLink(7, at: "b:1"))
        #expect(book.beginLink(8, at: "b:1"))
        book.endLink(7, at: "a:1")
        #expect(!book.beginLink(7, at: "b:1"))
        book.endLink(7, at: "a:1")
        // It has moved.
        #expect(book.beginLink(7, at: "b:1"))
        #expect(!book.beginLink(7, at: "a:1"))
    }

    @Test func anAnnouncementTravelsInTheHello() {
        let announcement = PeerAnnouncement(member: .max, address: "n1.example:2377")
        #expect(PeerAnnouncement(announcement.hello(.messages)) == announcement)
        #expect(PeerAnnouncement(WireLinkHello()) == nil)
        for address in ["", "n1", ":2377", "n1:70000", String(repeating: "n", count: 260) + ":1"] {
            #expect(
                PeerAnnouncement(PeerAnnouncement(member: 1, address: address).hello(.messages)) == nil, "\(address)")
        }
    }

    /// Addresses change hands, certificates do not.
    @Test func aMessageIsTakenFromTheNodeOfItsRaftIDAlone() throws {
        var random = SeededRandom(seed: 3)
        let nodes = [NodeID(using: &random), NodeID(using: &random)]
        var tables = ClusterTables()
        for (number, id) in nodes.enumerated() {
            var node = Node(id: id, spec: NodeSpec(role: .manager))
            node.manager = ManagerStatus(raftID: RaftID(number + 1), address: "n\(number + 1):2377")
            let creation = Transaction([.create(.node(node))], time: Timestamp(nanoseconds: 1))
            _ = try tables.apply(creation, at: UInt64(number + 1)).get()
        }
        let rule = PeerRule(own: 2, membership: Membership(voters: [1, 2, 9]), roster: tables.roster)
        func code(_ from: RaftID, to: RaftID, sender: NodeID) -> RPCError.Code? {
            let message = Message(from: from, to: to, term: 1, payload: .timeoutNow)
            return rule.refusal(of: message, from: sender)?.code
        }
        #expect(code(1, to: 2, sender: nodes[0]) == nil)
        #expect(code(1, to: 2, sender: nodes[1]) == .permissionDenied)
        #expect(code(1, to: 1, sender: nodes[0]) == .failedPrecondition)
        // Not in this manager's state yet.
        #expect(code(9, to: 2, sender: nodes[0]) == nil)
    }
}
