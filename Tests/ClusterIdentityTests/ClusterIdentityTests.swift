import ClusterIdentity
import ClusterModel
import Foundation
import Primitives
import Testing
import X509

@Suite struct ClusterIdentityTests {
    private var random = SystemRandomNumberGenerator()
    /// Certificates are checked against the machine's clock.
    private let now = Timestamp(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9))

    private func member(
        of authority: CertificateAuthority, cluster: ClusterID, validity: Duration = .seconds(3600)
    ) throws -> Certificate {
        var random = SystemRandomNumberGenerator()
        let identity = PeerIdentity(node: NodeID(using: &random), role: .manager, cluster: cluster)
        return try authority.issue(
            JoinerCredentials(at: now).certificate.publicKey, to: identity, validity: validity, at: now)
    }

    @Test mutating func aMemberOfTheClusterIsAcceptedAndNobodyElse() async throws {
        let cluster = ClusterID(using: &random)
        let authority = try CertificateAuthority(generatingFor: cluster, at: now)
        let foreign = try CertificateAuthority(generatingFor: cluster, at: now)
        let verification = PeerVerification.members(roots: [authority.certificate], cluster: cluster)
        #expect(await verification.accepts(try member(of: authority, cluster: cluster), rest: [], at: now))
        #expect(
            await !verification.accepts(try member(of: foreign, cluster: cluster), rest: [foreign.certificate], at: now)
        )
        #expect(
            await !verification.accepts(
                try member(of: authority, cluster: ClusterID(using: &random)), rest: [], at: now))
        #expect(await !verification.accepts(try JoinerCredentials(at: now).certificate, rest: [], at: now))
        #expect(
            await !verification.accepts(
                try member(of: authority, cluster: cluster, validity: .seconds(-60)), rest: [], at: now))
    }

    @Test mutating func aJoinerIsAcceptedOnlyWhereJoinersAre() async throws {
        let cluster = ClusterID(using: &random)
        let authority = try CertificateAuthority(generatingFor: cluster, at: now)
        let verification = PeerVerification.membersAndJoiners(roots: [authority.certificate], cluster: cluster)
        let joiner = try JoinerCredentials(at: now).certificate
        #expect(await verification.accepts(joiner, rest: [], at: now))
        #expect(await !verification.accepts(joiner, rest: [joiner], at: now))
    }

    @Test mutating func aJoinerAcceptsOnlyTheClusterOfItsToken() async throws {
        let cluster = ClusterID(using: &random)
        let authority = try CertificateAuthority(generatingFor: cluster, at: now)
        let foreign = try CertificateAuthority(generatingFor: cluster, at: now)
        let verification = PeerVerification.managerUnder(rootDigest: try authority.certificate.tokenDigest())
        #expect(
            await verification.accepts(
                try member(of: authority, cluster: cluster), rest: [authority.certificate], at: now))
        #expect(
            await !verification.accepts(try member(of: foreign, cluster: cluster), rest: [foreign.certificate], at: now)
        )
        #expect(
            await !verification.accepts(
                try member(of: foreign, cluster: cluster), rest: [authority.certificate], at: now))
    }

    @Test mutating func tokensRoundTripAndSayWhatIsWrong() throws {
        let authority = try CertificateAuthority(generatingFor: ClusterID(using: &random), at: now)
        let tokens = JoinTokens(using: &random)
        let token = JoinToken(
            rootDigest: try authority.certificate.tokenDigest(), secret: tokens.workerSecret,
            addresses: ["n-1.example:2377", "10.0.0.2:2377"])
        #expect(try JoinToken(parsing: token.description) == token)
        #expect(tokens.role(of: tokens.workerSecret) == .worker)
        #expect(tokens.role(of: tokens.managerSecret) == .manager)
        #expect(tokens.role(of: "") == nil)
        for damaged in ["", "SWMTKN-1-abc", "SWMTKN-2-a-b", String(token.description.prefix(60))] {
            #expect(throws: Failure.self) { try JoinToken(parsing: damaged) }
        }
    }

    @Test mutating func credentialsSurviveTheirText() throws {
        let cluster = ClusterID(using: &random)
        let authority = try CertificateAuthority(generatingFor: cluster, at: now)
        let restored = try CertificateAuthority(
            certificatePEM: authority.certificatePEM(), keyPEM: authority.keyPEM())
        let joiner = try JoinerCredentials(at: now)
        let identity = PeerIdentity(node: NodeID(using: &random), role: .worker, cluster: cluster)
        let certificate = try restored.issue(
            joiner.certificate.publicKey, to: identity, validity: .seconds(60), at: now)
        let credentials = try Credentials(certificate: certificate, key: joiner.key, roots: [authority.certificate])
        let again = try Credentials(
            certificatePEM: credentials.certificatePEM(), keyPEM: credentials.keyPEM(),
            rootsPEM: credentials.rootsPEM())
        #expect(again.identity == identity)
        #expect(again.roots == [authority.certificate])
    }
}

extension PeerVerification {
    func accepts(_ leaf: Certificate, rest: [Certificate], at now: Timestamp) async -> Bool {
        await refusal(of: leaf, rest: rest, at: now) == nil
    }
}
