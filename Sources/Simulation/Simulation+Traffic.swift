import Consensus

extension Simulation {
    func send(_ message: Message, after wait: Microseconds) {
        springLeaseTrap(by: message)
        network.transmit(
            from: message.from, to: message.to, after: wait,
            arrive: { [self] in
                guard let receiver = manager(message.to)?.process, receiver.suspendedUntil <= now else {
                    return report(unreachable: message)
                }
                receiver.push(.message(message))
            },
            lost: { [self] in report(unreachable: message) })
    }

    /// Now and then the sender's transport notices.
    private func report(unreachable message: Message) {
        guard chance.percent(30), let sender = manager(message.from)?.process else { return }
        coverage.note(.peerReportedUnreachable)
        sender.push(.unreachable(message.to))
    }

    func send(
        _ transfer: SnapshotTransfer, _ bytes: [UInt8], after wait: Microseconds, from sender: ManagerProcess
    ) {
        let message = transfer.message
        let fail = { [self] in
            coverage.note(.snapshotTransferFailed)
            sender.push(.snapshotSent(to: message.to, succeeded: false))
        }
        trace("manager \(message.from) sends the snapshot at \(transfer.metadata.index) to \(message.to)")
        var isAnswered = false
        network.transmit(
            from: message.from, to: message.to, after: wait, extra: bytes.count,
            arrive: { [self] in
                guard let receiver = manager(message.to)?.process else { return fail() }
                // A receiver that dies before it has stepped the message never answers: the connection breaks.
                scheduler.after(2_000_000) {
                    guard !isAnswered else { return }
                    isAnswered = true
                    fail()
                }
                var pieces = [bytes].makeIterator()
                receiver.push(
                    .snapshot(
                        try StateSnapshot.decode { pieces.next() }, message,
                        stepped: { [self] in
                            network.transmit(
                                from: message.to, to: message.from, after: 0,
                                arrive: {
                                    guard !isAnswered else { return }
                                    isAnswered = true
                                    sender.push(.snapshotSent(to: message.to, succeeded: true))
                                }, lost: {})
                        }))
            }, lost: fail)
    }
}
