import ArgumentParser
import NIOCore
import NIOPosix
import NIOSSL

/// Loads three managers, and three members of etcd, with the same writes from the same client.
@main
struct RaftBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "raft-bench",
        abstract:
            "Measure replicated writes: configs of a cluster, or keys of etcd, one after the other by each client.",
        discussion: """
            Prints one line of JSON for each number of clients. Every client has a connection of its own, and writes again once
            its last write is acknowledged.

            EXAMPLE: raft-bench --peer swarm --endpoints 10.0.0.1:2376,10.0.0.2:2376 --clients 1,64,256 \\
                --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem
            """)

    enum Peer: String, ExpressibleByArgument, CaseIterable {
        case swarm, ping, etcd
    }

    @Option(
        help: "What is asked: swarm (POST /configs/create), ping (GET /_ping, which writes nothing) or etcd (KV.Put).")
    var peer: Peer
    @Option(help: "HOST:PORT of each member; clients are spread over them.") var endpoints: String
    @Option(help: "Numbers of clients, one run each.") var clients = "1,64,256"
    @Option(help: "Seconds of a run that are measured.") var seconds = 10
    @Option(help: "Seconds before that are not measured.") var warmup = 2
    @Option(help: "Bytes of a value.") var bytes = 1024
    @Option(help: "What the names of this load begin with.") var prefix = "load"
    @Option(help: "The authority of the members' certificates (PEM).") var tlscacert: String
    @Option(help: "The client's certificate (PEM).") var tlscert: String
    @Option(help: "The key of the client's certificate (PEM).") var tlskey: String

    func validate() throws {
        guard seconds > 0, warmup >= 0, bytes > 0 else { throw ValidationError("seconds and bytes must be above 0") }
    }

    func run() async throws {
        let counts = try clients.split(separator: ",").map { text in
            guard let count = Int(text), count > 0 else { throw ValidationError("\"\(text)\" is no number of clients") }
            return count
        }
        let targets = try endpoints.split(separator: ",").map { try Endpoint(String($0)) }
        guard !targets.isEmpty else { throw ValidationError("name at least one endpoint") }
        let connector = Connector(
            group: MultiThreadedEventLoopGroup(numberOfThreads: 1), security: try security(), endpoints: targets)
        for count in counts {
            let run = LoadRun(
                clients: count, warmup: .seconds(Int64(warmup)), measured: .seconds(Int64(seconds)), valueBytes: bytes,
                prefix: "\(prefix)-\(count)")
            print(try await run.perform(peer, connector).json(peer: peer.rawValue, clients: count))
        }
        try await connector.group.shutdownGracefully()
    }

    private func security() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(tlscacert))
        configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(tlscert).map { .certificate($0) }
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: tlskey, format: .pem))
        configuration.certificateVerification = .noHostnameVerification
        configuration.applicationProtocols = peer == .etcd ? ["h2"] : ["http/1.1"]
        return try NIOSSLContext(configuration: configuration)
    }
}

struct Endpoint: Sendable {
    var host: String
    var port: Int

    init(_ text: String) throws {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            throw ValidationError("\"\(text)\" is not HOST:PORT")
        }
        host = String(text[..<colon])
        self.port = port
    }
}

/// Opens connections to the members in turn.
struct Connector: Sendable {
    let group: MultiThreadedEventLoopGroup
    let security: NIOSSLContext
    let endpoints: [Endpoint]

    func connect<Output: Sendable>(
        client: Int, _ setUp: @escaping @Sendable (any Channel) throws -> Output
    ) async throws -> Output {
        let endpoint = endpoints[client % endpoints.count]
        let security = security
        return try await ClientBootstrap(group: group)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connect(host: endpoint.host, port: endpoint.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: security, serverHostname: nil))
                    return try setUp(channel)
                }
            }
    }
}
