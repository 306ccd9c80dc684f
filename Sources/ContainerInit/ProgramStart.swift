import Glibc
import LaunchProtocol
import LinuxSystem

/// The last steps before a program runs, the same for a container's own and for an exec's.
struct ProgramStart {
    var process: ProcessConfiguration

    /// Everything up to the exec. Order matters: what needs a privilege comes before the step that gives it up.
    func confine() throws(LaunchFailure) {
        let user = try UserDatabase.ofCurrentRoot().resolve(process.user, additionalGroups: process.groups)
        // A program may open /dev/stdout, a link to its pipe, only if it owns the pipe.
        // A refusal stops only that.
        for descriptor in Int32(1)...2 { _ = fchown(descriptor, user.user, user.group) }
        try applyLimits()
        // ENOSYS, EDQUOT or EPERM of a kernel that has no keyrings or is short of them leave the program without one.
        try? CurrentProcess.joinNewKeyring()
        let capabilities = try during("capabilities") { () throws(Errno) in
            // "All" means all that the node has: a virtual machine or another runtime may have withheld some.
            let capabilities = Capabilities(rawValue: process.capabilities)
                .intersection(try CurrentProcess.permittedCapabilities())
            try CurrentProcess.limitBoundingSet(to: capabilities)
            return capabilities
        }
        // Without no_new_privs the filter needs CAP_SYS_ADMIN; with it the filter comes last, so that it may forbid more.
        if !process.noNewPrivileges { try installFilter() }
        try enterWorkingDirectory()
        try during("user", process.user) { () throws(Errno) in
            try CurrentProcess.become(
                user: user.user, group: user.group, groups: user.groups, capabilities: capabilities)
        }
        if process.noNewPrivileges {
            try during("no_new_privs") { () throws(Errno) in try CurrentProcess.setNoNewPrivileges() }
            try installFilter()
        }
        // After the change of user, which would clear it: a container never outlives its supervisor.
        try during("prctl") { () throws(Errno) in try CurrentProcess.setParentDeathSignal(SIGKILL) }
        umask(0o022)
    }

    /// The environment with HOME filled in, as the user database says.
    func environment() -> [String] {
        if process.environment.contains(where: { $0.hasPrefix("HOME=") }) { return process.environment }
        let user = try? UserDatabase.ofCurrentRoot().resolve(process.user, additionalGroups: [])
        return process.environment + ["HOME=" + (user?.home ?? "/")]
    }

    private func installFilter() throws(LaunchFailure) {
        if process.seccompFilter.isEmpty { return }
        try during("seccomp") { () throws(Errno) in try CurrentProcess.installSeccompFilter(process.seccompFilter) }
    }

    private func enterWorkingDirectory() throws(LaunchFailure) {
        let path = process.workingDirectory.isEmpty ? "/" : process.workingDirectory
        try during("chdir", path) { () throws(Errno) in
            if chdir(path) == -1 {
                guard Errno.current == .noSuchFile else { throw Errno.current }
                try File.createFolders(path)
                if chdir(path) == -1 { throw Errno.current }
            }
            // A folder outside the root has no path: something would have led out (CVE-2024-21626).
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            guard getcwd(&buffer, buffer.count) != nil, buffer[0] == CChar(UInt8(ascii: "/")) else { throw .noSuchFile }
        }
    }

    private static let limitNumbers: [String: Int32] = [
        "cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "nproc": 6, "nofile": 7, "memlock": 8,
        "as": 9,
        "locks": 10, "sigpending": 11, "msgqueue": 12, "nice": 13, "rtprio": 14, "rttime": 15,
    ]

    private func applyLimits() throws(LaunchFailure) {
        for limit in process.limits {
            guard let number = ProgramStart.limitNumbers[limit.name] else {
                throw LaunchFailure(stage: "ulimit", subject: limit.name, errno: EINVAL, reason: "no such limit")
            }
            try during("ulimit", limit.name) { () throws(Errno) in
                try CurrentProcess.setResourceLimit(number, soft: limit.soft, hard: limit.hard)
            }
        }
    }

    // MARK: Exec

    private static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// Becomes the program; returns only to say why not.
    func execute(_ environment: [String]) -> LaunchFailure {
        guard let name = process.arguments.first, !name.isEmpty else {
            return LaunchFailure(stage: "exec", errno: EINVAL, reason: "no command specified")
        }
        if name.contains("/") { return failure(name, attempt(name, environment)) }
        let path =
            environment.last { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) } ?? ProgramStart.defaultPath
        var refused: LaunchFailure?
        for folder in path.split(separator: ":", omittingEmptySubsequences: false) {
            let candidate = (folder.isEmpty ? "." : String(folder)) + "/" + name
            let error = attempt(candidate, environment)
            if error != .noSuchFile && error != .notDirectory { refused = refused ?? failure(candidate, error) }
            if let refused, error != .accessDenied { return refused }
        }
        return refused
            ?? LaunchFailure(
                stage: "exec", subject: name, errno: ENOENT, reason: "executable file not found in $PATH",
                exitCode: LaunchFailure.notFound)
    }

    private func attempt(_ path: String, _ environment: [String]) -> Errno {
        CurrentProcess.execute(path, arguments: process.arguments, environment: environment)
    }

    private func failure(_ path: String, _ error: Errno) -> LaunchFailure {
        let isMissing = error == .noSuchFile || error == .notDirectory
        return LaunchFailure(
            stage: "exec", subject: path, errno: error.rawValue, reason: error.description,
            exitCode: isMissing ? LaunchFailure.notFound : LaunchFailure.notExecutable)
    }
}
