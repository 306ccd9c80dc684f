import Glibc
import Primitives

/// Pid 1 of a lab: makes the hosts, then reaps. Its end takes every process, link and mount of the lab with it.
struct LabSupervisor {
    let folder: LabFolder
    let settings: LabSettings

    /// Never returns once the hosts are made.
    func run() throws -> Never {
        signal(SIGINT, SIG_IGN)
        // A mount made here must not reach the machine, nor one of a node another node.
        try Tool.run("mount", "--make-rprivate", "/")
        try shadowMachineFolders()
        try Tool.run("ip", "link", "set", "lo", "up")
        try makeSwitch()
        for host in ["outside", "registry"] + settings.nodes { try makeHost(host) }
        try LabFolder.write("ready\n", to: folder.readyMark)
        while true {
            if waitpid(-1, nil, 0) < 0 && errno == ECHILD { pause() }
        }
    }

    /// A /run of the lab's own, with the lab's folder in it where it lies there, and a writable layer over /var/lib: the
    /// folders that hosts mount over need not exist on the machine, and are not made there.
    private func shadowMachineFolders() throws {
        let stage = "\(folder.path)/stage"
        try LabFolder.makeFolder(stage)
        try Tool.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", stage)
        for name in ["netns", "lab-upper", "lab-work"] { try LabFolder.makeFolder("\(stage)/\(name)") }
        if folder.path.hasPrefix("/run/") {
            let own = stage + folder.path.dropFirst("/run".count)
            try Tool.run("mkdir", "-p", own)
            try Tool.run("mount", "--bind", folder.path, own)
        }
        // Without the table of mounts in /run, which is being replaced.
        try Tool.run("mount", "--no-mtab", "--move", stage, "/run")
        rmdir(stage)
        try Tool.run(
            "mount", "-t", "overlay", "-o", "lowerdir=/var/lib,upperdir=/run/lab-upper,workdir=/run/lab-work",
            "overlay",
            "/var/lib")
    }

    /// The lab's own network namespace is the switch: a bridge with a port for each host.
    private func makeSwitch() throws {
        try Tool.run("ip", "link", "add", "lab0", "type", "bridge", "forward_delay", "0")
        try Tool.run("ip", "link", "set", "lab0", "up")
    }

    private func makeHost(_ name: String) throws {
        guard let address = settings.address(of: name) else { throw Failure(.internal, "no address for \(name)") }
        try LabFolder.makeFolder(folder.node(name))
        try Tool.run("ip", "netns", "add", name)
        try Tool.run("ip", "link", "add", "p-\(name)", "type", "veth", "peer", "name", "eth0", "netns", name)
        try Tool.run("ip", "link", "set", "p-\(name)", "master", "lab0", "up")
        try Tool.run("ip", "-n", name, "link", "set", "lo", "up")
        try Tool.run("ip", "-n", name, "address", "add", "\(address)/24", "dev", "eth0")
        try Tool.run("ip", "-n", name, "link", "set", "eth0", "up")
        // `outside` stands for the internet: what a node does not know goes there.
        if name != "outside" {
            try Tool.run("ip", "-n", name, "route", "add", "default", "via", "\(settings.prefix).2")
        }
        try startHolder(name)
    }

    /// A sleeping process keeps the node's mount and UTS namespaces.
    private func startHolder(_ name: String) throws {
        let base = folder.node(name)
        for part in ["run", "lib", "etc"] { try LabFolder.makeFolder("\(base)/\(part)") }
        try LabFolder.write("nameserver \(settings.prefix).2\n", to: "\(base)/etc/resolv.conf")
        try LabFolder.write(
            "127.0.0.1 localhost\n"
                + settings.nodes.compactMap { node in
                    settings.address(of: node).map { "\($0) \(node)\n" }
                }.joined(), to: "\(base)/etc/hosts")
        try LabFolder.write("\(name)\n", to: "\(base)/etc/hostname")
        // The script's paths are arguments, so no character of a folder's name is read as shell.
        let script = """
            set -e
            mount --make-rprivate /
            mkdir -p /run/swarm /var/lib/swarm
            mount --bind "$1/run" /run/swarm
            mount --bind "$1/lib" /var/lib/swarm
            for file in resolv.conf hosts hostname; do mount --bind "$1/etc/$file" "/etc/$file"; done
            echo "$2" > /proc/sys/kernel/hostname
            sysctl -qw net.ipv4.ip_forward=1
            echo $$ > "$1/holder.pid"
            exec sleep infinity
            """
        _ = try Tool.startDetached(
            [
                "nsenter", "--net=/run/netns/\(name)", "unshare", "--mount", "--uts", "sh", "-c", script, "sh", base,
                name,
            ], log: folder.supervisorLog)
        let deadline = LabClock.now + .seconds(10)
        while !folder.exists("\(base)/holder.pid") {
            guard LabClock.now < deadline else { throw Failure(.internal, "the host \(name) did not come up in 10 s") }
            usleep(2_000)
        }
    }
}

enum LabClock {
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}
