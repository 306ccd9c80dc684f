import Foundation
import Testing

/// Nodes as Docker leaves a host: everything that is forwarded is dropped, bridged frames pass the host's rules.
@Suite(.serialized, .lab("docker", number: 7, managers: 1, workers: 2)) struct DockerHostTests {
    private func lab() throws -> Lab { try #require(Lab.current) }
    private func checks() throws -> NetworkChecks { NetworkChecks(lab: try lab()) }

    /// The chains of a dockerd with its default bridge, by the program that it uses itself.
    private static let chains = """
        set -e
        iptables -P FORWARD DROP
        iptables -N DOCKER-USER 2>/dev/null || iptables -F DOCKER-USER
        iptables -N DOCKER 2>/dev/null || iptables -F DOCKER
        iptables -F FORWARD
        iptables -A DOCKER-USER -j RETURN
        iptables -A FORWARD -j DOCKER-USER
        iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        iptables -A FORWARD -o docker0 -j DOCKER
        iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
        iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT
        iptables -t nat -N DOCKER 2>/dev/null || iptables -t nat -F DOCKER
        iptables -t nat -F PREROUTING
        iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        """

    private func becomeDockerHosts() throws {
        let lab = try lab()
        let setting = "/proc/sys/net/bridge/bridge-nf-call-iptables"
        for node in lab.nodes {
            try lab.exec(node, ["sh", "-c", DockerHostTests.chains]).succeed()
            if try lab.exec(node, ["test", "-e", setting]).status == 0 {
                try lab.exec(node, ["sh", "-c", "echo 1 > \(setting)"]).succeed()
            } else {
                print(
                    "\(node): this kernel has no \(setting): bridged frames pass no rules of the host, with or without Docker"
                )
            }
        }
    }

    private func check(_ node: String) throws -> Command.Result {
        try lab().exec(node, ["swarmctl", "network", "check"])
    }

    /// What another program did is named, then repaired by itself.
    private func expectRepair(
        _ node: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation, _ change: () throws -> Void
    ) throws {
        let lab = try lab()
        // A repair may come between change and check: then the change is made again.
        try lab.waitUntil(
            "the check names: \(text)",
            {
                try change()
                let result = try check(node)
                return result.status == 1 && result.output.contains("\(node): ") && result.output.contains(text)
            }, sourceLocation: sourceLocation)
        try lab.waitUntil(
            "repaired: \(text)", seconds: 20, { try check(node).status == 0 }, sourceLocation: sourceLocation)
    }

    @Test func networksWorkWhereDockerDropsWhatIsForwarded() throws {
        let lab = try lab()
        for node in lab.nodes { try expectRepair(node, "foreign chain", becomeDockerHosts) }
        for node in lab.nodes {
            let rules = try lab.exec(node, ["iptables", "-S"])
            #expect(rules.status == 0 && rules.output.contains("-P FORWARD DROP"), "\(rules)")
            #expect(rules.output.contains("-A DOCKER-USER -i swarm0 -m comment --comment swarm -j ACCEPT"))
        }
        let checks = try checks()
        try lab.on("n1", "network", "create", "front")
        try checks.create(
            "web",
            [
                "--network", "front", "--replicas", "2", "--init", "--publish", "8080:80", "box:1", "sh", "-c",
                NetworkChecks.server,
            ])
        try checks.portAnswersEverywhere(8080)
        try checks.namesLeadToEveryTask(network: "front")
        try checks.tasksReachOutside()
        for node in lab.nodes { #expect(try check(node).status == 0) }
        try lab.on("n1", "service", "rm", "web")
    }

    @Test func whatIsChangedIsNamedAndRepaired() throws {
        let lab = try lab()
        try becomeDockerHosts()
        let checks = try checks()
        try checks.create(
            "mended", ["--replicas", "3", "--publish", "8081:80", "--init", "box:1", "sh", "-c", NetworkChecks.server])
        try lab.waitUntil("the node is as it should be", seconds: 20) { try check("n2").status == 0 }
        try expectRepair("n2", "foreign chain") {
            // A rule of somebody's before ours takes its effect away.
            try lab.exec("n2", ["iptables", "-I", "DOCKER-USER", "-j", "RETURN"]).succeed()
        }
        try expectRepair("n2", "rules of the host") {
            try lab.exec("n2", ["nft", "flush chain ip swarm prerouting"]).succeed()
        }
        try expectRepair("n2", "rules of the node's namespace") {
            let namespace = "--net=/run/swarm/network/node.netns"
            try lab.exec("n2", ["nsenter", namespace, "nft", "flush chain ip swarm prerouting"]).succeed()
        }
        try expectRepair("n2", "swarm0") { _ = try lab.exec("n2", ["ip", "link", "delete", "swarm0"]) }
        try checks.portAnswersEverywhere(8081)
        try lab.on("n1", "service", "rm", "mended")
    }

    @Test func aNodeThatLeavesTakesItsRulesAlong() throws {
        let lab = try lab()
        try becomeDockerHosts()
        try lab.waitUntil("the accept rules are there", seconds: 20) { try check("n3").status == 0 }
        try lab.on("n3", "leave")
        let rules = try lab.exec("n3", ["iptables", "-S", "DOCKER-USER"]).output
        #expect(rules == "-N DOCKER-USER\n-A DOCKER-USER -j RETURN\n")
        #expect(try lab.exec("n3", ["nft", "list", "table", "ip", "swarm"]).status != 0)
        #expect(try lab.exec("n3", ["ip", "link", "show", "swarm0"]).status != 0)
        let result = try check("n3")
        #expect(result.status == 1 && result.errors.contains("not part of a swarm"), "\(result)")
    }
}
