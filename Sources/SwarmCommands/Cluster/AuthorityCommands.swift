import ArgumentParser
import DockerSchema
import Foundation

/// `swarmctl ca`: shows the root certificate, and replaces it.
struct AuthorityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca", abstract: "Show the cluster's root certificate, or replace it.",
        discussion: """
            With a new root every node gets a new certificate. Nodes that are off meanwhile still can come back: the earlier
            root is trusted until each has renewed, or is removed with 'swarmctl node rm'.

            EXAMPLES
              swarmctl ca > root.pem
              swarmctl ca --rotate
              swarmctl ca rotate --detach
              swarmctl ca rotate --ca-cert root.pem --ca-key root-key.pem --cert-expiry 720h
            """,
        subcommands: [AuthorityShow.self, AuthorityRotate.self], defaultSubcommand: AuthorityShow.self)
}

/// What a rotation may be given.
struct RotationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A root certificate of your own (PEM).", valueName: "file")) var caCert: String?
    @Option(help: ArgumentHelp("Its key (PEM).", valueName: "file")) var caKey: String?
    @Option(help: "Validity of nodes' certificates from now on.") var certExpiry: String?
    @OptionGroup var wait: WaitOptions

    var isEmpty: Bool { caCert == nil && caKey == nil && certExpiry == nil && !wait.detach }
}

struct AuthorityShow: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print the root certificate (PEM); what 'swarmctl ca' does.")

    @OptionGroup var connection: ConnectionOptions
    @Flag(help: "Replace the root, as 'swarmctl ca rotate' does.") var rotate = false
    @OptionGroup var options: RotationOptions

    func validate() throws {
        guard rotate || options.isEmpty else {
            throw ValidationError("--ca-cert, --ca-key, --cert-expiry and --detach need --rotate")
        }
    }

    func run(_ engine: EngineClient) async throws {
        if rotate { return try await AuthorityRotation(engine: engine, options: options).run() }
        Console.line(
            try await engine.get(["swarm"], as: Docker.Swarm.self).TLSInfo.TrustRoot.trimmingCharacters(in: .newlines))
    }
}

struct AuthorityRotate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Replace the root certificate and every node's own.",
        discussion: """
            Waits until every node has its new certificate, prints which it waits for, and then the new root. What is left
            after --timeout goes on by itself.

            EXAMPLES
              swarmctl ca rotate
              swarmctl ca rotate --detach
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var options: RotationOptions

    func run(_ engine: EngineClient) async throws {
        try await AuthorityRotation(engine: engine, options: options).run()
    }
}

/// Asks for a new root and waits until it is in use everywhere.
struct AuthorityRotation {
    var engine: EngineClient
    var options: RotationOptions

    func run() async throws {
        let swarm = try await engine.get(["swarm"], as: Docker.Swarm.self)
        var spec = swarm.Spec
        var config = spec.CAConfig ?? Docker.CAConfig()
        config.ForceRotate = (config.ForceRotate ?? 0) + 1
        config.SigningCACert = try options.caCert.map(AuthorityRotation.read)
        config.SigningCAKey = try options.caKey.map(AuthorityRotation.read)
        if let expiry = options.certExpiry { config.NodeCertExpiry = try FlagValue.duration(expiry) }
        spec.CAConfig = config
        try await engine.send("POST", ["swarm", "update"], [("version", String(swarm.Version.Index))], spec)
        if options.wait.detach { return }
        try await wait()
    }

    private static func read(_ path: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch { throw CommandFailure("cannot read \(path): \(error.localizedDescription)") }
    }

    private func wait() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let limit = try options.wait.limit()
        var printer = ProgressPrinter(isQuiet: options.wait.quiet)
        while true {
            let swarm = try await engine.get(["swarm"], as: Docker.Swarm.self)
            let nodes = try await engine.get(["nodes"], as: [Docker.Node].self)
            let progress = RotationProgress(swarm, nodes)
            printer.show(progress.summary, problems: [])
            if progress.isDone {
                printer.end()
                if options.wait.quiet { return }
                return Console.line(swarm.TLSInfo.TrustRoot.trimmingCharacters(in: .newlines))
            }
            if let limit, clock.now - start >= limit {
                printer.end()
                throw CommandFailure(
                    "\(progress.summary); the rotation goes on by itself: start these nodes, or remove those that are gone "
                        + "with 'swarmctl node rm'", status: .timedOut)
            }
            try await Task.sleep(for: .milliseconds(CommandLimits.pollMilliseconds))
        }
    }
}

/// How far a rotation is: pure, from one look.
struct RotationProgress: Hashable {
    var total: Int
    /// Nodes that present a certificate of an earlier root, or have not told of theirs; names, ordered.
    var waitsFor: [String]
    var isInProgress: Bool
    /// Nodes that still trust an earlier root.
    var trusting: [String]

    init(_ swarm: Docker.Swarm, _ nodes: [Docker.Node]) {
        total = nodes.count
        isInProgress = swarm.RootRotationInProgress
        waitsFor = nodes.filter { !RotationProgress.isCurrent($0, swarm.TLSInfo) }.map(RotationProgress.name).sorted()
        trusting = nodes.filter { $0.Description?.TLSInfo?.TrustRoot != swarm.TLSInfo.TrustRoot }
            .map(RotationProgress.name).sorted()
    }

    var isDone: Bool { !isInProgress && waitsFor.isEmpty && trusting.isEmpty }

    var summary: String {
        let certificates = "\(total - waitsFor.count)/\(total) nodes have a certificate of the new root"
        if !waitsFor.isEmpty { return "\(certificates), waiting for \(waitsFor.joined(separator: ", "))" }
        if isInProgress { return certificates }
        return "\(total - trusting.count)/\(total) nodes trust the new root alone"
            + (trusting.isEmpty ? "" : ", waiting for \(trusting.joined(separator: ", "))")
    }

    static func isCurrent(_ node: Docker.Node, _ desired: Docker.TLSInfo) -> Bool {
        let shown = node.Description?.TLSInfo
        return shown?.CertIssuerPublicKey == desired.CertIssuerPublicKey
            && shown?.CertIssuerSubject == desired.CertIssuerSubject
    }

    private static func name(_ node: Docker.Node) -> String {
        let name = node.Description?.Hostname ?? ""
        return name.isEmpty ? node.ID : name
    }
}
