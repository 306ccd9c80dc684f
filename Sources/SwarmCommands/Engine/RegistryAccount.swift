import ArgumentParser
import DockerSchema
import Foundation
import Primitives

/// A registry's account.
struct CredentialOptions: ParsableArguments {
    @Option(
        help: """
            Account at the registry; the password is read from SWARM_REGISTRY_PASSWORD. Without it, what `docker login` \
            left in its config.json is used.
            """)
    var username: String?

    /// The header for a request about the image; empty where no account of its registry is known.
    func headers(for image: String) throws -> [(String, String)] {
        let environment = ProcessInfo.processInfo.environment
        guard let account = try account(for: image, environment: environment) else { return [] }
        return [try account.header()]
    }

    func account(for image: String, environment: [String: String]) throws -> RegistryAccount? {
        guard let username else { return try RegistryAccount.find(for: image, environment: environment) }
        guard let password = environment["SWARM_REGISTRY_PASSWORD"] else {
            throw CommandFailure("--username needs the password in SWARM_REGISTRY_PASSWORD")
        }
        return RegistryAccount(username: username, password: password)
    }
}

/// Whether nodes get the account too.
struct RegistryAuthOptions: ParsableArguments {
    @Flag(help: "Send the registry's account to the nodes that pull the image.") var withRegistryAuth = false
    @OptionGroup var credentials: CredentialOptions

    /// - Throws: ``CommandFailure`` when an account is asked for and none is known.
    func headers(for image: String) throws -> [(String, String)] {
        guard withRegistryAuth else { return [] }
        let headers = try credentials.headers(for: image)
        guard !headers.isEmpty else {
            let registry = RegistryAccount.registry(of: image)
            throw CommandFailure(
                "--with-registry-auth: no account at \(registry) is known: give --username and "
                    + "SWARM_REGISTRY_PASSWORD, or `docker login \(registry)`")
        }
        return headers
    }
}

/// Who to be at a registry.
struct RegistryAccount: Hashable {
    var username: String
    var password: String

    func header() throws -> (String, String) {
        let bytes = try DockerJSON.encode(["username": username, "password": password])
        return ("X-Registry-Auth", DockerJSON.base64(bytes))
    }

    /// `registry:5000/team/web` is at `registry:5000`; what names no host is at `docker.io`.
    static func registry(of image: String) -> String {
        guard let slash = image.firstIndex(of: "/") else { return "docker.io" }
        let first = String(image[..<slash])
        let isHost = first.contains(".") || first.contains(":") || first == "localhost"
        return isHost && first != "index.docker.io" ? first : "docker.io"
    }

    private struct DockerConfig: Decodable {
        struct Entry: Decodable {
            var auth: String?
            var username: String?
            var password: String?
        }

        var auths: [String: Entry]?
        var credsStore: String?
        var credHelpers: [String: String]?
    }

    /// What `docker login` keeps in `config.json`; nil where it knows nothing of the image's registry.
    ///
    /// - Throws: ``CommandFailure`` for a file that cannot be read, or one that keeps the account in a helper program.
    static func find(for image: String, environment: [String: String]) throws -> RegistryAccount? {
        let folder = environment["DOCKER_CONFIG"] ?? environment["HOME"].map { $0 + "/.docker" } ?? ""
        let path = folder + "/config.json"
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        let config: DockerConfig
        do {
            config = try JSONDecoder().decode(DockerConfig.self, from: data)
        } catch { throw CommandFailure("cannot read \(path): it is not Docker's configuration") }
        let registry = registry(of: image)
        let names = registry == "docker.io" ? ["https://index.docker.io/v1/", "docker.io"] : [registry]
        let entry = config.auths?.first { names.contains($0.key) || names.contains(host(of: $0.key)) }?.value
        if let username = entry?.username, let password = entry?.password, !username.isEmpty {
            return RegistryAccount(username: username, password: password)
        }
        if let auth = entry?.auth, let bytes = DockerJSON.bytes(base64: auth) {
            let parts = String(decoding: bytes, as: UTF8.self)
                .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2 { return RegistryAccount(username: parts[0], password: parts[1]) }
        }
        let helper = names.compactMap { config.credHelpers?[$0] }.first ?? (entry == nil ? nil : config.credsStore)
        guard let helper else { return nil }
        throw CommandFailure(
            "\(path) keeps the account at \(registry) in docker-credential-\(helper), which is not asked: give "
                + "--username and SWARM_REGISTRY_PASSWORD")
    }

    /// Old clients wrote `https://registry:5000/v1/`.
    private static func host(of key: String) -> String {
        let rest = key.firstRange(of: "://").map { key[$0.upperBound...] } ?? key[...]
        return String(rest.prefix { $0 != "/" })
    }
}
