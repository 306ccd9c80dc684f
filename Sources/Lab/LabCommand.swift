public import ArgumentParser
import Glibc
import Primitives

/// `swarmctl lab …`: a cluster of network namespaces on this machine.
public struct LabCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "Try a cluster on this machine: network namespaces stand for hosts.",
        discussion: """
            Every node has its own hostname, network, /run/swarm, /var/lib/swarm and swarmd.

            EXAMPLES:
              swarmctl lab up
              swarmctl lab exec n1 -- swarmctl node ls
              swarmctl lab kill n2
              swarmctl lab down
            """,
        subcommands: [
            Up.self, List.self, Exec.self, Kill.self, Stop.self, Continue.self, Start.self, Partition.self, Heal.self,
            Down.self, Supervise.self,
        ])

    public init() {}
}

struct LabOptions: ParsableArguments {
    @Option(name: .customLong("dir"), help: "The lab's folder.")
    var folder = "/run/swarm-lab"

    func control() throws -> LabControl { try LabControl(LabFolder(folder)) }
}

extension LabCommand {
    struct Up: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Start a lab and form a cluster of its nodes.")

        @OptionGroup var options: LabOptions
        @Option(help: "Nodes that take part in consensus.") var managers = 3
        @Option(help: "Nodes that run tasks only.") var workers = 0
        @Option(help: "First three bytes of the lab's network.") var prefix = "10.213.47"
        @Option(help: "The swarmd to run; by default the one beside this program.") var swarmd: String?
        @Option(help: "The container-init to run; by default the one beside this program.") var containerInit: String?

        func validate() throws {
            guard managers >= 1, workers >= 0, managers + workers <= 200 else {
                throw ValidationError("a lab has at least 1 manager and at most 200 nodes")
            }
        }

        func run() throws {
            let beside = LabUp.ownFolder()
            let settings = LabSettings(
                managers: managers, workers: workers, prefix: prefix, swarmd: swarmd ?? "\(beside)/swarmd",
                containerInit: containerInit ?? "\(beside)/container-init")
            try LabUp(folder: LabFolder(options.folder), settings: settings, swarmctl: "\(beside)/swarmctl").run()
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "ls", abstract: "Show the lab's nodes.")
        @OptionGroup var options: LabOptions

        func run() throws {
            let control = try options.control()
            print("NODE  ADDRESS         SWARMD   SOCKET")
            for node in control.settings.nodes {
                let address = control.settings.address(of: node) ?? ""
                let columns = [node.padded(4), address.padded(14), control.daemonState(node).padded(7)]
                print(columns.joined(separator: "  "), control.folder.socket(node), separator: "  ")
            }
        }
    }

    struct Exec: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a command on a node, on `outside` or on `registry`.",
            discussion: "EXAMPLE: swarmctl lab exec n1 -- swarmctl node ls")
        @OptionGroup var options: LabOptions
        @Argument var node: String
        @Argument(parsing: .captureForPassthrough) var command: [String]

        func run() throws {
            var arguments = command
            if arguments.first == "--" { arguments.removeFirst() }
            guard !arguments.isEmpty else { throw ValidationError("say what to run: lab exec \(node) -- COMMAND") }
            // The programs of this build, not some that the machine has installed.
            let path = "PATH=\(LabUp.ownFolder()):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            let code = try Tool.passThrough(try options.control().command(on: node, ["env", path] + arguments))
            throw ExitCode(code)
        }
    }

    struct Kill: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Kill a node's swarmd (SIGKILL); containers go on.")
        @OptionGroup var options: LabOptions
        @Argument var node: String
        func run() throws { try options.control().signalDaemon(node, "KILL") }
    }

    struct Stop: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Freeze a node's swarmd (SIGSTOP).")
        @OptionGroup var options: LabOptions
        @Argument var node: String
        func run() throws { try options.control().signalDaemon(node, "STOP") }
    }

    struct Continue: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "cont", abstract: "Let a frozen swarmd go on.")
        @OptionGroup var options: LabOptions
        @Argument var node: String
        func run() throws { try options.control().signalDaemon(node, "CONT") }
    }

    struct Start: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Start a node's swarmd again.",
            discussion: """
                EXAMPLES:
                  swarmctl lab start --clock-offset 7200 n2
                  swarmctl lab start n1 -- --manager 10.213.47.12:2377
                """)
        @OptionGroup var options: LabOptions
        @Option(help: "Seconds by which its wall clock is ahead, or behind with a minus.") var clockOffset = 0
        @Argument var node: String
        @Argument(parsing: .postTerminator, help: "Further arguments of swarmd, behind --.") var arguments: [String] =
            []
        func run() throws {
            let control = try options.control()
            guard control.daemonState(node) == "down" else {
                throw Failure(.failedPrecondition, "swarmd of \(node) is running")
            }
            try control.startDaemon(node, arguments, clockOffset: clockOffset)
        }
    }

    struct Partition: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Cut nodes off from the others.")
        @OptionGroup var options: LabOptions
        @Argument var nodes: [String]
        func run() throws { try options.control().partition(nodes) }
    }

    struct Heal: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a partition.")
        @OptionGroup var options: LabOptions
        func run() throws { try options.control().heal() }
    }

    struct Down: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End the lab and remove all of it.")
        @OptionGroup var options: LabOptions
        func run() throws { try LabControl.tearDown(LabFolder(options.folder)) }
    }

    struct Supervise: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Pid 1 of a lab; started by `lab up`.", shouldDisplay: false)
        @OptionGroup var options: LabOptions
        func run() throws {
            let folder = try LabFolder(options.folder)
            guard let settings = LabFolder.read(folder.settings).flatMap({ LabSettings(text: $0) }) else {
                throw Failure(.internal, "no settings in \(folder.settings)")
            }
            try LabSupervisor(folder: folder, settings: settings).run()
        }
    }
}

extension String {
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
