import Foundation
import Testing

extension AppTests {
    /// Compose files as stacks.
    @Suite(.serialized) struct StackTests {
        private static let file = """
            services:
              web:
                image: box:1
                command: ["sh", "-c", "cat /settings /run/secrets/key; exec sleep 1000"]
                networks: [front]
                configs: [{source: settings, target: /settings}]
                secrets: [key]
                volumes: ["kept:/kept"]
                init: true
                deploy: {replicas: 2, update_config: {parallelism: 0, monitor: 500ms}}
              side:
                image: box:1
                init: true
                command: sleep 1000
            networks:
              front: {}
            volumes:
              kept: {}
            configs:
              settings: {file: ./settings}
            secrets:
              key: {file: ./key}

            """

        private func write(_ text: String, _ name: String, in folder: String) throws {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }

        private func deploy(_ file: String, _ stack: String) throws -> Command.Result {
            try AppTests.lab().exec(
                "n1", ["swarmctl", "stack", "deploy", "--resolve-image", "never", "-c", file, stack])
        }

        private func taskIDs(_ service: String) throws -> [String] {
            try AppTests.lab().tasks(of: service).filter(\.isRunning).map(\.id).sorted()
        }

        @Test func aStackIsDeployedOnceRolledOnNewContentAndRemovedWhole() throws {
            let lab = try AppTests.lab()
            let folder = try AppTests.folder("stack")
            try write(StackTests.file, "compose.yml", in: folder)
            try write("one\n", "settings", in: folder)
            try write("secret-one\n", "key", in: folder)
            let first = try deploy("\(folder)/compose.yml", "shop")
            try #require(first.status == 0, "\(first.errors)")
            let before = (try taskIDs("shop_web"), try taskIDs("shop_side"))
            #expect(before.0.count == 2 && before.1.count == 1)

            let second = try deploy("\(folder)/compose.yml", "shop")
            #expect(second.status == 0, "\(second.errors)")
            #expect(try taskIDs("shop_web") == before.0)
            #expect(try taskIDs("shop_side") == before.1)

            try write("two\n", "settings", in: folder)
            let third = try deploy("\(folder)/compose.yml", "shop")
            try #require(third.status == 0, "\(third.errors)")
            #expect(Set(try taskIDs("shop_web")).isDisjoint(with: before.0))
            #expect(try taskIDs("shop_side") == before.1)
            try lab.waitUntil("the new config is read") { try AppTests.logs("shop_web").contains("two\nsecret-one") }

            try write("secret-two\n", "key", in: folder)
            let fourth = try deploy("\(folder)/compose.yml", "shop")
            try #require(fourth.status == 0, "\(fourth.errors)")
            try lab.waitUntil("the new secret is read") { try AppTests.logs("shop_web").contains("two\nsecret-two") }
            #expect(try taskIDs("shop_side") == before.1)

            try lab.on("n1", "stack", "rm", "shop")
            #expect(try !lab.on("n1", "stack", "ls").contains("shop"))
            for kind in ["service", "network", "config", "secret"] {
                let names = try lab.on("n1", kind, "ls", "--format", "{{.Name}}")
                #expect(!names.contains("shop_"), "\(kind): \(names)")
            }
        }

        @Test func aMalformedFileSaysWhereAndDeploysNothing() throws {
            let lab = try AppTests.lab()
            let folder = try AppTests.folder("malformed")
            let malformed = [
                ("services:\n  web:\n    image: [box:1\n", "malformed.yml:"),
                ("services:\n  web:\n    image: box:1\n    deploy:\n      replicas: many\n", "malformed.yml:5:17"),
                ("services:\n  web:\n    command: sleep 1\n", "malformed.yml:"),
            ]
            for (text, place) in malformed {
                try write(text, "malformed.yml", in: folder)
                let result = try deploy("\(folder)/malformed.yml", "malformed")
                #expect(result.status != 0, "\(text)")
                #expect(result.errors.contains(place), "\(text): \(result.errors)")
                let position = result.errors.range(of: "malformed\\.yml:[0-9]+:[0-9]+", options: .regularExpression)
                #expect(position != nil, "\(text): \(result.errors)")
            }
            #expect(try !lab.on("n1", "stack", "ls").contains("malformed"))
            #expect(try !lab.on("n1", "network", "ls").contains("malformed"))
        }

        @Test func whatIsNotSupportedIsNamedWithItsPlace() throws {
            let lab = try AppTests.lab()
            let folder = try AppTests.folder("unknown")
            try write(
                "services:\n  web:\n    image: box:1\n    command: sleep 1000\n    init: true\n    colour: red\n",
                "unknown.yml",
                in: folder)
            let result = try deploy("\(folder)/unknown.yml", "unknown")
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("unknown.yml:6") && result.errors.contains("colour"), "\(result.errors)")
            try lab.on("n1", "stack", "rm", "unknown")
            let strict = try lab.exec(
                "n1",
                [
                    "swarmctl", "stack", "deploy", "--strict", "--resolve-image", "never", "-c",
                    "\(folder)/unknown.yml", "strict",
                ])
            #expect(strict.status != 0)
            #expect(try !lab.on("n1", "stack", "ls").contains("strict"))
        }
    }
}
