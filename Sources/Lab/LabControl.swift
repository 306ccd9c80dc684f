import Glibc
import Primitives

/// A lab that is up, seen from the machine: enters its hosts and signals its daemons.
struct LabControl {
    let folder: LabFolder
    let settings: LabSettings
    /// The supervisor, in the machine's pid namespace.
    let supervisor: pid_t

    /// - Throws: ``Failure`` `notFound` when no lab runs in the folder.
    init(_ folder: LabFolder) throws {
        guard let text = LabFolder.read(folder.settings), let settings = LabSettings(text: text),
            let pid = LabFolder.read(folder.supervisorPID).flatMap({ pid_t($0.trimmed) }), folder.isSupervisor(pid)
        else {
            throw Failure(
                .notFound, "no lab runs in \(folder.path): start one with `swarmctl lab up --dir \(folder.path)`")
        }
        self.folder = folder
        self.settings = settings
        supervisor = pid
    }

    /// The command that runs something on a host of the lab.
    func command(on host: String, _ arguments: [String]) throws -> [String] {
        guard settings.address(of: host) != nil else {
            let hosts = (settings.nodes + ["outside", "registry"]).joined(separator: ", ")
            throw Failure(.notFound, "the lab has no host \"\(host)\": it has \(hosts)")
        }
        guard let holder = LabFolder.read("\(folder.node(host))/holder.pid")?.trimmed else {
            throw Failure(.internal, "the host \(host) is not up")
        }
        return inLab(["nsenter", "--target", holder, "--mount", "--uts", "--net", "--"] + arguments)
    }

    /// First into the lab's pid and mount namespaces, where its pids mean something.
    private func inLab(_ arguments: [String]) -> [String] {
        ["nsenter", "--target", String(supervisor), "--mount", "--pid", "--net", "--"] + arguments
    }

    /// - Parameters:
    ///   - further: arguments of the daemon.
    ///   - clockOffset: seconds by which the daemon's wall clock is moved.
    func startDaemon(_ node: String, _ further: [String] = [], clockOffset: Int = 0) throws {
        let script = "echo $$ > \"$1/swarmd.pid\"; shift; exec \"$@\""
        // Not a child of nsenter's, which stops with its child (`lab stop`), and then would never reap it: the lab's first
        // process is its parent.
        let arguments =
            [
                "setsid", "--fork", "sh", "-c", script, "sh", folder.node(node), "env",
                "SWARM_CLOCK_OFFSET_S=\(clockOffset)", settings.swarmd, "--container-init", settings.containerInit,
                "--cgroup-parent", "\(folder.cgroupParent)/\(node)", "--socket", "/run/swarm/swarm.sock",
                // The lab's registry speaks plain HTTP, and only hosts of the lab reach it.
                "--insecure-registry", "\(settings.prefix).0/24",
            ] + further
        let pidFile = "\(folder.node(node))/swarmd.pid"
        unlink(pidFile)
        _ = try Tool.startDetached(try command(on: node, arguments), log: folder.log(node))
        let deadline = LabClock.now + .seconds(10)
        while LabFolder.read(pidFile)?.hasSuffix("\n") != true {
            guard LabClock.now < deadline else { throw Failure(.internal, "swarmd of \(node) did not start in 10 s") }
            usleep(2_000)
        }
    }

    func signalDaemon(_ node: String, _ signal: String) throws {
        guard settings.nodes.contains(node) else { throw Failure(.notFound, "the lab has no node \"\(node)\"") }
        guard let pid = LabFolder.read("\(folder.node(node))/swarmd.pid")?.trimmed else {
            throw Failure(.failedPrecondition, "swarmd of \(node) was never started")
        }
        try Tool.run(inLab(["kill", "-\(signal)", pid]))
    }

    func daemonState(_ node: String) -> String {
        guard let pid = LabFolder.read("\(folder.node(node))/swarmd.pid")?.trimmed,
            let (status, output, _) = try? Tool.capture(inLab(["cat", "/proc/\(pid)/stat"])), status == 0
        else { return "down" }
        // The state follows the name, which is in parentheses and may hold anything (proc(5)).
        let state = output.split(separator: ")").last.map(String.init)?.trimmed.first
        return state == "T" ? "stopped" : state == "Z" ? "down" : "up"
    }

    /// Cuts the named nodes off from the others; within each side all reach each other.
    func partition(_ nodes: [String]) throws {
        let cut = Set(nodes)
        for node in settings.nodes {
            let others = settings.nodes.filter { cut.contains($0) != cut.contains(node) }
            let addresses = others.compactMap { settings.address(of: $0) }.joined(separator: ", ")
            let rules = """
                table ip lab_partition {
                  chain in { type filter hook input priority -400; ip saddr { \(addresses) } drop; }
                  chain out { type filter hook output priority -400; ip daddr { \(addresses) } drop; }
                }
                """
            try heal(node)
            if !others.isEmpty { try Tool.run(try command(on: node, ["nft", rules])) }
        }
    }

    func heal() throws {
        for node in settings.nodes { try heal(node) }
    }

    private func heal(_ node: String) throws {
        // Adding first makes the deletion succeed whether there was a partition or not.
        try Tool.run(try command(on: node, ["nft", "add table ip lab_partition; delete table ip lab_partition"]))
    }

    /// Ends the supervisor, and with it everything of the lab but its cgroups, which go next.
    static func tearDown(_ folder: LabFolder) throws {
        if let pid = LabFolder.read(folder.supervisorPID).flatMap({ pid_t($0.trimmed) }), folder.isSupervisor(pid) {
            kill(pid, SIGKILL)
            let deadline = LabClock.now + .seconds(20)
            while folder.isSupervisor(pid) && LabClock.now < deadline { usleep(10_000) }
        }
        try LabCgroups.remove(parent: folder.cgroupParent)
        for part in ["lab.pid", "lab.conf", "ready"] { unlink("\(folder.path)/\(part)") }
        try Tool.run("rm", "-rf", "--one-file-system", folder.path)
    }
}

/// The lab's cgroups, in whatever hierarchies the machine has.
enum LabCgroups {
    static func remove(parent: String) throws {
        let roots = try Tool.capture([
            "findmnt", "--noheadings", "--raw", "--output", "TARGET", "--types", "cgroup,cgroup2",
        ])
        let deadline = LabClock.now + .seconds(20)
        for root in roots.output.split(separator: "\n") {
            let path = "\(root)\(parent)"
            guard access(path, F_OK) == 0 else { continue }
            let folders = try Tool.run("find", path, "-depth", "-type", "d").split(separator: "\n").map(String.init)
            for folder in folders {
                // A cgroup is busy until the last of its processes is gone, a moment after it was killed.
                while rmdir(folder) != 0 && errno == EBUSY {
                    guard LabClock.now < deadline else {
                        throw Failure(.internal, "the cgroup \(folder) is still in use: look at its cgroup.procs")
                    }
                    usleep(10_000)
                }
            }
        }
    }
}
