import Compose
import Testing

@Suite struct PayloadTests {
    private let file = """
        services:
          web:
            image: web
            secrets:
            - key
            - {source: outer, target: own, uid: "7", gid: "8", mode: 0400}
            configs: [conf, {source: named, target: /etc/named, mode: "0440"}]
        secrets:
          key: {file: ./key.txt}
          outer: {external: true, name: theirs}
          unused: {environment: TOKEN, labels: {a: 1}}
        configs:
          conf: {content: "port $PORT"}
          named: {name: own, content: abc}
        """

    private func plan(key: String = "abc", port: String = "80") throws -> StackPlan {
        try load(file, environment: ["TOKEN": "t", "PORT": port], files: ["/srv/stack/key.txt": key])
    }

    @Test func namesHoldTheContentsHash() throws {
        let plan = try plan()
        #expect(plan.secrets.map(\.name) == ["app_key-ba7816bf", "app_unused-e3b98a4d", "theirs"])
        #expect(plan.configs.map(\.name) == ["app_conf-\(try name(of: "port 80"))", "own"])
        #expect(plan.secrets.last?.source == .external)
        let labels = ["a": "1", "com.docker.stack.namespace": "app"]
        #expect(plan.secrets[1].source == .created(labels: labels, data: Array("t".utf8), isVersioned: true))
        let named = ["com.docker.stack.namespace": "app", "swarm.stack.content": "ba7816bf"]
        #expect(plan.configs[1].source == .created(labels: named, data: Array("abc".utf8), isVersioned: false))
    }

    private func name(of text: String) throws -> String {
        let plan = try load("configs: {c: {content: \"\(text)\"}}")
        return String(try #require(plan.configs.first).name.suffix(8))
    }

    @Test func servicesUseThemAsFiles() throws {
        let service = try #require(try plan().services.first)
        #expect(
            service.secrets == [
                FileUse(name: "app_key-ba7816bf", target: "key"),
                FileUse(name: "theirs", target: "own", uid: 7, gid: 8, mode: 0o400),
            ])
        #expect(service.configs.map(\.target) == ["/conf", "/etc/named"])
        #expect(service.configs.map(\.mode) == [0o444, 0o440])
    }

    /// moby issue 35803: a changed file makes another object, so that the service is updated.
    @Test func aChangedContentIsAnotherName() throws {
        let (first, second) = (try plan(), try plan(key: "other"))
        #expect(first.services != second.services)
        #expect(first.secrets.map(\.name) != second.secrets.map(\.name))
        #expect(try plan() == first)
    }
}
