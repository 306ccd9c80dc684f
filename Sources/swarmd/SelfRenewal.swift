import ClusterIdentity
import ClusterWire
import Glibc
import LinuxSystem
import Logging
import ManagerNode
import Primitives

/// A manager whose certificate has run out while nobody could be asked: the cluster's signing key is in its own copy of the
/// state, so it signs a new one.
struct SelfRenewal {
    let manager: Manager
    let record: MembershipRecord
    let credentials: CredentialStore
    let log: Logger

    /// For what was committed here to be applied again: it is read from the disk.
    private static let patience = Duration.seconds(10)
    private static let pause = Duration.milliseconds(20)

    private var isDue: Bool {
        if case .expired = credentials.current.certificate.validityProblem(at: Clock.wallTime) { true } else { false }
    }

    /// - Returns: whether there is a new certificate; connections of before were made with the old one.
    func attempt() throws -> Bool {
        guard isDue, let renewed = try manager.renewItself(credentials.current, at: Clock.wallTime) else {
            return false
        }
        try record.update(with: renewed) { _ in }
        credentials.replace(with: renewed)
        log.notice("the certificate of this manager had expired: it has signed a new one by its own copy of the state")
        return true
    }

    /// At the start, before the manager talks to anybody. Returns at once where the certificate has not expired.
    func run() async throws {
        let deadline = Clock.now + SelfRenewal.patience
        while isDue, Clock.now < deadline {
            if try attempt() { return }
            try await Task.sleep(for: SelfRenewal.pause)
        }
        if isDue { log.error("the certificate has expired, and this node's state does not say that it is a manager") }
    }
}

/// Whether a manager's log is the one that it had: `identity/raft-begun` names the raft id whose log was begun here.
///
/// A member that begins anew with an empty log could vote twice, and a founder would found a second cluster.
struct LogMark {
    private let folder: StateFolder
    private static let name = "identity/raft-begun"

    init(_ folder: StateFolder) {
        self.folder = folder
    }

    func write(_ raftID: UInt64) throws {
        if try folder.read(LogMark.name) != "\(raftID)\n" { try folder.write("\(raftID)\n", to: LogMark.name) }
    }

    /// Why the manager must not be started; nil where it may.
    func loss(of raftID: UInt64) throws -> Failure? {
        guard raftID != 0, try folder.read(LogMark.name) == "\(raftID)\n", isEmpty("\(folder.path)/raft") else {
            return nil
        }
        return Failure(
            .dataLoss,
            "\(folder.path)/raft is gone, which held this manager's copy of the cluster's state: `swarmctl join --renew TOKEN` "
                + "with the token of `swarmctl token manager` makes it a manager again with its containers, as long as the "
                + "other managers have a majority")
    }

    private func isEmpty(_ path: String) -> Bool {
        guard let stream = opendir(path) else { return errno == ENOENT }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { return false }
        }
        return true
    }
}
