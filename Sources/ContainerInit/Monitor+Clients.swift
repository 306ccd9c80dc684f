import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives

extension Monitor {
    /// A daemon's connection.
    final class Client {
        let socket: MessageSocket

        init(_ socket: consuming MessageSocket) {
            self.socket = socket
        }
    }

    /// Descriptors that a daemon gave to be kept beyond its own end.
    final class StoredDescriptors {
        let numbers: [Int32]

        init(_ numbers: [Int32]) {
            self.numbers = numbers
        }

        deinit { for number in numbers { close(number) } }
    }

    func acceptClients() {
        while let accepted = try? MessageSocket.accept(listener) {
            if clients.count < Limits.clientsMax { addClient(accepted) }
        }
    }

    func addClient(_ socket: consuming MessageSocket) {
        let token = nextToken
        nextToken += 1
        guard (try? events.add(socket.descriptor, token: token)) != nil else { return }
        clients[token] = Client(socket)
    }

    func readClient(_ token: UInt64) {
        guard let client = clients[token] else { return }
        let message: MessageSocket.Message?
        do throws(Errno) {
            message = try client.socket.receive(maximumBytes: LaunchProtocol.Limits.messageBytesMax, waits: false)
        } catch {
            if error != .tryAgain { clients[token] = nil }
            return
        }
        guard let message else {
            clients[token] = nil
            return
        }
        let descriptors = StoredDescriptors(message.descriptors)
        do throws(DecodeError) {
            let request = try ControlMessage<ControlRequest>(versionedBytes: message.bytes)
            answer(request.body, descriptors, Waiter(client: token, number: request.number))
        } catch {
            // A newer daemon's request: its number stands behind the version in every version.
            var reader = ByteReader(message.bytes)
            _ = try? reader.readUInt16()
            let number = (try? reader.readUInt32()) ?? 0
            reply(.failed(refusal("request", error.description)), to: Waiter(client: token, number: number))
        }
    }

    private func refusal(_ what: String, _ why: String) -> LaunchFailure {
        LaunchFailure(stage: what, subject: configuration.id, errno: EINVAL, reason: why)
    }

    private func answer(_ request: ControlRequest, _ descriptors: StoredDescriptors, _ waiter: Waiter) {
        switch request {
        case .status: reply(.status(status()), to: waiter)
        case .start: start(waiter)
        case .signal(let number):
            do throws(LaunchFailure) {
                try during("signal", "\(number)") { () throws(Errno) in
                    guard let processDescriptor else { throw .noSuchProcess }
                    try Signal.send(number, to: processDescriptor.descriptor)
                }
                reply(.done, to: waiter)
            } catch {
                reply(.failed(error), to: waiter)
            }
        case .execute(let request): startExec(request, waiter)
        case .storeDescriptors(let name):
            if stored[name] == nil, stored.count >= Limits.storedNamesMax {
                return reply(.failed(refusal("store descriptors", "too many names")), to: waiter)
            }
            stored[name] = descriptors.numbers.isEmpty ? nil : descriptors
            reply(.done, to: waiter)
        case .fetchDescriptors(let name):
            reply(.done, descriptors: stored[name]?.numbers ?? [], to: waiter)
        }
    }

    private func status() -> SupervisorStatus {
        let named: SupervisorStatus.Phase =
            switch phase {
            case .launching: .launching
            case .created, .starting: .created
            case .running: .running
            }
        return SupervisorStatus(phase: named, state: state, startedAt: startedAt, lostLogLines: log.lostLines)
    }

    private func start(_ waiter: Waiter) {
        switch phase {
        case .launching: reply(.failed(refusal("start", "the container is not created yet")), to: waiter)
        // A daemon that was restarted may ask again.
        case .running: reply(.done, to: waiter)
        case .starting(let waiters): phase = .starting(waiters + [waiter])
        case .created:
            phase = .starting([waiter])
            if (try? stage?.send(StageMessage.start.versionedBytes)) == nil {
                // The stage is gone; its exit is on the way and will answer.
                failure = failure ?? refusal("start", "the container's process has ended")
            }
        }
    }

    func reply(_ body: ControlReply, descriptors: [Int32] = [], to waiter: Waiter) {
        send(ControlMessage(number: waiter.number, body: body), descriptors, to: waiter.client)
    }

    /// Tells everybody.
    func broadcast(_ body: ControlReply) {
        for token in clients.keys.sorted() { send(ControlMessage(number: 0, body: body), [], to: token) }
    }

    /// A client that does not read is dropped rather than waited for: it can connect again.
    private func send(_ message: ControlMessage<ControlReply>, _ descriptors: [Int32], to token: UInt64) {
        guard let client = clients[token] else { return }
        do throws(Errno) {
            try client.socket.send(message.versionedBytes, descriptors: descriptors, waits: false)
        } catch {
            clients[token] = nil
        }
    }
}
