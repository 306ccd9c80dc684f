import Glibc
import Primitives

/// Runs the helper tools that the lab is built with: iproute2, util-linux and nftables.
enum Tool {
    /// Runs a tool to its end.
    ///
    /// - Throws: ``Failure`` with the command and what it wrote to stderr, when it cannot be run or fails.
    @discardableResult
    static func run(_ arguments: String...) throws -> String {
        try run(arguments)
    }

    @discardableResult
    static func run(_ arguments: [String]) throws -> String {
        let (status, output, errors) = try capture(arguments)
        guard status == 0 else {
            throw Failure(
                .internal,
                "`\(arguments.joined(separator: " "))` failed with exit code \(status): \(errors.trimmed)")
        }
        return output
    }

    /// Runs a tool to its end, whatever its exit code.
    static func capture(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
        var output: [Int32] = [0, 0]
        var errors: [Int32] = [0, 0]
        guard pipe(&output) == 0, pipe(&errors) == 0 else { throw Failure(.internal, "no pipe for \(arguments[0])") }
        let pid = try spawn(arguments, stdin: nil, stdout: output[1], stderr: errors[1])
        close(output[1])
        close(errors[1])
        // Tools of the lab write little to stderr: less than a pipe holds, so one after the other is enough.
        let text = readAll(output[0])
        let problem = readAll(errors[0])
        close(output[0])
        close(errors[0])
        return (waitForEnd(pid), text, problem)
    }

    /// Runs a tool with this process's own terminal and returns its exit code.
    static func passThrough(_ arguments: [String]) throws -> Int32 {
        waitForEnd(try spawn(arguments, stdin: 0, stdout: 1, stderr: 2))
    }

    /// Starts a program that goes on in a session of its own, its output appended to a file.
    static func startDetached(_ arguments: [String], log: String) throws -> pid_t {
        let file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw Failure(.internal, "cannot open \(log): \(errorText())") }
        defer { close(file) }
        return try spawn(arguments, stdin: nil, stdout: file, stderr: file, newSession: true)
    }

    static func spawn(
        _ arguments: [String], stdin: Int32?, stdout: Int32, stderr: Int32, newSession: Bool = false
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if stdin == nil { posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) }
        if stdout != 1 { posix_spawn_file_actions_adddup2(&actions, stdout, 1) }
        if stderr != 2 { posix_spawn_file_actions_adddup2(&actions, stderr, 2) }
        keepDescriptorsFromChildren()
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID, which Glibc's module does not show.
        if newSession { posix_spawnattr_setflags(&attributes, 0x80) }
        var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for argument in vector { free(argument) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, arguments[0], &actions, &attributes, &vector, environ)
        guard result == 0 else {
            throw Failure(.internal, "cannot run \(arguments[0]): \(errorText(result)); is it installed? (make deps)")
        }
        return pid
    }

    /// What this process inherited must not reach daemons that outlive it: whoever waits for a pipe's end would wait
    /// for them.
    private static func keepDescriptorsFromChildren() {
        guard let folder = opendir("/proc/self/fd") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let descriptor = Int32(name), descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
    }

    static func waitForEnd(_ pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 { if errno != EINTR { return -1 } }
        // WIFEXITED and WEXITSTATUS are macros.
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }

    private static func readAll(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes to stderr.
    static func complain(_ text: String) {
        var text = text
        text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }

    static func errorText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }
}

extension String {
    var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
