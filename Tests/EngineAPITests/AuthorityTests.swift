import ClusterModel
import ClusterState
import DockerSchema
import EngineAPI
import EngineFakes
import Primitives
import Testing

/// The root certificate and members that come back, through the API.
@Suite struct AuthorityTests {
    @Test func aNewForceRotateMakesANewRootAndAnOldOneNone() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            var swarm: Docker.Swarm = try await client.get("/swarm").decoded()
            #expect(!swarm.RootRotationInProgress)
            var spec = swarm.Spec
            var config = try #require(spec.CAConfig)
            #expect(config.ForceRotate == nil)
            config.SigningCACert = "OWN"
            spec.CAConfig = config
            func update() async throws -> TestClient.Answer {
                swarm = try await client.get("/swarm").decoded()
                return try await client.send("POST", "/swarm/update?version=\(swarm.Version.Index)", spec)
            }
            let half = try await update()
            #expect(half.status == 400 && half.message.contains("SigningCACert and SigningCAKey go together"))
            config.SigningCAKey = "KEY"
            spec.CAConfig = config
            let still = try await update()
            #expect(still.status == 400 && still.message.contains("a new ForceRotate"))
            config.ForceRotate = 1
            spec.CAConfig = config
            #expect(try await update().status == 200)
            swarm = try await client.get("/swarm").decoded()
            #expect(swarm.RootRotationInProgress && swarm.Spec.CAConfig?.ForceRotate == 1)
            #expect(swarm.Spec.CAConfig?.SigningCAKey == nil)
            #expect(swarm.TLSInfo.CertIssuerPublicKey == "T1dO")
            // Written back as it was read: nothing is asked for.
            #expect(
                try await client.send("POST", "/swarm/update?version=\(swarm.Version.Index)", swarm.Spec).status == 200)
            let tables = try await engine.cluster.tables()
            #expect(tables.cluster?.authority.earlier.count == 1)
        }
    }

    @Test func onlyAMemberComesBackAndItKeepsItsAddresses() async throws {
        let expired = Membership(
            nodeID: NodeID(value: 77), address: "10.1.0.1", state: .error, isManager: false, error: "expired")
        var member = expired
        member.isExpired = true
        try await FakeEngine.serve(member: member) { engine in
            let client = TestClient(engine: engine)
            var join = Docker.SwarmJoin()
            join.JoinToken = "SWMTKN-worker"
            let again = try await client.send("POST", "/swarm/join", join)
            #expect(again.status == 503 && again.message.hasPrefix("This node is already part of a swarm."))
            #expect(again.message.contains("swarmctl join --renew TOKEN"))
            join.Renew = true
            join.AdvertiseAddr = "10.1.0.9"
            let moved = try await client.send("POST", "/swarm/join", join)
            #expect(moved.status == 400 && moved.message.contains("keeps its addresses"))
            join.AdvertiseAddr = ""
            #expect(try await client.send("POST", "/swarm/join", join).status == 200)
            #expect(await engine.cluster.hasRenewed)
        }
        try await FakeEngine.serve(member: Membership(state: .inactive)) { engine in
            var join = Docker.SwarmJoin()
            join.JoinToken = "SWMTKN-worker"
            join.Renew = true
            let stranger = try await TestClient(engine: engine).send("POST", "/swarm/join", join)
            #expect(stranger.status == 503 && stranger.message.contains("not part of a swarm"))
        }
    }

    @Test func aNodeThatIsDownSaysThatItsCertificateExpired() throws {
        let end = Timestamp(nanoseconds: 1_790_000_000_000_000_000)
        var description = NodeDescription(hostname: "n1", resources: Resources())
        description.certificate = CertificateInfo(issuerSubject: [1], issuerPublicKey: [2], expiresAt: end)
        var node = Node(
            id: NodeID(value: 7), spec: NodeSpec(role: .worker), description: description,
            status: NodeStatus(state: .down, message: "heartbeat failure"))
        func message(at now: Timestamp) -> String? {
            Docker.Node(node, manager: nil, authority: Authority(rootCertificate: "PEM"), now: now).Status.Message
        }
        #expect(message(at: end) == "heartbeat failure")
        let text = try #require(message(at: end + .seconds(1)))
        #expect(text.hasPrefix("heartbeat failure; its certificate expired at") && text.contains("join --renew"))
        node.status = NodeStatus(state: .ready)
        #expect(message(at: end + .seconds(1)) == nil)
    }
}
