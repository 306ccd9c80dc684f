import Glibc
import Primitives

@testable import ImageStore

/// Debian's `docker-registry` on a loopback port, with its own configuration and storage, ended with the test.
final class RealRegistry: Sendable {
    static let program = "/usr/bin/docker-registry"
    static let isInstalled = Files.exists(program)
    /// `user` / `secret`, bcrypt, as htpasswd -B writes it.
    private static let passwords = "user:$2y$10$kfJGgzMZs1f1r/slhICxeOwT1P.DBZCskdASJDSXS2UreFW0h0bvi\n"

    let host: String
    private let child: pid_t
    private let folder: TemporaryFolder

    init(withPassword: Bool = false) throws {
        folder = try TemporaryFolder()
        let port = try Self.freePort()
        host = "127.0.0.1:\(port)"
        try Files.makeFolder(folder.path + "/data")
        try folder.write(Array(Self.passwords.utf8), to: "htpasswd")
        var configuration = """
            version: 0.1
            log: {level: error}
            storage: {filesystem: {rootdirectory: \(folder.path)/data}, delete: {enabled: true}}
            http: {addr: "127.0.0.1:\(port)"}
            """
        if withPassword { configuration += "\nauth: {htpasswd: {realm: test, path: \(folder.path)/htpasswd}}" }
        let path = try folder.write(Array(configuration.utf8), to: "config.yml")
        child = try start(Self.program, ["serve", path], output: folder.path + "/log")
        let deadline = ContinuousClock.now + .seconds(15)
        while !Self.answers(port) {
            guard ContinuousClock.now < deadline else {
                throw Failure(
                    .deadlineExceeded, "docker-registry does not listen: \((try? contents(folder.path + "/log")) ?? "")"
                )
            }
            usleep(10_000)
        }
    }

    deinit {
        kill(child, SIGKILL)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func freePort() throws -> UInt16 {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutableBytes(of: &address) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                bind(socket, pointer.baseAddress, length) == 0 ? getsockname(socket, pointer.baseAddress, &length) : -1
            }
        }
        guard status == 0 else { throw FileError("bind", "127.0.0.1") }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func answers(_ port: UInt16) -> Bool {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = loopback(port)
        return withUnsafeMutableBytes(of: &address) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                connect(socket, pointer.baseAddress, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
