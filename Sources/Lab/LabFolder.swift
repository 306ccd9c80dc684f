import Glibc
import Primitives

/// The folder of one lab: where everything that belongs to it lies, and how its parts are named.
struct LabFolder {
    /// Absolute, without a trailing slash.
    let path: String

    /// - Throws: ``Failure`` when a socket's path below the folder would be longer than the kernel takes.
    init(_ path: String) throws {
        var absolute = path
        if !absolute.hasPrefix("/") {
            guard let current = getcwd(nil, 0) else { throw Failure(.internal, "the current folder is gone") }
            absolute = String(cString: current) + "/" + absolute
            free(current)
        }
        while absolute.count > 1 && absolute.hasSuffix("/") { absolute.removeLast() }
        self.path = absolute
        let longest = "\(absolute)/n999/swarm.sock"
        // sun_path holds 108 bytes with the final zero (unix(7)).
        guard longest.utf8.count < 108 else {
            throw Failure(
                .invalidArgument,
                "the folder \(absolute) is too long for a socket in it (\(longest.utf8.count) of 107 bytes): "
                    + "choose a shorter one with --dir")
        }
    }

    func node(_ name: String) -> String { "\(path)/\(name)" }
    func socket(_ name: String) -> String { "\(path)/\(name)/swarm.sock" }
    func log(_ name: String) -> String { "\(path)/\(name)/swarmd.log" }
    var supervisorLog: String { "\(path)/lab.log" }
    var supervisorPID: String { "\(path)/lab.pid" }
    var readyMark: String { "\(path)/ready" }
    var settings: String { "\(path)/lab.conf" }

    /// Below each cgroup hierarchy; one name for all that a lab makes there.
    var cgroupParent: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "/swarm-lab-" + String(hash & 0xffff_ffff, radix: 36)
    }

    /// Whether the process is this lab's first: the number alone may be another's by now.
    func isSupervisor(_ pid: pid_t) -> Bool {
        let arguments = LabFolder.read("/proc/\(pid)/cmdline")?.split(separator: "\0").map(String.init) ?? []
        return arguments.contains("supervise") && arguments.last == path
    }

    func exists(_ file: String) -> Bool { access(file, F_OK) == 0 }

    static func read(_ file: String) -> String? {
        guard let stream = fopen(file, "re") else { return nil }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 { bytes += buffer[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func write(_ text: String, to file: String) throws {
        guard let stream = fopen(file, "we") else {
            throw Failure(.internal, "cannot write \(file): \(Tool.errorText())")
        }
        defer { fclose(stream) }
        guard fputs(text, stream) >= 0, fflush(stream) == 0 else {
            throw Failure(.internal, "cannot write \(file): \(Tool.errorText())")
        }
    }

    static func makeFolder(_ path: String) throws {
        if mkdir(path, 0o755) != 0 && errno != EEXIST {
            throw Failure(.internal, "cannot make the folder \(path): \(Tool.errorText())")
        }
    }
}

/// What a lab consists of; written to its folder at `lab up`.
struct LabSettings {
    var managers: Int
    var workers: Int
    /// First three bytes of the lab's /24: hosts are .1 the host, .2 outside, .3 the registry, .11… the nodes.
    var prefix: String
    var swarmd: String
    var containerInit: String

    var nodes: [String] { (1...(managers + workers)).map { "n\($0)" } }
    func address(of node: String) -> String? {
        guard node.hasPrefix("n"), let number = Int(node.dropFirst()), (1...(managers + workers)).contains(number)
        else {
            return node == "outside" ? "\(prefix).2" : node == "registry" ? "\(prefix).3" : nil
        }
        return "\(prefix).\(10 + number)"
    }

    var text: String {
        "managers=\(managers)\nworkers=\(workers)\nprefix=\(prefix)\nswarmd=\(swarmd)\ncontainer-init=\(containerInit)\n"
    }

    init(managers: Int, workers: Int, prefix: String, swarmd: String, containerInit: String) {
        self.managers = managers
        self.workers = workers
        self.prefix = prefix
        self.swarmd = swarmd
        self.containerInit = containerInit
    }

    init?(text: String) {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        guard let managers = values["managers"].flatMap({ Int($0) }),
            let workers = values["workers"].flatMap({ Int($0) }),
            let prefix = values["prefix"], let swarmd = values["swarmd"], let containerInit = values["container-init"]
        else { return nil }
        self.init(managers: managers, workers: workers, prefix: prefix, swarmd: swarmd, containerInit: containerInit)
    }
}
