import Foundation
import Testing

/// What happens in a cluster, as people and the docker client are told of it.
@Suite(.serialized, .lab("events", number: 11, managers: 1, workers: 1)) struct EventTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    @Test func aServicesLifeIsTold() throws {
        let lab = try lab()
        let follower = lab.folder + "/followed"
        _ = try lab.exec(
            "n1", ["sh", "-c", "swarmctl events --filter service=told >\(follower) 2>&1 & echo $! >\(follower).pid"])
        try lab.waitUntil("the follower is there") { FileManager.default.fileExists(atPath: "\(follower).pid") }
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "told", "--replicas", "2", "box:1", "sleep",
            "1000")
        try lab.on("n1", "service", "scale", "told=3")
        try lab.on("n1", "service", "rm", "told")
        try lab.on("n1", "node", "update", "--availability", "drain", "n2")
        try lab.on("n1", "node", "update", "--availability", "active", "n2")
        func events(_ arguments: String...) throws -> [String] {
            let format = "{{.Type}} {{.Action}} {{json .Actor.Attributes}}"
            let command = ["swarmctl", "events", "--since", "5m", "--until", "0s", "--format", format] + arguments
            return try lab.exec("n1", command).output.split(separator: "\n").map(String.init)
        }
        let service = try events("--filter", "type=service", "--filter", "service=told")
        #expect(service.first == #"service create {"name":"told"}"#)
        #expect(service.contains { $0.contains(#""replicas.new":"3""#) && $0.contains(#""replicas.old":"2""#) })
        #expect(service.last?.hasPrefix("service remove") == true)
        let tasks = try events("--filter", "type=task", "--filter", "service=told", "--filter", "event=update")
        #expect(tasks.contains { $0.contains(#""state.new":"running""#) && $0.contains(#""node":"n2""#) })
        let nodes = try events("--filter", "type=node", "--filter", "node=n2")
        #expect(nodes.contains { $0.contains(#""availability.new":"drain""#) })
        // The one that followed saw it as it happened.
        try lab.waitUntil("the follower has seen the end") {
            try String(contentsOfFile: follower, encoding: .utf8).contains(" service remove ")
        }
        _ = try lab.exec("n1", ["sh", "-c", "kill $(cat \(follower).pid)"])
        let refused = try lab.exec("n2", ["swarmctl", "events"])
        #expect(refused.status != 0 && refused.errors.contains("not a swarm manager"))
    }

    @Test func theDockerClientReadsThem() throws {
        let lab = try lab()
        try lab.on("n1", "config", "create", "known", "/etc/hostname")
        try lab.on("n1", "config", "rm", "known")
        // The client cuts times to whole seconds, so the last one is not over yet.
        try lab.waitUntil("the client has printed both") {
            let client = try lab.exec(
                "n1",
                [
                    "docker", "-H", "unix:///run/swarm/swarm.sock", "events", "--since", "5m", "--until", "0s",
                    "--filter", "type=config", "--format",
                    "{{.Type}} {{.Action}} {{.Scope}} {{.Actor.Attributes.name}}",
                ])
            return client.output.split(separator: "\n").map(String.init) == [
                "config create swarm known", "config remove swarm known",
            ]
        }
    }
}
