import ClusterModel
import ClusterState
import DockerSchema
import EngineAPI
import EngineFakes
import Foundation
import NIOHTTP1
import Primitives
import Testing

@Suite struct RegistryAuthTests {
    private static let header = [
        "X-Registry-Auth": Data(#"{"username":"ann","password":"open-sesame"}"#.utf8).base64EncodedString()
    ]

    /// It is kept for the nodes, is no reason to replace tasks, and is in no answer.
    @Test func theAccountIsKeptAndNeverShown() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"), headers: Self.header)
            func stored() async throws -> Service {
                try #require(try await engine.cluster.tables().service(named: "web"))
            }
            let created = try await stored()
            #expect(created.spec.task.container.registryAuth == RegistryAuth(username: "ann", password: "open-sesame"))
            for path in ["/services", "/services/web", "/tasks"] {
                let answer = try await client.get(path)
                #expect(!answer.text.contains("open-sesame"))
            }
            // An update without an account keeps it; one with the same spec and another account replaces no task.
            let same = try await client.get("/services/web").decoded(Docker.Service.self)
            let path = "/services/web/update?version="
            let kept = try await client.send("POST", path + String(same.Version.Index), same.Spec)
            #expect(kept.status == 200)
            #expect(try await stored().spec.task.container.registryAuth != nil)
            let other = ["X-Registry-Auth": Data(#"{"username":"bob","password":"x"}"#.utf8).base64EncodedString()]
            let changed = try await client.send("POST", path + String(same.Version.Index), same.Spec, headers: other)
            #expect(changed.status == 200)
            let after = try await stored()
            #expect(after.spec.task.container.registryAuth?.username == "bob")
            #expect(after.taskVersion == created.taskVersion)
        }
    }

    @Test func accountsAreChecked() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            func login(_ password: String) async throws -> TestClient.Answer {
                let body = #"{"username":"ann","password":"\#(password)","serveraddress":"registry:5000"}"#
                return try await client.send(
                    "POST", "/auth", raw: Array(body.utf8), headers: ["Content-Type": "application/json"])
            }
            #expect(try await login("wrong").status == 401)
            let right = try await login("right")
            #expect(right.status == 200 && right.text.contains("Login Succeeded"))
        }
    }

    /// `docker run` begins to pull after a 404.
    @Test func whatIsNotOfferedIsNotTakenForMissing() async throws {
        try await FakeEngine.serve { engine in
            let answer = try await TestClient(engine: engine).send("POST", "/containers/create", raw: [])
            #expect(answer.status == 501)
            #expect(answer.message.contains("docker service create"))
        }
    }
}
