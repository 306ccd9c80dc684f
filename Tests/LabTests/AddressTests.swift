import Foundation
import Testing

/// R25b: nodes whose machines come back with another address.
@Suite(.serialized, .lab("moved", number: 16, managers: 3, workers: 1)) struct AddressTests {
    private static let managers = ["n1", "n2", "n3"]

    private func lab() throws -> Lab { try #require(Lab.current) }

    /// The host's address from now on; its swarmd is down.
    private func move(_ node: String, to address: String) throws {
        let lab = try lab()
        let script = "ip address flush dev eth0; ip address add $1/24 dev eth0; ip route replace default via $2"
        try lab.exec(node, ["sh", "-ec", script, "sh", address, lab.address(of: "outside")]).succeed()
    }

    /// Hostnames with state and the addresses that the cluster has for them.
    private func nodes(seenFrom node: String) throws -> [String: (isReady: Bool, manager: String?, agent: String)] {
        let client = SocketClient(path: "\(try lab().folder)/\(node)/swarm.sock")
        guard let rows = client.object("/nodes") as? [[String: Any]] else { throw LabError("\(node) has no list") }
        var result: [String: (isReady: Bool, manager: String?, agent: String)] = [:]
        for row in rows {
            let name = (row["Description"] as? [String: Any])?["Hostname"] as? String
            let status = row["Status"] as? [String: Any]
            let manager = (row["ManagerStatus"] as? [String: Any])?["Addr"] as? String
            result[name ?? ""] = (status?["State"] as? String == "ready", manager, status?["Addr"] as? String ?? "")
        }
        return result
    }

    private func waitForNodes(at addresses: [String: String], seenFrom node: String) throws {
        try lab().waitUntil("the nodes are at \(addresses)", seconds: 40) {
            let nodes = try nodes(seenFrom: node)
            return addresses.allSatisfy { name, address in
                guard let node = nodes[name], node.isReady, node.agent == address else { return false }
                return name == "n4" || node.manager == "\(address):2377"
            }
        }
    }

    private func write(on node: String) throws -> Bool {
        try lab().exec(node, ["swarmctl", "config", "create", "c-\(UUID().uuidString)", "/etc/hostname"]).status == 0
    }

    private func createService(_ name: String) throws -> [String] {
        try lab().on(
            "n1", "service", "create", "--no-resolve-image", "--name", name, "--constraint", "node.role==worker",
            "box:1", "sleep", "1000")
        return try lab().running(name)
    }

    /// A manager and a worker are found by their certificates; the worker's task does not notice.
    @Test func r25bNodesThatMovedWhileTheyWereOffAreFound() throws {
        let lab = try lab()
        let before = try createService("settled")
        let prefix = lab.address(of: "n1").dropLast(2)
        let addresses = ["n3": "\(prefix)63", "n4": "\(prefix)64"]
        for (node, address) in addresses.sorted(by: { $0.key < $1.key }) {
            try lab.killAndWait(node)
            try move(node, to: address)
            try lab.lab("start", node)
        }
        try waitForNodes(at: addresses, seenFrom: "n1")
        #expect(try lab.running("settled") == before)
        // It decides with one of the others.
        try lab.killAndWait("n1")
        try lab.waitUntil("the moved manager takes a write") { try write(on: "n3") }
        try lab.lab("start", "n1")
        try lab.waitUntil("all answer") { try AddressTests.managers.allSatisfy(write) }
        try lab.on("n1", "service", "rm", "settled")
    }

    /// Nobody knows anybody's address: one manager is told of the others, the worker of one. Later starts need nothing.
    @Test func r25bAClusterAllOfWhichMovedFindsItselfAgain() throws {
        let lab = try lab()
        let before = try createService("lasting")
        let prefix = lab.address(of: "n1").dropLast(2)
        let addresses = Dictionary(
            uniqueKeysWithValues: (1...4).map { ("n\($0)", "\(prefix)7\($0)") })
        let names = addresses.keys.sorted()
        for node in names { try lab.killAndWait(node) }
        for node in names { try move(node, to: try #require(addresses[node])) }
        for node in ["n2", "n3"] { try lab.lab("start", node) }
        try lab.lab("start", "n4", "--", "--manager", "\(prefix)71:2377")
        try lab.lab("start", "n1", "--", "--manager", "\(prefix)72:2377", "--manager", "\(prefix)73:2377")
        for node in AddressTests.managers { try waitForNodes(at: addresses, seenFrom: node) }
        #expect(try AddressTests.managers.allSatisfy(write))
        #expect(try lab.running("lasting") == before)
        for node in names { try lab.killAndWait(node) }
        for node in names { try lab.lab("start", node) }
        try lab.waitUntil("all answer", seconds: 40) { try AddressTests.managers.allSatisfy(write) }
        try waitForNodes(at: addresses, seenFrom: "n2")
        #expect(try lab.running("lasting") == before)
        try lab.on("n1", "service", "rm", "lasting")
    }
}
