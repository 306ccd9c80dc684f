import CLinux
import OverlayProtocol
import Synchronization

enum DataplaneCommand: Sendable {
    case tables(OverlayTables)
    case add(NetworkAttachment)
    case remove(vni: UInt32)
    case stop
}

/// What the thread and its callers share: a mailbox one way, figures the other.
final class DataplaneShared: Sendable {
    private struct Mailbox {
        var commands: [DataplaneCommand] = []
        var isClosed = false
    }

    /// Readable while the mailbox may hold something.
    let wakeup: Int32
    private let mailbox = Mutex(Mailbox())
    private let figures = Mutex(DataplaneCounters())
    private let statuses = Mutex<[OverlayPeerStatus]>([])

    init(wakeup: Int32) { self.wakeup = wakeup }

    deinit {
        for case .add(let network) in mailbox.withLock({ $0.commands }) { overlay_close(network.tap) }
        overlay_close(wakeup)
    }

    /// False after `stop`: the command will not be carried out.
    @discardableResult
    func post(_ command: DataplaneCommand) -> Bool {
        let isAccepted = mailbox.withLock { mailbox in
            guard !mailbox.isClosed else { return false }
            if case .stop = command { mailbox.isClosed = true }
            // Only the newest tables count, so a slow thread never finds a heap of old ones.
            if case .tables = command { mailbox.commands.removeAll { if case .tables = $0 { true } else { false } } }
            mailbox.commands.append(command)
            return true
        }
        if isAccepted { overlay_wakeup_signal(wakeup) }
        return isAccepted
    }

    func takeCommands() -> [DataplaneCommand] {
        mailbox.withLock { mailbox in
            defer { mailbox.commands = [] }
            return mailbox.commands
        }
    }

    func publish(_ counters: DataplaneCounters) { figures.withLock { $0 = counters } }
    func counters() -> DataplaneCounters { figures.withLock { $0 } }
    func publish(_ peers: [OverlayPeerStatus]) { statuses.withLock { $0 = peers } }
    func peers() -> [OverlayPeerStatus] { statuses.withLock { $0 } }
}
