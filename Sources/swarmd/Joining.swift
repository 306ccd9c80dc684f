import ClusterIdentity
import ClusterMessages
import ClusterModel
import ClusterWire
import EngineAPI
import GRPCCore
import LinuxSystem
import ManagerNode
import Primitives
import SwiftProtobuf

/// What a machine needs to be a member.
struct Admitted: Sendable {
    var membership: NodeMembership
    var credentials: Credentials
    var keys: NodeKeys
}

/// Asks the managers that a token names to admit this machine, or to let a member in again.
struct Joining {
    private let token: JoinToken
    private let managers: [String]
    private let advertiseAddress: String
    private let hasLostLog: Bool
    private let machine: NodeDescription
    private let credentials: JoinerCredentials

    /// For one manager to answer, in seconds.
    private static let answerSeconds = 20
    /// Managers asked in turn, redirections to the leader included.
    private static let attempts = 15

    init(_ request: JoinRequest, _ addresses: NodeAddresses, _ machine: NodeDescription) throws {
        try self.init(
            request, advertiseAddress: addresses.advertise, hasLostLog: false, machine,
            JoinerCredentials(at: Clock.wallTime))
    }

    /// - Parameters:
    ///   - member: who the node is; its certificate may have run out.
    ///   - hasLostLog: the node is to be a manager, and its log is gone.
    init(
        renewing member: Credentials, _ request: JoinRequest, advertiseAddress: String, hasLostLog: Bool,
        _ machine: NodeDescription
    ) throws {
        try self.init(
            request, advertiseAddress: advertiseAddress, hasLostLog: hasLostLog, machine, JoinerCredentials(member))
    }

    private init(
        _ request: JoinRequest, advertiseAddress: String, hasLostLog: Bool, _ machine: NodeDescription,
        _ credentials: JoinerCredentials
    ) throws {
        token = try JoinToken(parsing: request.token)
        managers = request.managers.isEmpty ? token.addresses : request.managers
        guard !managers.isEmpty else {
            throw Failure(
                .invalidArgument, "the token names no manager's address: give one with --manager HOST:PORT")
        }
        self.advertiseAddress = advertiseAddress
        self.hasLostLog = hasLostLog
        self.machine = machine
        self.credentials = credentials
    }

    /// - Throws: ``Failure``: `unauthenticated` for a token that is not valid, `unavailable` when no manager answers.
    func run() async throws -> WireAdmission {
        var candidates = managers
        var problems: [String] = []
        var attempt = 0
        while !candidates.isEmpty, attempt < Joining.attempts {
            attempt += 1
            let address = candidates.removeFirst()
            do {
                switch try await ask(address).answer {
                case .admission(let admission): return admission
                case .notLeader(let other):
                    if other.leaderAddress.isEmpty {
                        problems.append("\(address) knows no leader")
                        candidates.append(address)
                        try await Task.sleep(for: .milliseconds(500))
                    } else {
                        candidates.insert(other.leaderAddress, at: 0)
                    }
                case nil: problems.append("\(address) gave no answer")
                }
            } catch let error as RPCError {
                let failure = error.failure
                if failure.isFinal { throw failure }
                problems.append("\(address): \(failure.message)")
            } catch let failure as Failure { problems.append("\(address): \(failure.message)") }
        }
        throw Failure(
            .unavailable,
            "could not join: no manager admitted this node (\(Joining.summary(problems))); check that port 2377/tcp is "
                + "open and that the token is of this cluster, or name another manager with --manager HOST:PORT")
    }

    private static func summary(_ problems: [String]) -> String {
        var seen: [String] = []
        for problem in problems where !seen.contains(problem) { seen.append(problem) }
        return seen.joined(separator: "; ")
    }

    private func ask(_ address: String) async throws -> WireJoinAnswer {
        try await NodeConnections.withJoiner(
            to: address, credentials: credentials, rootDigest: token.rootDigest,
            clock: { Clock.wallTime }
        ) { client in
            var options = CallOptions.defaults
            options.timeout = .seconds(Joining.answerSeconds)
            options.waitForReady = false
            return try await WireIdentity.Client(wrapping: client).join(
                .with {
                    $0.tokenSecret = token.secret
                    $0.machine = machine.wire
                    $0.advertisedAddress = advertiseAddress
                    $0.hasLostLog_p = hasLostLog
                }, options: options)
        }
    }

    /// What a new member begins with.
    ///
    /// - Throws: ``Failure`` `failedPrecondition` where this machine's clock is not within the new certificate's time.
    func membership(_ admission: WireAdmission, _ addresses: NodeAddresses) throws -> Admitted {
        let credentials = try Credentials(
            certificatePEM: admission.certificate, keyPEM: credentials.keyPEM(), rootsPEM: admission.rootCertificates)
        let now = Clock.wallTime
        if let problem = credentials.certificate.validityProblem(at: now) {
            throw Failure(
                .failedPrecondition,
                problem.text("the certificate that a manager has just made", "the clock here", now: now))
        }
        let membership = NodeMembership(
            listenAddress: addresses.listen, advertiseAddress: addresses.advertise, dataPathAddress: addresses.dataPath,
            dataPathPort: UInt16(clamping: admission.dataPathPort), raftID: admission.raftID, isFounder: false,
            managers: admission.managers.map(\.address),
            peers: Dictionary(admission.managers.map { ($0.raftID, $0.address) }) { $1 })
        var random = SystemRandomNumberGenerator()
        let keys = NodeKeys(privateKeyPEM: try credentials.keyPEM(), using: &random)
        return Admitted(membership: membership, credentials: credentials, keys: keys)
    }
}

extension Failure {
    /// Another manager would say the same.
    fileprivate var isFinal: Bool {
        [.unauthenticated, .permissionDenied, .failedPrecondition].contains(code)
    }
}
