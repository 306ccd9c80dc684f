import ClusterModel
import ClusterState
import DockerSchema
import EngineAPI
import EngineFakes
import Foundation
import NIOHTTP1
import Primitives
import Testing

@Suite struct EventTests {
    private func events(_ answer: TestClient.Answer) throws -> [Docker.Event] {
        try answer.bytes.split(separator: UInt8(ascii: "\n")).map { try DockerJSON.decode(Docker.Event.self, from: $0) }
    }

    private func filters(_ json: String) -> String {
        "&filters=" + (json.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
    }

    private let past = "/events?since=1&until=2000000000"

    @Test func whatHappenedIsToldInDockersShape() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            let service = try #require(try await engine.cluster.tables().service(named: "web"))
            let found = try events(try await client.get(past + filters(#"{"type":["service"]}"#)))
            let first = try #require(found.first)
            #expect(first.Type == "service" && first.Action == "create" && first.scope == "swarm")
            #expect(first.Actor.ID == service.id.description && first.Actor.Attributes == ["name": "web"])
            #expect(first.time == 1_790_000_000 && first.timeNano == 1_790_000_000_000_000_000)
        }
    }

    @Test func anUpdateSaysWhatChanged() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            var stored = try #require(try await engine.cluster.tables().service(named: "web"))
            stored.spec.mode = .replicated(3)
            try await engine.cluster.apply([.update(.service(stored), bySpec: true)])
            let filter = #"{"type":["service"],"event":["update"]}"#
            let found = try events(try await client.get(past + filters(filter)))
            #expect(found.map(\.Actor.Attributes) == [["name": "web", "replicas.old": "1", "replicas.new": "3"]])
        }
    }

    @Test func filtersChooseByServiceNodeAndName() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            _ = try await client.send("POST", "/services/create", serviceSpec("db"))
            let web = try events(try await client.get(past + filters(#"{"service":["web"]}"#)))
            #expect(Set(web.map(\.Type)) == ["service", "task"])
            #expect(web.allSatisfy { ($0.Actor.Attributes["service"] ?? $0.Actor.Attributes["name"]) == "web" })
            let tasks = try events(try await client.get(past + filters(#"{"node":["n1"],"type":["task"]}"#)))
            #expect(tasks.count == 2 && tasks.allSatisfy { $0.Actor.Attributes["node"] == "n1" })
            #expect(try events(try await client.get(past + filters(#"{"scope":["local"]}"#))).isEmpty)
            let refused = try await client.get(past + filters(#"{"container":["c"]}"#))
            #expect(refused.status == 400 && refused.message.contains("invalid filter 'container'"))
            #expect(try await client.get("/events?since=x").status == 400)
        }
    }

    /// A connection that the server is about to close must not get another request.
    @Test func streamsSayThatTheyEndTheConnection() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            #expect(try await client.get(past).headers["Connection"] == ["close"])
            let followed = try await client.headers(of: "/services/web/logs?stdout=true&follow=true")
            #expect(followed["Connection"] == ["close"])
            let read = try await client.get("/services/web/logs?stdout=true")
            #expect(read.headers["Connection"].isEmpty)
        }
    }

    @Test func eventsAreFollowedUntilTheReaderGoes() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            async let piece = client.firstPiece(of: "/events?since=0")
            #expect(await eventually { await engine.cluster.followerCount > 0 })
            _ = try await client.send("POST", "/services/create", serviceSpec("web"))
            let line = try #require(try await piece.split(separator: UInt8(ascii: "\n")).first)
            #expect(try DockerJSON.decode(Docker.Event.self, from: line).Action == "create")
            #expect(await eventually { engine.cluster.endedFollowers == 1 })
        }
    }

    @Test func aStreamThatBreaksOffSaysWhy() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            async let answer = client.get("/events")
            #expect(await eventually { await engine.cluster.followerCount > 0 })
            await engine.cluster.breakEvents(with: Failure(.resourceExhausted, "the reader is too slow"))
            let last = try DockerJSON.decode(Docker.StreamError.self, from: try await answer.bytes)
            #expect(last.errorDetail.message.contains("the reader is too slow"))
        }
    }

    @Test func onlyManagersTell() async throws {
        try await FakeEngine.serve(member: Membership(state: .active, isManager: false)) { engine in
            let client = TestClient(engine: engine)
            let status = try await client.get("/events").status
            #expect(status == 503)
        }
    }
}
