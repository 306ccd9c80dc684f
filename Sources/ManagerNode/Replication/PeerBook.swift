import Consensus
import Synchronization

/// Where the other members are: what they say of themselves, what the state says, and what a joiner was told.
///
/// A member that comes back with another address cannot write it to the state before the others reach it, so it names its
/// address on each stream that it opens; its certificate proves who it is.
final class PeerBook: Sendable {
    private struct Announced {
        var address: String
        /// What the state said then; where it says something newer, that counts.
        var stored: String?
    }

    private let told: [RaftID: String]
    private let announced = Mutex<[RaftID: Announced]>([:])

    /// - Parameter told: what a joiner knows before its state does.
    init(_ told: [RaftID: String]) {
        self.told = told
    }

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
