public import ClusterIdentity
public import ClusterWire
public import GRPCCore
import Synchronization

/// The place of a node's manager: its services are offered always and answer while there is one, so that a change of the
/// node's role needs no new listener.
public final class ManagerSlot: Sendable {
    private let held = Mutex<Manager?>(nil)
    let renewals = RenewalGate()

    public init() {}

    public var manager: Manager? { held.withLock { $0 } }

    public func set(_ manager: Manager?) { held.withLock { $0 = manager } }

    /// What a member's certificate is worth as far as this node knows.
    public func standing(of peer: PeerIdentity) -> Standing { manager?.standing(of: peer) ?? .member(peer.role) }

    /// What a manager offers on its listener.
    public var services: [any RegistrableRPCService] {
        [
            RaftService(slot: self), ControlService(slot: self), IdentityService(slot: self),
            DispatcherService(slot: self),
        ]
    }

    /// What other managers' links to its listener lead to.
    public var links: any LinkService { ManagerLinks(slot: self) }

    func require() throws(RPCError) -> Manager {
        guard let manager else { throw RPCError(code: .unavailable, message: "this node is not a manager") }
        return manager
    }
}
