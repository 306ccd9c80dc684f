internal import ClusterIdentity
public import ClusterMessages
internal import NIOCertificateReloading
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Primitives
internal import SwiftProtobuf
internal import Synchronization

/// The links that this node has called for, by the address of the other end.
final class LinkCalls: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: (address: String, channel: any Channel)] = [:]
        /// One that was begun before must not come after.
        var ends: UInt64 = 0
        var endsTo: [String: UInt64] = [:]

        func generation(of address: String) -> ConnectionGeneration {
            ConnectionGeneration(all: ends, own: endsTo[address] ?? 0)
        }
    }

    private let state = Mutex(State())

    /// To be taken before a link's credentials are.
    func generation(of address: String) -> ConnectionGeneration { state.withLock { $0.generation(of: address) } }

    /// False where links were ended since `generation`.
    func add(_ channel: any Channel, _ address: String, _ generation: ConnectionGeneration) -> Bool {
        state.withLock { state in
            guard state.generation(of: address) == generation else { return false }
            state.channels[ObjectIdentifier(channel)] = (address, channel)
            return true
        }
    }

    func remove(_ channel: any Channel) {
        state.withLock { _ = $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    /// Ends those to an address, or all.
    func end(to address: String? = nil) {
        let ended = state.withLock { state in
            if let address { state.endsTo[address, default: 0] += 1 } else { state.ends += 1 }
            return state.channels.values.filter { address == nil || $0.address == address }.map(\.channel)
        }
        for channel in ended { channel.close(promise: nil) }
    }
}

extension NodeConnections {
    /// Calls the manager at `HOST:PORT` and keeps the link until it ends or the caller is cancelled.
    ///
    /// - Parameter bell: of this end.
    /// - Returns: never but by throwing.
    /// - Throws: ``Failure``: why it ended, or could not be had.
    public func link(to address: String, _ hello: WireLinkHello, _ bell: LinkBell, _ use: LinkUse) async throws {
        let generation = links.generation(of: address)
        let call = try await call(address, hello, bell, use)
        let isKept = links.add(call.channel, address, generation)
        defer { links.remove(call.channel) }
        try await withTaskCancellationHandler {
            call.channel.eventLoop.execute { isKept ? call.handler.value.begin() : call.channel.close(promise: nil) }
            do {
                try await call.over.get()
            } catch {
                throw problem(at: address).map { Failure(.unavailable, $0) } ?? error
            }
        } onCancel: {
            call.channel.close(promise: nil)
        }
    }

    private struct Call: Sendable {
        let channel: any Channel
        let handler: NIOLoopBound<LinkHandler>
        /// Fails when the link is over for its handler, too.
        let over: EventLoopFuture<Void>
    }

    private func call(
        _ address: String, _ hello: WireLinkHello, _ bell: LinkBell, _ use: LinkUse
    ) async throws -> Call {
        let (host, port) = try HostPort.split(address)
        let context = try linkSecurity()
        let verification = verification(of: address)
        do {
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.init(WireLimits.linkConnect))
                .connect(host: host, port: port) { channel in
                    let over = channel.eventLoop.makePromise(of: Void.self)
                    return channel.eventLoop.makeCompletedFuture {
                        let security = try NIOSSLClientHandler(
                            context: context, serverHostname: nil, customVerificationCallbackWithMetadata: verification)
                        let handler = LinkHandler(.caller(hello, use), bell: bell, onEnd: { over.fail($0) })
                        try channel.pipeline.syncOperations.addHandlers(
                            [security, IdleStateHandler.ofLinks(), handler])
                        return Call(
                            channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop),
                            over: over.futureResult)
                    }.flatMapErrorThrowing { error in
                        over.fail(error)
                        throw error
                    }
                }
        } catch let error as CancellationError {
            throw error
        } catch { throw Failure(.unavailable, "\(address) cannot be reached: \(error)") }
    }

    private func linkSecurity() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // The name in a certificate is the node's id, not its address; who it is, is checked by the callback.
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.minimumTLSVersion = .tlsv13
        configuration.setCertificateReloader(PresentCertificate(credentials: credentials))
        return try NIOSSLContext(configuration: configuration)
    }
}
