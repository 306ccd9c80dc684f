import ClusterIdentity
import ClusterModel
import Primitives
import SwiftASN1
import Testing
import X509

@Suite struct RootRotationTests {
    private var random = SeededRandom(seed: 7)
    private let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)
    private let cluster = ClusterID(value: 5)

    private func founded() throws -> Authority {
        let root = try CertificateAuthority(generatingFor: cluster, at: now)
        return Authority(rootCertificate: try root.certificatePEM(), signingKey: try root.keyPEM())
    }

    /// A manager's credentials as it gets them from this authority.
    private func member(_ authority: Authority, role: NodeRole = .manager) throws -> Credentials {
        let joiner = try JoinerCredentials(at: now)
        let cluster = Cluster(
            id: cluster, authority: authority, addressPools: [])
        let identity = PeerIdentity(node: NodeID(value: 9), role: role, cluster: self.cluster)
        return try Credentials(
            certificatePEM: cluster.issue(joiner.certificate.publicKey, to: identity, at: now).pem(),
            keyPEM: joiner.keyPEM(), rootsPEM: authority.trusted)
    }

    /// Whether the one lets the other in, as in a handshake.
    private func accepts(_ a: Credentials, _ b: Credentials) async -> Bool {
        await PeerVerification.members(roots: a.roots, cluster: cluster)
            .refusal(of: b.certificate, rest: b.roots + b.intermediates, at: now) == nil
    }

    @Test func nodesOfBothRootsAcceptEachOtherAndSoDoesOneThatSleptThroughTwo() async throws {
        let first = try founded()
        let second = try first.rotated(for: cluster, at: now)
        let third = try second.rotated(for: cluster, at: now)
        let (old, middle, new) = (try member(first), try member(second), try member(third))
        #expect(second.isRotating && third.earlier.count == 2)
        for (a, b) in [(old, middle), (old, new), (middle, new), (old, old), (new, new)] {
            #expect(await accepts(a, b))
            #expect(await accepts(b, a))
        }
        #expect(try new.info().issuerPublicKey == third.issuer().issuerPublicKey)
        #expect(try old.info().issuerPublicKey != third.issuer().issuerPublicKey)
        #expect(try new.info().trustDigest == third.trustDigest)
    }

    @Test func afterTheEndTheOldRootCountsNoMore() async throws {
        let first = try founded()
        let settled = try first.rotated(for: cluster, at: now).settled()
        #expect(!settled.isRotating && settled.trusted.count == 1)
        let (old, new) = (try member(first), try member(settled))
        #expect(await !accepts(new, old))
        #expect(await !accepts(old, new))
        #expect(try new.info().trustDigest == settled.trustDigest)
    }

    /// A token that was printed before the rotation leads a joiner to managers of either root.
    @Test func aTokenOfTheEarlierRootLeadsToTheNewest() async throws {
        let first = try founded()
        let second = try first.rotated(for: cluster, at: now)
        let digest = try Certificate(pemEncoded: second.commonRoot).tokenDigest()
        #expect(try digest == Certificate(pemEncoded: first.rootCertificate).tokenDigest())
        for authority in [first, second] {
            let manager = try member(authority)
            let refusal = await PeerVerification.managerUnder(rootDigest: digest).refusal(
                of: manager.certificate, rest: manager.roots + manager.intermediates, at: now)
            #expect(refusal == nil)
        }
        let worker = try member(second, role: .worker)
        let refusal = await PeerVerification.managerUnder(rootDigest: digest).refusal(
            of: worker.certificate, rest: worker.roots + worker.intermediates, at: now)
        #expect(refusal == "it is not a manager")
    }

    @Test func thereIsALimitOfTrustedRoots() throws {
        var authority = try founded()
        for _ in 1..<IdentityLimits.trustedRoots { authority = try authority.rotated(for: cluster, at: now) }
        let failure = #expect(throws: Failure.self) { try authority.rotated(for: cluster, at: now) }
        #expect(failure?.code == .resourceExhausted && failure?.message.contains("swarmctl node rm") == true)
    }

    @Test func aRootOfOnesOwnIsChecked() throws {
        let first = try founded()
        let own = try CertificateAuthority(generatingFor: cluster, at: now)
        let other = try CertificateAuthority(generatingFor: cluster, at: now)
        let rotated = try first.rotated(
            for: cluster, own: (try own.certificatePEM(), try own.keyPEM()), at: now)
        #expect(try rotated.rootCertificate == own.certificatePEM())
        let leaf = try member(first)
        for (certificate, key, reason) in [
            (try own.certificatePEM(), try other.keyPEM(), "another certificate's"),
            (try leaf.certificatePEM(), try leaf.keyPEM(), "not signed by itself"),
            ("x", "y", "not readable"), (first.rootCertificate, first.signingKey, "already"),
        ] {
            let failure = #expect(throws: Failure.self) {
                try first.rotated(for: cluster, own: (certificate, key), at: now)
            }
            #expect(failure?.message.contains(reason) == true)
        }
    }

    /// R26, R27: out of its time a member may only come to ask, and the reason names both times.
    @Test func aCertificateOutOfItsTimeIsNamedWithBothClocks() async throws {
        let authority = try founded()
        let worker = try member(authority, role: .worker)
        let late = now + .seconds(91 * 86_400)
        let early = now - .seconds(86_400)
        let members = PeerVerification.members(roots: worker.roots, cluster: cluster)
        let expired = try #require(await members.refusal(of: worker.certificate, rest: worker.roots, at: late))
        #expect(expired.contains("expired at") && expired.contains(late.rfc3339))
        let future = try #require(await members.refusal(of: worker.certificate, rest: worker.roots, at: early))
        #expect(future.contains("is valid from") && future.contains(early.rfc3339) && future.contains("set the clocks"))
        let door = PeerVerification.membersAndJoiners(roots: worker.roots, cluster: cluster)
        #expect(await door.refusal(of: worker.certificate, rest: worker.roots, at: late) == nil)
        let foreign = try member(founded(), role: .worker)
        #expect(await door.refusal(of: foreign.certificate, rest: foreign.roots, at: late) != nil)
        // Ten minutes either way are within the hour that certificates are backdated by.
        for skew in [Duration.seconds(600), .seconds(-600)] {
            #expect(await members.refusal(of: worker.certificate, rest: worker.roots, at: now + skew) == nil)
        }
    }

    @Test func credentialsKeepWhatLeadsFromRootToRoot() throws {
        let second = try founded().rotated(for: cluster, at: now)
        let member = try member(second)
        #expect(member.roots.count == 2 && member.intermediates.count == 1)
        let again = try Credentials(
            certificatePEM: member.certificatePEM(), keyPEM: member.keyPEM(), rootsPEM: member.rootsPEM())
        #expect(again.roots == member.roots && again.intermediates == member.intermediates)
    }
}
