import ClusterModel
import Compose
import Foundation
import Testing

/// Stack files that people wrote for Docker Swarm.
@Suite struct CorpusTests {
    /// What is wrong with those that cannot be deployed, by the file's number.
    private static let faults = [
        "056": ":3:3: services.couchbase.image is missing; every service needs one",
        "058": ":2:2: services.server.image is missing; every service needs one",
        "078": ":6:3: services.graylog.image is missing; every service needs one",
        "086": ":915:3: services.aria2.image is missing; build is not supported",
        "088": ":429:3: configs.config4 has no content: write file, environment, content or external: true",
        "090": ":7:15: services.web.volumes[0] \"volume1\" is not an absolute path in the container",
        "110": ":30:23: services.letsencrypt-companion.deploy.placement.constraints[0]: constraint \"node.id == \" has",
        "114": ":3:3: services.wazuh.master: \"corpus_wazuh.master\" is not a service's name",
    ]

    private static var folder: URL? {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let named = ProcessInfo.processInfo.environment["COMPOSE_CORPUS"].map { URL(fileURLWithPath: $0) }
        let folder = named ?? root.appendingPathComponent("../shared/compose-corpus").standardizedFileURL
        return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
    }

    @Test func everyFileLoadsOrFailsAsExpected() throws {
        guard let folder = Self.folder else {
            print("SKIPPED: no corpus of compose files; set COMPOSE_CORPUS to a folder of them")
            return
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .filter { $0.hasSuffix(".yml") || $0.hasSuffix(".yaml") }
        #expect(!names.isEmpty)
        for name in names {
            let bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
            let number = String(name.prefix(3))
            let loader = ComposeLoader(stack: "corpus", environment: Self.environment, folder: "/srv") { path in
                path.hasSuffix("missing") ? [] : Array("KEY=value\n".utf8)
            }
            do throws(ComposeError) {
                let plan = try loader.load([ComposeFile(name: name, bytes: bytes)])
                #expect(Self.faults[number] == nil, "\(name) loads")
                #expect(!plan.services.isEmpty, "\(name)")
                let again = try loader.load([ComposeFile(name: name, bytes: bytes)])
                #expect(plan == again, "\(name)")
                let text = try loader.mergedText([ComposeFile(name: name, bytes: bytes)])
                let merged = try loader.load([ComposeFile(name: name, bytes: Array(text.utf8))])
                #expect(merged.services == plan.services, "\(name)")
            } catch {
                let expected = Self.faults[number] ?? "no error"
                #expect(error.description.dropFirst(name.count).hasPrefix(expected), "\(error)")
            }
        }
    }

    /// What the files require with `${NAME?…}`.
    private static let environment = [
        "HOME": "/root", "USERNAME": "u", "HASHED_PASSWORD": "p", "DOMAIN": "d.example", "EMAIL": "e",
        "ADMIN_USER": "a",
    ]
}
