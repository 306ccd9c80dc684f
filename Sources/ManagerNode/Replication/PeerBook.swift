import Consensus
import Synchronization

/// Where the other members are: what they say of themselves, what the state says, and what a joiner was told.
///
/// A member that comes back with another address cannot write it to the state before the others reach it, so it names its
/// address on each link that it opens; its certificate proves who it is.
final class PeerBook: Sendable {
    private struct Announced {
        var address: String
        /// What the state said then; where it says something newer, that counts.
        var stored: String?
    }

    private let told: [RaftID: String]
    /// How many links of a member are open here, by the address that they named.
    private let links = Mutex<[RaftID: [String: Int]]>([:])
    private let announced = Mutex<[RaftID: Announced]>([:])

    /// - Parameter told: what a joiner knows before its state does.
    init(_ told: [RaftID: String]) {
        self.told = told
    }

    /// A link of the member's begins, by a machine at `address`: false while another machine speaks for the member. A
    /// manager that has moved has ended its links of before; the copy of a manager finds those of the original.
    func beginLink(_ id: RaftID, at address: String) -> Bool {
        links.withLock { links in
            guard links[id]?.keys.allSatisfy({ $0 == address }) ?? true else { return false }
            links[id, default: [:]][address, default: 0] += 1
            return true
        }
    }

    func endLink(_ id: RaftID, at address: String) {
        links.withLock { links in
            guard let count = links[id]?[address] else { return }
            links[id]?[address] = count > 1 ? count - 1 : nil
            if links[id]?.isEmpty == true { links[id] = nil }
        }
    }

    /// Whether the member speaks from another address than this one just now.
    func speaks(_ id: RaftID, elsewhereThan address: String) -> Bool {
        links.withLock { $0[id]?.keys.contains { $0 != address } ?? false }
    }

    /// What was announced turned out to be a copy's.
    func forget(_ id: RaftID) { announced.withLock { _ = $0.removeValue(forKey: id) } }

    /// The member itself says where it is.
    ///
    /// - Parameter stored: what the state says.
    /// - Returns: whether that is news.
    func announce(_ id: RaftID, at address: String, stored: String?) -> Bool {
        announced.withLock { announced in
            let known = announced[id].flatMap { $0.stored == stored || $0.address == stored ? $0.address : nil }
            announced[id] = Announced(address: address, stored: stored)
            return (known ?? stored) != address
        }
    }

    /// `HOST:PORT`; nil where nobody has said anything.
    ///
    /// - Parameter stored: what the state says.
    func address(of id: RaftID, stored: String?) -> String? {
        let said = announced.withLock { $0[id] }
        if let said, said.stored == stored || said.address == stored { return said.address }
        return stored ?? told[id]
    }
}
