import ClusterModel
import ClusterState
import DockerSchema
import EngineAPI
import EngineFakes
import Foundation
import NIOHTTP1
import Primitives
import Testing

@Suite struct EndpointTests {
    @Test func logsAreFramed() async throws {
        try await FakeEngine.serve(lines: [.stdout: "out\n", .stderr: "problem\n"]) { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            let answer = try await client.get("/services/web/logs?stdout=1&stderr=1")
            #expect(answer.headers.first(name: "Content-Type") == "application/vnd.docker.multiplexed-stream")
            #expect(
                answer.bytes == [1, 0, 0, 0, 0, 0, 0, 4] + Array("out\n".utf8) + [2, 0, 0, 0, 0, 0, 0, 8]
                    + Array("problem\n".utf8))
            #expect(try await client.get("/services/web/logs").status == 400)
            #expect(try await client.get("/services/web/logs?stdout=1&tail=x").status == 400)
        }
    }

    @Test func logsCarryTimesAndDetails() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            let answer = try await client.get("/services/web/logs?stdout=1&timestamps=1&details=1")
            let task = try #require(try await engine.cluster.tables().tasks.sorted.first)
            let line = String(decoding: answer.bytes.dropFirst(8), as: UTF8.self)
            #expect(
                line == "2026-09-21T14:13:20.000000000Z com.docker.swarm.node.id=\(NodeID(value: 77)),"
                    + "com.docker.swarm.service.id=\(task.serviceID),com.docker.swarm.task.id=\(task.id) hello\n")
        }
    }

    @Test func aFollowedLogEndsWhenItsReaderGoesAway() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            let piece = try await client.firstPiece(of: "/services/web/logs?stdout=1&follow=1")
            #expect(String(decoding: piece.dropFirst(8), as: UTF8.self) == "hello\n")
            #expect(await eventually { engine.cluster.endedLogs == 1 })
        }
    }

    @Test func aTerminalsLogIsRaw() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            var spec = serviceSpec("web")
            spec.TaskTemplate?.ContainerSpec?.TTY = true
            _ = try await client.send("POST", "/services/create", spec)
            let answer = try await client.get("/services/web/logs?stdout=1")
            #expect(answer.headers.first(name: "Content-Type") == "application/vnd.docker.raw-stream")
            #expect(answer.text == "hello\n")
        }
    }

    @Test func aPullReportsProgressAndItsError() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let auth = DockerJSON.base64(Array(#"{"username":"u","password":"p"}"#.utf8))
            let answer = try await client.send(
                "POST", "/images/create?fromImage=web&tag=2", headers: ["X-Registry-Auth": auth])
            let lines = answer.text.split(separator: "\r\n")
            #expect(lines.first == #"{"status":"Pulling web:2"}"#)
            #expect(
                lines.dropFirst().first
                    == #"{"id":"abcdef012345","progressDetail":{"current":10,"total":100},"status":"Downloading"}"#)
            #expect(await engine.images.credentials == RegistryCredentials(username: "u", password: "p"))
            let missing = try await client.send("POST", "/images/create?fromImage=missing&tag=1")
            #expect(missing.text.split(separator: "\r\n").last?.contains("not found") == true)
        }
    }

    @Test func anUploadIsImportedWhole() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let tar = (0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0) }
            let answer = try await client.send(
                "POST", "/images/create?fromSrc=-&repo=local/base&tag=1", raw: tar)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(await engine.images.uploaded == tar)
            #expect(try await client.get("/images/local/base:1/json").status == 200)
            #expect(try await client.send("POST", "/images/local/base:1/tag?repo=x/y&tag=2").status == 201)
            #expect(try await client.send("DELETE", "/images/x/y:2").status == 200)
            #expect(try await client.get("/images/x/y:2/json").status == 404)
        }
    }

    @Test func aDigestIsResolved() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let found: Docker.Distribution = try await client.get("/distribution/reg:5000/team/web:1/json").decoded()
            #expect(found.Descriptor.digest.hasPrefix("sha256:dddd"))
            #expect(found.Platforms == [Docker.DistributionPlatform(architecture: "amd64", os: "linux")])
            #expect(try await client.get("/distribution/lost/json").status == 404)
        }
    }

    @Test func aSecretInUseStays() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let secret = Docker.PayloadSpec(Name: "key", Data: DockerJSON.base64([1, 2, 3]))
            let created: Docker.Created = try await client.send("POST", "/secrets/create", secret).decoded()
            #expect(try await client.send("POST", "/secrets/create", secret).status == 409)
            var spec = serviceSpec("web")
            spec.TaskTemplate?.ContainerSpec?.Secrets = [Docker.SecretReference(SecretName: "key")]
            #expect(try await client.send("POST", "/services/create", spec).status == 201)
            let refused = try await client.send("DELETE", "/secrets/key")
            #expect(refused.status == 400)
            #expect(refused.message == "secret 'key' is in use by the following service: web")
            #expect(try await client.send("DELETE", "/services/web").status == 200)
            #expect(try await client.send("DELETE", "/secrets/\(created.ID)").status == 204)
        }
    }

    @Test func onlyLabelsOfASecretChange() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let spec = Docker.PayloadSpec(Name: "key", Data: DockerJSON.base64([1]))
            _ = try await client.send("POST", "/secrets/create", spec)
            let secret: Docker.Payload = try await client.get("/secrets/key").decoded()
            let path = "/secrets/key/update?version=\(secret.Version.Index)"
            let other = Docker.PayloadSpec(Name: "key", Data: DockerJSON.base64([2]))
            #expect(try await client.send("POST", path, other).status == 400)
            let labels = Docker.PayloadSpec(Name: "key", Labels: ["a": "b"])
            #expect(try await client.send("POST", path, labels).status == 200)
            #expect(try await client.get("/secrets/key").decoded(Docker.Payload.self).Spec.Labels == ["a": "b"])
            let large = Docker.PayloadSpec(Name: "big", Data: DockerJSON.base64(Array(repeating: 1, count: 501 << 10)))
            #expect(try await client.send("POST", "/secrets/create", large).status == 400)
        }
    }

    @Test func networksDoNotOverlap() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            func create(_ name: String, _ subnet: String) async throws -> Int {
                var request = Docker.NetworkCreate(Name: name)
                request.IPAM = Docker.IPAM(Config: [Docker.IPAMConfig(Subnet: subnet)])
                return try await client.send("POST", "/networks/create", request).status
            }
            #expect(try await create("a", "10.9.0.0/24") == 201)
            #expect(try await create("a", "10.8.0.0/24") == 409)
            #expect(try await create("b", "10.9.0.128/25") == 400)
            #expect(try await create("c", "10.9.0.0") == 400)
            let removed = try await client.send("DELETE", "/networks/a")
            #expect(removed.status == 204)
        }
    }

    @Test func theLastManagerStays() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let node: Docker.Node = try await client.get("/nodes/n1").decoded()
            let path = "/nodes/n1/update?version=\(node.Version.Index)"
            let demotion = try await client.send(
                "POST", path, Docker.NodeSpec(Role: "worker", Availability: "active"))
            #expect(demotion.status == 400)
            #expect(demotion.message == "attempting to demote the last manager of the swarm")
            #expect(try await client.send("DELETE", "/nodes/n1?force=true").status == 400)
            let drain = Docker.NodeSpec(Labels: ["a": "b"], Role: "manager", Availability: "drain")
            #expect(try await client.send("POST", path, drain).status == 200)
            #expect(try await client.get("/nodes/n1").decoded(Docker.Node.self).Spec.Availability == "drain")
        }
    }

    @Test func aSwarmBeginsAndEnds() async throws {
        try await FakeEngine.serve(member: Membership(state: .inactive)) { engine in
            let client = TestClient(engine: engine)
            var request = Docker.SwarmInit()
            request.DefaultAddrPool = ["10.20.0.0/16", "10.20.1.0/24"]
            let overlapping = try await client.send("POST", "/swarm/init", request)
            #expect(overlapping.status == 400)
            #expect(overlapping.message.contains("overlaps"))
            request.DefaultAddrPool = ["10.20.0.0/16"]
            let begun = try await client.send("POST", "/swarm/init", request)
            #expect(try begun.decoded(String.self) == NodeID(value: 77).description)
            let again = try await client.send("POST", "/swarm/init", request)
            #expect(again.status == 503)
            #expect(again.message.hasPrefix("This node is already part of a swarm."))
            let swarm: Docker.Swarm = try await client.get("/swarm").decoded()
            #expect(swarm.JoinTokens?.Worker == "SWMTKN-worker")
            let rotate = "/swarm/update?version=\(swarm.Version.Index)&rotateWorkerToken=true"
            #expect(try await client.send("POST", rotate, swarm.Spec).status == 200)
            #expect(try await client.get("/swarm").decoded(Docker.Swarm.self).JoinTokens?.Worker == "SWMTKN-worker-2")
            #expect(try await client.send("POST", "/swarm/leave").status == 400)
            #expect(try await client.send("POST", "/swarm/leave?force=true").status == 200)
            var join = Docker.SwarmJoin()
            join.JoinToken = "wrong"
            #expect(try await client.send("POST", "/swarm/join", join).status == 401)
        }
    }

    @Test func aMalformedBodyNamesTheField() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let answer = try await client.send(
                "POST", "/services/create", raw: Array(#"{"Name":"a","Mode":{"Replicated":{"Replicas":-1}}}"#.utf8))
            #expect(answer.status == 400)
            #expect(answer.message == "Mode.Replicated.Replicas: the number is out of range")
            var spec = serviceSpec("a")
            spec.TaskTemplate?.ContainerSpec?.StopGracePeriod = -5
            let negative = try await client.send("POST", "/services/create", spec)
            #expect(negative.message == "TaskTemplate.ContainerSpec.StopGracePeriod: -5 ns is negative")
            #expect(try await client.send("POST", "/services/create", raw: Array("{".utf8)).status == 400)
            let large = Array(repeating: UInt8(ascii: " "), count: 5 << 20)
            #expect(try await client.send("POST", "/services/create", raw: large).status == 400)
        }
    }
}
