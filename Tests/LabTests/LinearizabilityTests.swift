import Foundation
import Testing

/// Reads and writes of a real cluster whose managers die, stand still and are cut off.
@Suite(.serialized, .lab("history", number: 13, managers: 3)) struct LinearizabilityTests {
    private static let managers = ["n1", "n2", "n3"]
    private static let keys = ["register-a", "register-b", "register-c"]

    private enum Fault: CaseIterable { case kill, pause, partition }

    private func lab() throws -> Lab { try #require(Lab.current) }

    private func socket(_ node: String) throws -> SocketClient {
        SocketClient(path: "\(try lab().folder)/\(node)/swarm.sock")
    }

    private func begin(_ fault: Fault, _ node: String) throws {
        switch fault {
        case .kill: try lab().killAndWait(node)
        case .pause: try lab().lab("stop", node)
        case .partition: try lab().lab("partition", node)
        }
    }

    private func end(_ fault: Fault, _ node: String) throws {
        switch fault {
        case .kill: try lab().lab("start", node)
        case .pause: try lab().lab("cont", node)
        case .partition: try lab().lab("heal")
        }
    }

    /// Each manager answers a read, which it can only with a quorum.
    private func waitUntilAllAnswer() throws {
        for node in LinearizabilityTests.managers {
            try lab().waitUntil("\(node) answers") {
                try socket(node).object("/configs/\(LinearizabilityTests.keys[0])") != nil
            }
        }
    }

    /// A fault hits the leader, then a follower; the longer half of an election timeout passes between two.
    private func playFaults(rounds: Int) throws {
        for round in 0..<rounds {
            for fault in Fault.allCases {
                let leader = try lab().leader(among: LinearizabilityTests.managers)
                let followers = LinearizabilityTests.managers.filter { $0 != leader }
                let victim = round % 2 == 0 ? leader : followers[round / 2 % followers.count]
                try begin(fault, victim)
                // Well above the longest election timeout, 1 s.
                usleep(1_700_000)
                try end(fault, victim)
                try waitUntilAllAnswer()
            }
        }
    }

    /// `SWARM_LAB_ROUNDS` plays more rounds than two, `SWARM_HISTORY` names a file for the history.
    @Test func readsAndWritesAreLinearizableUnderFaults() throws {
        let environment = ProcessInfo.processInfo.environment
        let lab = try lab()
        for key in LinearizabilityTests.keys {
            guard
                case .status(201, _) = try socket("n1").request(
                    "POST", "/configs/create", body: Register.body(key, "eA==", 0))
            else { throw LabError("no register \(key)") }
        }
        let clients = RegisterClients(
            sockets: LinearizabilityTests.managers.map { "\(lab.folder)/\($0)/swarm.sock" },
            keys: LinearizabilityTests.keys)
        clients.start(9, operations: 20_000)
        do { try playFaults(rounds: Int(environment["SWARM_LAB_ROUNDS"] ?? "") ?? 2) } catch {
            clients.end()
            throw error
        }
        clients.end()
        let history = clients.history
        print(
            "history: \(history.reads) reads, \(history.sets) writes, \(history.refusals) refused, "
                + "\(history.unknowns) unknown")
        if let path = environment["SWARM_HISTORY"] {
            try history.json.write(toFile: path, atomically: true, encoding: .utf8)
        }
        #expect(history.problem == nil, "\(history.problem ?? "")")
        #expect(history.reads > 300 && history.sets > 100)
        for fraction in [0, 0.5, 0.9] {
            let falsified = try #require(history.falsified(at: fraction))
            #expect(falsified.problem?.contains("not linearizable") == true, "a falsified read at \(fraction)")
        }
    }
}
