import Foundation
import Testing

@testable import SwarmCommands

@Suite struct RegistryAccountTests {
    private func find(_ image: String, in json: String) throws -> RegistryAccount? {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try json.write(to: folder.appendingPathComponent("config.json"), atomically: true, encoding: .utf8)
        return try RegistryAccount.find(for: image, environment: ["DOCKER_CONFIG": folder.path])
    }

    @Test func theRegistryIsTheHostOfTheName() {
        #expect(RegistryAccount.registry(of: "web:1") == "docker.io")
        #expect(RegistryAccount.registry(of: "team/web") == "docker.io")
        #expect(RegistryAccount.registry(of: "registry:5000/team/web:1") == "registry:5000")
        #expect(RegistryAccount.registry(of: "localhost/web") == "localhost")
    }

    @Test func anAccountIsFoundAsDockerLoginLeftIt() throws {
        let auth = Data("ann:a:b".utf8).base64EncodedString()
        let json =
            #"{"auths": {"registry:5000": {"auth": "\#(auth)"}, "https://index.docker.io/v1/": {"auth": "\#(auth)"}}}"#
        #expect(try find("registry:5000/web", in: json) == RegistryAccount(username: "ann", password: "a:b"))
        #expect(try find("web", in: json)?.username == "ann")
        #expect(try find("other:5000/web", in: json) == nil)
    }

    @Test func aHelperProgramIsNamed() throws {
        let json = #"{"auths": {"registry:5000": {}}, "credsStore": "desktop"}"#
        let failure = #expect(throws: CommandFailure.self) { try find("registry:5000/web", in: json) }
        #expect(failure?.message.contains("docker-credential-desktop") == true)
        #expect(throws: CommandFailure.self) { try find("web", in: "[") }
    }
}
