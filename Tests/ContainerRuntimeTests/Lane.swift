import Glibc
import LinuxSystem
import Primitives
import Testing

/// Where tests that need root run: the test program starts itself again in namespaces of its own, so that the host's
/// mounts, links and processes are out of reach, and one SIGKILL ends all of it. Only cgroups are the host's: they stand
/// below one named parent, which is swept before and after.
enum Lane {
    private static let variable = "SWARM_TEST_LANE"
    private static let roleVariable = "SWARM_TEST_ROLE"

    /// The folder of this lane's own; nil outside of one.
    static var folder: String? { getenv(variable).map { String(cString: $0) } }
    /// What this process is to do in the lane, beside running tests.
    static var role: String? { getenv(roleVariable).map { String(cString: $0) } }
    static var isInside: Bool { folder != nil && role == nil }

    static let cgroupParent = "swarm-runtime-test"

    static var initPath: String {
        if let path = getenv("CONTAINER_INIT") { return String(cString: path) }
        // Beside the test bundle.
        let own = (try? File.readText("/proc/self/cmdline")) ?? ""
        let bundle = own.split(separator: "\0").first { $0.contains("/.build/") || $0.contains("/debug/") } ?? ""
        let folder = bundle.lastIndex(of: "/").map { bundle[..<$0] } ?? "."
        return folder + "/container-init"
    }

    /// Why the lane cannot be used here.
    static var obstacle: String? {
        if getuid() != 0 { return "not root" }
        if !File.exists("/bin/busybox") { return "no /bin/busybox (package busybox-static)" }
        if !File.exists(initPath) { return "no \(initPath) (swift build --product container-init)" }
        return nil
    }

    /// Runs this program's tests whose names match in a lane; returns the exit code.
    static func run(filter: String) throws -> Int32 {
        var template = Array("/tmp/swarm-lane-XXXXXX\0".utf8CString)
        guard let made = mkdtemp(&template) else { throw Errno.current }
        let folder = String(cString: made)
        defer { try? File.removeTree(folder) }
        try sweep()
        let script = #"umask 022; mount -t tmpfs tmpfs "$1" && shift && "$@"; exit $?"#
        let pid = try start(
            "/usr/bin/unshare",
            ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"]
                + ["sh", "-c", script, "lane", folder] + ownCommand + ["--filter", filter],
            [variable + "=" + folder])
        let end = try ChildProcess.wait(pid)
        try sweep()
        return end.exitCode
    }

    /// Starts this program once more, in the same namespaces, for another role.
    static func startRole(_ role: String, filter: String) throws -> Int32 {
        let command = ownCommand + ["--filter", filter]
        return try start(command[0], command, [roleVariable + "=" + role])
    }

    private static var ownCommand: [String] {
        let text = (try? File.readText("/proc/self/cmdline")) ?? ""
        var words = text.split(separator: "\0").map(String.init)
        // The filters of the outer run would be added to the lane's.
        while let index = words.firstIndex(of: "--filter"), index + 1 < words.count {
            words.removeSubrange(index...index + 1)
        }
        words[0] = (try? readLink("/proc/self/exe")) ?? words[0]
        return words
    }

    private static func readLink(_ path: String) throws(Errno) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count - 1)
        if count == -1 { throw Errno.current }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func start(_ program: String, _ arguments: [String], _ variables: [String]) throws -> Int32 {
        var environment: [String] = variables
        var next = environ
        while let entry = next.pointee {
            environment.append(String(cString: entry))
            next += 1
        }
        return try ChildProcess.spawn(
            try File.open(program, File.pathOnly), arguments: arguments, environment: environment,
            descriptors: [0, 1, 2])
    }

    private static func sweep() throws {
        try Cgroup(layout: .ofThisNode(), path: cgroupParent).remove()
    }
}

/// Waits for a condition with a deadline.
func eventually(
    within limit: Duration = .seconds(20), _ what: Comment, _ condition: () async throws -> Bool
) async throws {
    let deadline = Clock.now + limit
    while try await !condition() {
        guard Clock.now < deadline else {
            Issue.record(what)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
