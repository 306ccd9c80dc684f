import ClusterModel
import ClusterState
import DockerSchema
import EngineFakes
import Primitives
import Testing

@testable import SwarmCommands

@Suite struct AuthorityCommandTests {
    private let swarmctl = CommandLineTool.swarmctl

    @Test func bothSpellingsAskForANewRoot() async throws {
        try await FakeEngine.serve { engine in
            let flag = try await swarmctl("ca", "--rotate", "--detach", on: engine)
            #expect(flag.status == 0 && flag.stdout.isEmpty, "\(flag)")
            #expect(try await engine.cluster.tables().cluster?.authority.earlier.count == 1)
            let word = try await swarmctl("ca", "rotate", "-d", "--cert-expiry", "72h", on: engine)
            #expect(word.status == 0 && word.stdout.isEmpty, "\(word)")
            #expect(try await engine.cluster.tables().cluster?.authority.earlier.count == 2)
            #expect(try await engine.cluster.tables().cluster?.spec.certificateValidity == .seconds(72 * 3600))
            let waiting = try await swarmctl("ca", "rotate", "--timeout", "500ms", on: engine)
            #expect(waiting.status == 3 && waiting.stderr.contains("waiting for n1"), "\(waiting)")
            let wrong = try await swarmctl("ca", "--cert-expiry", "72h", on: engine)
            #expect(wrong.status == 64 && wrong.stderr.contains("need --rotate"), "\(wrong)")
        }
    }

    private func node(_ id: UInt128, _ name: String, issuer: [UInt8]?, trust: [UInt8] = []) -> Node {
        var description = NodeDescription(hostname: name, resources: Resources())
        description.certificate = issuer.map {
            CertificateInfo(issuerSubject: [1], issuerPublicKey: $0, trustDigest: trust)
        }
        return Node(id: NodeID(value: id), spec: NodeSpec(role: .worker), description: description)
    }

    private func progress(_ authority: Authority, _ nodes: [Node]) -> RotationProgress {
        let cluster = Cluster(id: ClusterID(value: 1), authority: authority, addressPools: [])
        let issuer = CertificateInfo(issuerSubject: [1], issuerPublicKey: [2])
        return RotationProgress(
            Docker.Swarm(cluster, issuer: issuer, tokens: nil),
            nodes.map { Docker.Node($0, manager: nil, authority: authority, now: .zero) })
    }

    @Test func progressNamesTheNodesThatAreWaitedFor() {
        var authority = Authority(
            rootCertificate: "NEW", earlier: [EarlierRoot(certificate: "OLD", signingKey: "", crossSigned: "")],
            trustDigest: [7])
        let open = progress(
            authority, [node(1, "n2", issuer: [3]), node(2, "n1", issuer: nil), node(3, "n3", issuer: [2], trust: [7])])
        #expect(open.summary == "1/3 nodes have a certificate of the new root, waiting for n1, n2")
        #expect(!open.isDone)
        authority.earlier = []
        authority.trustDigest = [8]
        let nearly = progress(
            authority, [node(1, "n1", issuer: [2], trust: [8]), node(2, "n2", issuer: [2], trust: [7])])
        #expect(nearly.summary == "1/2 nodes trust the new root alone, waiting for n2" && !nearly.isDone)
        #expect(progress(authority, [node(1, "n1", issuer: [2], trust: [8])]).isDone)
    }
}
