import ContainerRuntime
import Glibc
import LaunchProtocol
import LinuxSystem
import SeccompProfiles
import Testing

/// A runtime of its own below the lane's folder, and an image made of busybox.
struct Fixture {
    let runtime: ContainerRuntime
    let folder: String

    private static let applets = [
        "cat", "chmod", "dd", "echo", "env", "false", "grep", "head", "hostname", "id", "ip", "kill", "ls", "mkdir",
        "mknod",
        "mount", "nc", "ps", "pwd", "readlink", "seq", "sh", "sleep", "stat", "tail", "tr", "true", "touch", "wc",
        "wget",
    ]

    init(_ name: String) throws {
        let lane = try #require(Lane.folder)
        folder = lane + "/" + name
        let bin = folder + "/image/bin"
        try File.createFolders(bin)
        try File.createFolders(folder + "/image/etc")
        let program = try File.read("/bin/busybox", maximumBytes: 16 << 20)
        try File.open(bin + "/busybox", O_WRONLY | O_CREAT, mode: 0o755).write(all: program)
        for applet in Fixture.applets where symlink("busybox", bin + "/" + applet) == -1 {
            #expect(Errno.current == .exists)
        }
        try Fixture.write(
            folder + "/image/etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n")
        try Fixture.write(folder + "/image/etc/group", "root:x:0:\napp:x:1000:\nlogs:x:50:app\n")
        try Fixture.write(folder + "/image/not-executable", "text\n")
        runtime = try Fixture.makeRuntime(folder)
    }

    /// A second runtime on the same folders: a daemon after its restart.
    static func makeRuntime(_ folder: String) throws -> ContainerRuntime {
        try ContainerRuntime(
            RuntimeSettings(
                stateFolder: folder + "/state", runFolder: folder + "/run", cgroupParent: Lane.cgroupParent,
                initPath: Lane.initPath))
    }

    private static func write(_ path: String, _ text: String) throws(Errno) {
        try File.open(path, O_WRONLY | O_CREAT | O_TRUNC).write(all: Array(text.utf8))
    }

    func configuration(_ id: String, _ arguments: [String]) throws -> ContainerConfiguration {
        var configuration = ContainerConfiguration(id: id, layers: [folder + "/image"], arguments: arguments)
        configuration.hostname = "box"
        configuration.seccompFilter = try Fixture.filter.get()
        return configuration
    }

    private static let filter = Result {
        try SeccompProfile.containerDefault(capabilities: Set(Capabilities.containerDefault.memberNames)).compiled()
    }

    /// Runs a shell script to its end.
    func run(
        _ id: String, _ script: String, _ change: (inout ContainerConfiguration) -> Void = { _ in }
    ) async throws -> (record: ExitRecord, output: String) {
        var configuration = try configuration(id, ["sh", "-c", script])
        change(&configuration)
        let container = try await runtime.create(configuration)
        try await container.start()
        let record = try await container.wait()
        let output = try await text(of: container.log)
        try await container.remove()
        return (record, output)
    }

    func text(of log: ContainerLog) async throws -> String {
        var bytes: [UInt8] = []
        for try await entry in log.entries() { bytes += entry.text }
        return String(decoding: bytes, as: UTF8.self)
    }
}
