import ClusterModel
import ClusterState
import DockerSchema
import EngineAPI
import EngineFakes
import Foundation
import NIOHTTP1
import Primitives
import Testing

@Suite struct EngineAPITests {
    @Test func pingCarriesDockersHeaders() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            for method in ["GET", "HEAD"] {
                let answer = try await client.send(method, "/_ping")
                #expect(answer.status == 200)
                #expect(answer.headers.first(name: "Api-Version") == "1.47")
                #expect(answer.headers.first(name: "Docker-Experimental") == "false")
                #expect(answer.headers.first(name: "Ostype") == "linux")
                #expect(answer.headers.first(name: "Swarm") == "active/manager")
                #expect(answer.text == (method == "GET" ? "OK" : ""))
            }
        }
    }

    /// What may take long is not done on the threads that read for everybody.
    @Test func aRequestThatBlocksItsThreadHoldsUpNoOtherConnection() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let (hasBegun, begin) = AsyncStream.makeStream(of: Void.self)
            let mayEnd = DispatchSemaphore(value: 0)
            await engine.volumes.whenListed {
                begin.finish()
                #expect(mayEnd.wait(timeout: .now() + 10) == .success, "others are not answered")
            }
            async let slow = client.get("/volumes")
            for await _ in hasBegun {}
            let answers = await withTaskGroup(of: Int?.self) { group in
                for _ in 0..<16 { group.addTask { try? await client.get("/_ping").status } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            mayEnd.signal()
            #expect(answers == Array(repeating: 200, count: 16))
            let status = try await slow.status
            #expect(status == 200)
        }
    }

    @Test func routesAnswerWithAndWithoutVersion() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            #expect(try await client.get("/nodes").status == 200)
            #expect(try await client.get("/v1.24/nodes").status == 200)
            #expect(try await client.get("/v1.47/nodes").status == 200)
            let tooNew = try await client.get("/v1.99/nodes")
            #expect(tooNew.status == 400)
            #expect(tooNew.message == "client version 1.99 is too new. Maximum supported API version is 1.47")
            let unknown = try await client.get("/nonsense")
            #expect(unknown.status == 404)
            #expect(unknown.message == "page not found")
        }
    }

    @Test(arguments: [
        (Membership(state: .inactive), "This node is not a swarm manager. Use"),
        (Membership(state: .active), "This node is not a swarm manager. Worker nodes can't be used"),
        (Membership(state: .locked), "Swarm is encrypted and needs to be unlocked"),
    ])
    func aNodeThatIsNoManagerSaysSo(member: Membership, text: String) async throws {
        try await FakeEngine.serve(member: member) { engine in
            let client = TestClient(engine: engine)
            for path in ["/nodes", "/services", "/tasks", "/networks", "/secrets", "/configs", "/swarm"] {
                let answer = try await client.get(path)
                #expect(answer.status == 503)
                #expect(answer.message.hasPrefix(text), "\(path): \(answer.message)")
            }
            #expect(try await client.get("/info").status == 200)
            #expect(try await client.get("/images/json").status == 200)
        }
    }

    @Test func aStaleUpdateIsAConflict() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            let service: Docker.Service = try await client.get("/services/web").decoded()
            let path = "/services/web/update?version=\(service.Version.Index)"
            #expect(try await client.send("POST", path, serviceSpec("web", replicas: 2)).status == 200)
            let stale = try await client.send("POST", path, serviceSpec("web", replicas: 3))
            #expect(stale.status == 409)
            #expect(stale.message.contains("update out of sequence"))
            let malformed = try await client.send("POST", "/services/web/update?version=x", serviceSpec("web"))
            #expect(malformed.status == 400)
        }
    }

    @Test func theClustersOwnWritesDoNotMakeAnUpdateStale() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            let service: Docker.Service = try await client.get("/services/web").decoded()
            await engine.cluster.interfere(times: 3)
            let path = "/services/web/update?version=\(service.Version.Index)"
            #expect(try await client.send("POST", path, serviceSpec("web", replicas: 2)).status == 200)
        }
    }

    @Test func onlyATaskChangeReplacesTasks() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            func update(_ spec: Docker.ServiceSpec) async throws {
                let service: Docker.Service = try await client.get("/services/web").decoded()
                let path = "/services/web/update?version=\(service.Version.Index)"
                #expect(try await client.send("POST", path, spec).status == 200)
            }
            func taskVersion() async throws -> UInt64? {
                try await engine.cluster.tables().service(named: "web")?.taskVersion
            }
            let first = try #require(try await taskVersion())
            var labelled = serviceSpec("web", replicas: 3)
            labelled.Labels = ["a": "b"]
            try await update(labelled)
            #expect(try await taskVersion() == first)
            labelled.TaskTemplate?.ContainerSpec?.Env = ["A=1"]
            try await update(labelled)
            let second = try #require(try await taskVersion())
            #expect(second > first)
            let service = try await engine.cluster.tables().service(named: "web")
            #expect(service?.previousSpec?.task.container.environment == [])
            #expect(service?.previousSpec?.labels == ["a": "b"])
            let current: Docker.Service = try await client.get("/services/web").decoded()
            let rollback = "/services/web/update?version=\(current.Version.Index)&rollback=previous"
            #expect(try await client.send("POST", rollback, labelled).status == 200)
            #expect(try #require(try await taskVersion()) > second)
            let rolledBack = try await engine.cluster.tables().service(named: "web")
            #expect(rolledBack?.spec.task.container.environment == [])
            #expect(rolledBack?.update?.state == .rollbackStarted)
            let again: Docker.Service = try await client.get("/services/web").decoded()
            let refused = try await client.send(
                "POST", "/services/web/update?version=\(again.Version.Index)&rollback=previous", labelled)
            #expect(refused.status == 400)
            #expect(refused.message == "service web does not have a previous spec")
        }
    }

    @Test func nameAndModeCannotChange() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            let version = try await client.get("/services/web").decoded(Docker.Service.self).Version.Index
            let renamed = try await client.send("POST", "/services/web/update?version=\(version)", serviceSpec("x"))
            #expect(renamed.status == 501)
            var global = serviceSpec("web")
            global.Mode = Docker.ServiceMode(Global: Docker.Empty())
            #expect(try await client.send("POST", "/services/web/update?version=\(version)", global).status == 501)
        }
    }

    @Test func aTakenOrInvalidNameIsRefused() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            #expect(try await client.send("POST", "/services/create", serviceSpec("web")).status == 201)
            let taken = try await client.send("POST", "/services/create", serviceSpec("web"))
            #expect(taken.status == 409)
            #expect(taken.message == "name conflicts with an existing object: service web already exists")
            for name in ["", "-web", "a b", String(repeating: "a", count: 64)] {
                #expect(try await client.send("POST", "/services/create", serviceSpec(name)).status == 400)
            }
        }
    }

    @Test func theHookRefusesAndWarns() async throws {
        let check: ServiceCheck = { spec, _ in
            if spec.name == "bad" { throw Failure(.invalidArgument, "bad is bad") }
            return ["careful"]
        }
        try await FakeEngine.serve(check: check) { engine in
            let client = TestClient(engine: engine)
            #expect(try await client.send("POST", "/services/create", serviceSpec("bad")).status == 400)
            let created = try await client.send("POST", "/services/create", serviceSpec("web"))
            #expect(try created.decoded(Docker.Created.self).Warnings == ["careful"])
        }
    }

    @Test func theImageIsPinnedWhereTheClientAsks() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            func image(_ service: String) async throws -> String? {
                try await engine.cluster.tables().service(named: service)?.spec.task.container.image
            }
            _ = try await client.send("POST", "/v1.47/services/create", serviceSpec("a"))
            #expect(try await image("a") == "web:1")
            _ = try await client.send("POST", "/v1.47/services/create?resolveImage=true", serviceSpec("b"))
            #expect(try await image("b") == "web:1@sha256:" + String(repeating: "d", count: 64))
            _ = try await client.send("POST", "/v1.29/services/create", serviceSpec("c"))
            #expect(try await image("c")?.contains("@sha256:") == true)
            let lost = try await client.send(
                "POST", "/v1.47/services/create?resolveImage=1", serviceSpec("d", image: "lost:1"))
            let warnings = try lost.decoded(Docker.Created.self).Warnings ?? []
            #expect(warnings.first?.hasPrefix("image lost:1 could not be accessed on a registry") == true)
        }
    }

    @Test func objectsAreFoundByIDNameAndPrefix() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let created = try await client.send("POST", "/services/create", serviceSpec("web"))
            let id = try created.decoded(Docker.Created.self).ID
            _ = try await client.send("POST", "/services/create", serviceSpec("db"))
            for name in [id, "web", String(id.prefix(10))] {
                #expect(try await client.get("/services/\(name)").decoded(Docker.Service.self).ID == id)
            }
            #expect(try await client.get("/services/none").status == 404)
            #expect(try await client.get("/services/none").message == "service none not found")
            let ids = try await engine.cluster.tables().services.sorted.map(\.id.description)
            let common = String(zip(ids[0], ids[1]).prefix { $0 == $1 }.map(\.0))
            let ambiguous = common.isEmpty ? nil : try await client.get("/services/\(common)")
            #expect(ambiguous.map { $0.status == 400 } ?? true)
        }
    }

    @Test func listsAreFiltered() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            var labelled = serviceSpec("web", replicas: 2)
            labelled.Labels = ["tier": "front"]
            _ = try await client.send("POST", "/services/create", labelled)
            _ = try await client.send("POST", "/services/create", serviceSpec("db"))
            func count(_ path: String, _ filters: String) async throws -> Int {
                let answer = try await client.get("\(path)?filters=\(TestClient.escaped(filters))")
                #expect(answer.status == 200, "\(answer.text)")
                guard case .array(let items) = try answer.decoded(JSONValue.self) else { return -1 }
                return items.count
            }
            #expect(try await count("/services", #"{"name":["we"]}"#) == 1)
            #expect(try await count("/services", #"{"name":{"we":true,"db":true}}"#) == 2)
            #expect(try await count("/services", #"{"label":["tier=front"]}"#) == 1)
            #expect(try await count("/services", #"{"mode":["global"]}"#) == 0)
            #expect(try await count("/tasks", #"{"service":["web"]}"#) == 2)
            #expect(try await count("/tasks", #"{"desired-state":["running"],"node":["n1"]}"#) == 3)
            #expect(try await count("/tasks", #"{"_up-to-date":["true"],"service":["db"]}"#) == 1)
            #expect(try await count("/nodes", #"{"role":["manager"]}"#) == 1)
            let unknown = try await client.get("/services?filters=\(TestClient.escaped(#"{"colour":["red"]}"#))")
            #expect(unknown.status == 400)
            #expect(unknown.message == "invalid filter 'colour'")
        }
    }

    @Test func serviceStatusCountsTasks() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web", replicas: 3))
            let plain: [Docker.Service] = try await client.get("/services").decoded()
            #expect(plain.first?.ServiceStatus == nil)
            let counted: [Docker.Service] = try await client.get("/services?status=true").decoded()
            let expected = Docker.ServiceStatus(RunningTasks: 3, DesiredTasks: 3, CompletedTasks: 0)
            #expect(counted.first?.ServiceStatus == expected)
        }
    }
}
