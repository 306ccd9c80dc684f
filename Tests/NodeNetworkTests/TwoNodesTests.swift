import Glibc
import LinuxSystem
import Testing

/// Two nodes in namespaces of their own; as root only, and nothing of the host is touched.
@Suite struct TwoNodesTests {
    private static func program() -> String? {
        // Beside the test bundle, which the helper that runs the tests gets as an argument, lies what was built with it.
        let folders = CommandLine.arguments.filter { $0.hasSuffix(".xctest") || $0.hasSuffix(".xctest/") }
            .compactMap { path in path.lastIndex(of: "/").map { String(path[..<$0]) } }
        return (folders + [".build/debug"]).map { $0 + "/network-node" }.first { File.exists($0) }
    }

    @Test(.enabled(if: getuid() == 0 && program() != nil, "needs root"))
    func `Containers of two nodes talk, find names and answer published ports`() throws {
        let program = try #require(Self.program())
        let script = #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/two-nodes.py"
        let command =
            "exec unshare --mount --net --pid --fork --kill-child --mount-proc python3 '\(script)' '\(program)' 2>&1"
        let pipe = try #require(popen(command, "r"))
        var output = ""
        var buffer = [CChar](repeating: 0, count: 4_096)
        while fgets(&buffer, Int32(buffer.count), pipe) != nil {
            output += String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        let status = pclose(pipe)
        #expect(status == 0, "\(output)")
    }
}
