import Glibc
import Primitives

/// Starts a lab's hosts and daemons and forms the cluster; an interrupt half-way leaves nothing behind.
struct LabUp {
    let folder: LabFolder
    let settings: LabSettings
    let swarmctl: String

    func run() throws {
        guard geteuid() == 0 else { throw Failure(.permissionDenied, "a lab makes network namespaces: run it as root") }
        for program in [settings.swarmd, settings.containerInit] where access(program, X_OK) != 0 {
            throw Failure(.notFound, "\(program) is missing: build it (make build), or name it with an option")
        }
        if (try? LabControl(folder)) != nil {
            throw Failure(.alreadyExists, "a lab runs in \(folder.path): end it first with `swarmctl lab down`")
        }
        LabInterrupt.watch()
        // Of a lab whose processes died with their namespaces: its marks would be taken for this one's.
        if folder.exists(folder.settings) { try LabControl.tearDown(folder) }
        do {
            try start()
        } catch {
            if LabInterrupt.happened { print("interrupted: removing the lab") }
            keepLogs(error)
            try? LabControl.tearDown(folder)
            throw error
        }
    }

    private func start() throws {
        try LabCgroups.remove(parent: folder.cgroupParent)
        try LabFolder.makeFolder(folder.path)
        try LabFolder.write(settings.text, to: folder.settings)
        let control = try startSupervisor()
        try connectToMachine(control)
        for node in settings.nodes { try control.startDaemon(node) }
        for node in settings.nodes { try linkSocket(node) }
        try formCluster(control)
    }

    private func startSupervisor() throws -> LabControl {
        // unshare stays outside as the parent of pid 1; --kill-child ends the lab with it.
        let unshare = try Tool.startDetached(
            [
                "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", swarmctl, "lab",
                "supervise", "--dir", folder.path,
            ], log: folder.supervisorLog)
        try waitFor("the lab's hosts", seconds: 20 + settings.nodes.count) {
            if waitpid(unshare, nil, WNOHANG) != 0 { throw Failure(.internal, "the lab's first process ended") }
            return folder.exists(folder.readyMark)
        }
        let child = LabFolder.read("/proc/\(unshare)/task/\(unshare)/children")?.trimmed ?? ""
        guard let pid = pid_t(child) else { throw Failure(.internal, "the lab's first process is not to be found") }
        try LabFolder.write("\(pid)\n", to: folder.supervisorPID)
        return try LabControl(folder)
    }

    /// One link leads from the machine into the lab's switch, so that published ports can be tried from here.
    private func connectToMachine(_ control: LabControl) throws {
        let name = "lab\(control.supervisor)"
        try Tool.run(
            "ip", "link", "add", name, "type", "veth", "peer", "name", "p-host", "netns", String(control.supervisor))
        try Tool.run("ip", "address", "add", "\(settings.prefix).1/24", "dev", name)
        try Tool.run("ip", "link", "set", name, "up")
        try Tool.run(
            "nsenter", "--target", String(control.supervisor), "--net", "ip", "link", "set", "p-host", "master", "lab0",
            "up")
    }

    /// DIR/n1/swarm.sock leads to the node's own /run/swarm/swarm.sock.
    private func linkSocket(_ node: String) throws {
        unlink(folder.socket(node))
        guard symlink("run/swarm.sock", folder.socket(node)) == 0 else {
            throw Failure(.internal, "cannot link \(folder.socket(node)): \(Tool.errorText())")
        }
    }

    private func formCluster(_ control: LabControl) throws {
        for node in settings.nodes {
            try waitFor("swarmd of \(node)", seconds: 20) {
                if control.daemonState(node) == "down" { throw Failure(.internal, "swarmd of \(node) ended") }
                return folder.exists("\(folder.node(node))/run/swarm.sock")
            }
        }
        let first = settings.nodes[0]
        try on(control, first, ["init", "--advertise-addr", settings.address(of: first) ?? ""])
        print("\(first): first manager of a new cluster")
        let managerToken = try on(control, first, ["token", "manager", "--quiet"]).trimmed
        let workerToken = try on(control, first, ["token", "worker", "--quiet"]).trimmed
        for (index, node) in settings.nodes.enumerated().dropFirst() {
            let isManager = index < settings.managers
            try on(
                control, node,
                ["join", "--advertise-addr", settings.address(of: node) ?? "", isManager ? managerToken : workerToken])
            print("\(node): joined as a \(isManager ? "manager" : "worker")")
        }
        try waitFor("all nodes to be ready", seconds: 30) {
            let states = try on(control, first, ["node", "ls", "--format", "{{.Status}}"]).split(separator: "\n")
            return states.count == settings.nodes.count && states.allSatisfy { $0 == "Ready" }
        }
        print("all \(settings.nodes.count) nodes are ready; try: swarmctl lab exec \(first) -- swarmctl node ls")
    }

    @discardableResult
    private func on(_ control: LabControl, _ node: String, _ arguments: [String]) throws -> String {
        if LabInterrupt.happened { throw Failure(.internal, "interrupted") }
        return try Tool.run(try control.command(on: node, [swarmctl] + arguments))
    }

    private func waitFor(_ what: String, seconds: Int, _ condition: () throws -> Bool) throws {
        let deadline = LabClock.now + .seconds(seconds)
        while try !condition() {
            if LabInterrupt.happened { throw Failure(.internal, "interrupted") }
            guard LabClock.now < deadline else {
                throw Failure(.deadlineExceeded, "waited \(seconds) s for \(what)")
            }
            usleep(20_000)
        }
    }

    /// The last lines of each log, before the folder goes.
    private func keepLogs(_ error: any Error) {
        for log in [folder.supervisorLog] + settings.nodes.map(folder.log) {
            guard let text = LabFolder.read(log), !text.isEmpty else { continue }
            let lines = text.split(separator: "\n").suffix(150).joined(separator: "\n")
            Tool.complain("--- \(log)\n\(lines)\n")
        }
    }

    /// The folder of the program that runs: its siblings are of the same build.
    static func ownFolder() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return "." }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}

/// Whether the person pressed ^C. A handler may only set a flag (signal-safety(7)).
enum LabInterrupt {
    private static let flag = LabFlag()

    static var happened: Bool { flag.isSet }

    static func watch() {
        signal(SIGINT) { _ in LabInterrupt.flag.set() }
        signal(SIGTERM) { _ in LabInterrupt.flag.set() }
    }
}
