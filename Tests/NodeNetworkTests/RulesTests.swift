import ClusterModel
import Primitives
import Testing

@testable import NodeNetwork

@Suite struct RulesTests {
    private func ports(_ tasks: [TaskID: LocalTask] = Example.tasks, view: NetworkView = Example.view) -> PortTable {
        PortTable(view: view, node: Example.node, tasks: tasks)
    }

    @Test func `The node's rules spread connections and translate those that go elsewhere`() {
        let state = DesiredState(view: Example.view, node: Example.node, tasks: Example.tasks)
        let text = Rulesets.node(ports(), networks: state.networks)
        #expect(
            text == """
                add table ip swarm
                add chain ip swarm prerouting { type nat hook prerouting priority dstnat; policy accept; }
                add chain ip swarm postrouting { type nat hook postrouting priority srcnat; policy accept; }
                add chain ip swarm forward { type filter hook forward priority filter; policy drop; }
                flush table ip swarm
                add rule ip swarm prerouting iifname "uplink" tcp dport 8080 dnat ip addr . port to numgen random \
                mod 2 map { 0 : 10.0.9.21 . 80, 1 : 10.0.9.22 . 80 }
                add rule ip swarm forward ct state established,related accept
                add rule ip swarm forward ct status dnat accept
                add rule ip swarm forward iifname { "br001000", "br001001" } oifname "uplink" accept
                add rule ip swarm postrouting iifname "uplink" oifname "br001000" ip daddr != { 10.0.9.21 } \
                snat to 10.0.9.2
                add rule ip swarm postrouting oifname "uplink" masquerade

                """)
    }

    @Test func `The host's rules lead to the node's namespace`() {
        let text = Rulesets.host(ports())
        #expect(
            text == """
                add table ip swarm
                add chain ip swarm raw { type filter hook prerouting priority raw; policy accept; }
                add chain ip swarm prerouting { type nat hook prerouting priority dstnat; policy accept; }
                add chain ip swarm output { type nat hook output priority -100; policy accept; }
                add chain ip swarm postrouting { type nat hook postrouting priority srcnat; policy accept; }
                flush table ip swarm
                add rule ip swarm raw iifname "swarm0" ip daddr 127.0.0.0/8 drop
                add rule ip swarm prerouting fib daddr type local tcp dport 8080 dnat to 169.254.57.2:8080
                add rule ip swarm output fib daddr type local tcp dport 8080 dnat to 169.254.57.2:8080
                add rule ip swarm postrouting ip saddr 169.254.57.2 masquerade
                add rule ip swarm postrouting oifname "swarm0" ip saddr 127.0.0.0/8 masquerade

                """)
    }

    @Test func `A task that does not serve, or is not attached yet, gets no connection`() {
        var view = Example.view
        view.endpoints[3].isServing = false
        #expect(
            ports(view: view).ports.map(\.targets) == [
                [PublishedPort.Target(address: IPv4Address(10, 0, 9, 21), port: 80)]
            ])
        #expect(
            ports([:]).ports.map(\.targets) == [[PublishedPort.Target(address: IPv4Address(10, 0, 9, 22), port: 80)]])
        #expect(ports([:], view: view).ports.isEmpty)
    }

    @Test func `Without an address of its own on the ingress network a node serves its own tasks only`() {
        var view = Example.view
        view.networks[1].allocation?.nodeAddresses = [:]
        #expect(ports(view: view).ports.map(\.targets.count) == [1])
    }

    @Test func `Host ports of one number on two host addresses stay apart`() {
        let one = PortConfig(targetPort: 80, publishedPort: 9000, mode: .host, hostAddress: "127.0.0.1")
        let two = PortConfig(targetPort: 80, publishedPort: 9000, mode: .host, hostAddress: "192.0.2.1")
        let tasks = [TaskID(value: 1): Example.task(1, ports: [one]), TaskID(value: 2): Example.task(2, ports: [two])]
        let table = PortTable(view: nil, node: Example.node, tasks: tasks)
        #expect(table.ports.map(\.innerPort) == [20_000, 20_001])
        let text = Rulesets.host(table)
        #expect(text.contains("prerouting ip daddr 127.0.0.1 tcp dport 9000 dnat to 169.254.57.2:20000"))
        #expect(text.contains("prerouting ip daddr 192.0.2.1 tcp dport 9000 dnat to 169.254.57.2:20001"))
    }

    private let docker = """
        table ip filter { # handle 1
        \tchain DOCKER-USER { # handle 9
        \t\tcounter return # handle 20
        \t}
        \tchain FORWARD { # handle 2
        \t\ttype filter hook forward priority filter; policy drop;
        \t\tcounter jump DOCKER-USER # handle 10
        \t}
        }
        table inet firewall { # handle 2
        \tchain pass { # handle 1
        \t\ttype filter hook forward priority filter; policy accept;
        \t\toifname "eth0" accept # handle 5
        \t\treject with icmpx admin-prohibited # handle 6
        \t}
        \tchain quiet { # handle 2
        \t\ttype filter hook forward priority filter; policy accept;
        \t\tip saddr 192.0.2.0/24 drop # handle 7
        \t}
        }
        table ip swarm { # handle 3
        \tchain forward { # handle 1
        \t\ttype filter hook forward priority filter; policy drop;
        \t}
        }
        """

    @Test func `Only foreign chains that drop all are opened, Docker's at the place for it`() {
        #expect(
            ForeignForwarding.additions(docker) == [
                #"insert rule ip filter DOCKER-USER iifname "swarm0" accept comment "swarm""#,
                #"insert rule ip filter DOCKER-USER oifname "swarm0" accept comment "swarm""#,
                #"insert rule inet firewall pass iifname "swarm0" accept comment "swarm""#,
                #"insert rule inet firewall pass oifname "swarm0" accept comment "swarm""#,
            ])
    }

    @Test func `What was opened is not opened twice, and can be closed`() {
        let ours = """
            \t\tiifname "swarm0" accept comment "swarm" # handle 31
            \t\toifname "swarm0" accept comment "swarm" # handle 30
            \t\tcounter return # handle 20
            """
        let opened = docker.replacing("\t\tcounter return # handle 20", with: ours)
        #expect(ForeignForwarding.additions(opened).allSatisfy { $0.contains("inet firewall") })
        #expect(
            ForeignForwarding.removals(opened) == [
                "delete rule ip filter DOCKER-USER handle 31", "delete rule ip filter DOCKER-USER handle 30",
            ])
    }

    @Test func `One of ours behind a rule that ends the chain is put in front again`() {
        let late = """
            \t\tcounter return # handle 40
            \t\tiifname "swarm0" accept comment "swarm" # handle 31
            \t\toifname "swarm0" accept comment "swarm" # handle 30
            \t\tcounter return # handle 20
            """
        let passed = docker.replacing("\t\tcounter return # handle 20", with: late)
        #expect(
            ForeignForwarding.additions(passed).filter { $0.contains("ip filter") } == [
                "delete rule ip filter DOCKER-USER handle 31",
                #"insert rule ip filter DOCKER-USER iifname "swarm0" accept comment "swarm""#,
                "delete rule ip filter DOCKER-USER handle 30",
                #"insert rule ip filter DOCKER-USER oifname "swarm0" accept comment "swarm""#,
            ])
    }

    @Test func `A port's sockets are found in the kernel's table`() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 501 1 0 100 0 0 10 0
               1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 502 1 0 100 0 0 10 0
               2: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 503 1 0 100 0 0 10 0
            """
        #expect(PortOwner.sockets(table, port: 8080, isTCP: true, address: nil) == ["502"])
        #expect(PortOwner.sockets(table, port: 8080, isTCP: true, address: IPv4Address(192, 0, 2, 1)) == ["502"])
        #expect(PortOwner.sockets(table, port: 9090, isTCP: true, address: IPv4Address(127, 0, 0, 1)) == ["501"])
        #expect(PortOwner.sockets(table, port: 9090, isTCP: true, address: IPv4Address(192, 0, 2, 1)).isEmpty)
    }
}
