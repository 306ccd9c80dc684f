public import ClusterIdentity
public import ClusterMessages
internal import NIOCore
internal import NIOSSL
internal import X509

/// Finds the links among the connections of a node's listener, and lets their callers in.
///
/// A connection belongs to gRPC until its first bytes say otherwise: gRPC hears nothing of it before that.
final class LinkListener: Sendable {
    private let service: any LinkService
    private let authorization: Authorization

    init(_ service: any LinkService, _ authorization: Authorization) {
        self.service = service
        self.authorization = authorization
    }

    /// Stands between TLS and gRPC on a connection that was just accepted.
    func watch(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let security = try pipeline.handler(type: NIOSSLServerHandler.self)
            try pipeline.addHandler(LinkRecognizer { [self] in try handler($0) }, position: .after(security))
        }
    }

    /// A link whose caller has yet to say hello.
    func handler(_ pipeline: ChannelPipeline.SynchronousOperations) throws -> LinkHandler {
        let chain = try pipeline.nioSSL_peerValidatedCertificateChain()
        let member = try chain.flatMap { CallingMember(try Certificate(presented: $0.leaf)) }
        let bell = LinkBell()
        let admission = LinkHandler.Admission(
            admit: { [service, authorization] hello in
                let node = try authorization.require(member, method: AuthorizationTable.link)
                return try service.open(hello, from: node, bell)
            },
            check: { [authorization] in
                if let lapse = member?.lapse(at: authorization.clock()) { throw lapse }
            })
        return LinkHandler(.called(admission), bell: bell)
    }
}

/// What is behind the links of a node's listener.
public protocol LinkService: Sendable {
    /// A manager calls; it is one by its certificate and by the state.
    ///
    /// - Parameter bell: of this end.
    /// - Throws: why the link is refused.
    func open(_ hello: WireLinkHello, from peer: PeerIdentity, _ bell: LinkBell) throws -> LinkUse
}
