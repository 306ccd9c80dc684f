import Foundation
import Testing

/// R28, R28b: a new root certificate, and two machines with one identity.
@Suite(.serialized, .lab("authority", number: 31, managers: 3, workers: 3)) struct AuthorityTests {
    private func lab() throws -> Lab { try #require(Lab.current) }

    private func isRotating(_ node: String = "n1") throws -> Bool {
        try lab().api(node, "/swarm").contains("\"RootRotationInProgress\":true")
    }

    private func leader(seenFrom node: String) throws -> String {
        let text = try lab().on(node, "node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}")
        return try #require(text.split(separator: "\n").first { $0.hasSuffix(" Leader") }?.split(separator: " ").first)
            .description
    }

    private func issuers() throws -> Set<String> {
        let json = try lab().api("n1", "/nodes")
        return Set(
            json.ranges(of: "\"CertIssuerPublicKey\":\"").map { range in
                String(json[range.upperBound...].prefix { $0 != "\"" })
            })
    }

    /// Nobody is off: the command waits for all and ends with the new root.
    @Test func r28aANewRootIsInUseEverywhereAndNoTaskNotices() throws {
        let lab = try lab()
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "steady", "--mode", "global", "box:1", "sleep",
            "100000")
        let (ids, processes) = (try lab.nodeIDs(), try lab.processes(of: "steady"))
        let (old, token) = (try lab.on("n2", "ca"), try lab.on("n1", "token", "worker", "--quiet"))
        #expect(old.hasPrefix("-----BEGIN CERTIFICATE-----"))
        let usage = try lab.exec("n1", ["swarmctl", "ca", "--detach"])
        #expect(usage.status == 64 && usage.errors.contains("need --rotate"))
        let output = try lab.on("n2", "ca", "--rotate")
        let new = try lab.on("n1", "ca")
        #expect(new != old && output.hasSuffix(new))
        #expect(try !isRotating() && issuers().count == 1)
        #expect(try lab.nodeIDs() == ids)
        #expect(try lab.processes(of: "steady") == processes)
        // The old root counts no more, for joining neither.
        for node in lab.nodes {
            let trusted = try String(contentsOfFile: "\(lab.folder)/\(node)/lib/identity/roots.pem", encoding: .utf8)
            #expect(trusted.trimmingCharacters(in: .whitespacesAndNewlines) == new)
        }
        let fresh = try lab.on("n1", "token", "worker", "--quiet")
        #expect(fresh != token)
        try lab.on("n6", "leave")
        let refused = try lab.exec("n6", ["swarmctl", "join", token])
        #expect(refused.status == 1 && refused.errors.contains("its certificate is not of this cluster"))
        try lab.on("n6", "join", fresh)
        try lab.on("n1", "node", "rm", try #require(ids["n6"]))
        try lab.waitUntil("it is back") { try lab.readyNodes() == lab.nodes }
    }

    @Test func r28bANodeThatWasOffDuringTwoRotationsComesBackByItself() throws {
        let lab = try lab()
        let (ids, old) = (try lab.nodeIDs(), try lab.on("n1", "ca"))
        let token = try lab.on("n1", "token", "worker", "--quiet")
        try lab.killAndWait("n5")
        let waiting = try lab.exec("n1", ["swarmctl", "ca", "rotate", "--timeout", "5s"])
        #expect(waiting.status == 3 && waiting.errors.contains("waiting for n5"))
        #expect(try isRotating() && lab.on("n1", "info").contains("Root Rotation In Progress: true"))
        #expect(
            try lab.on("n1", "node", "ls").split(separator: "\n").filter { $0.contains("old certificate") }.count == 1)
        // A token of before, and joining, work meanwhile.
        try lab.on("n6", "leave")
        try lab.on("n6", "join", token)
        try lab.on("n1", "node", "rm", try #require(ids["n6"]))
        // The leader dies under the second one.
        try lab.on("n1", "ca", "rotate", "--detach")
        let gone = try leader(seenFrom: "n1")
        let other = gone == "n1" ? "n2" : "n1"
        try lab.killAndWait(gone)
        try lab.waitUntil("another one leads") { try leader(seenFrom: other) != gone }
        try lab.lab("start", gone)
        try lab.waitUntil("all but the one that is off have a certificate of the newest root") {
            try lab.on(other, "node", "ls").split(separator: "\n").filter { $0.contains("old certificate") }.count == 1
                && lab.readyNodes(seenFrom: other).count == 5
        }
        #expect(try isRotating(other) && lab.on(other, "ca") == old)
        try lab.lab("start", "n5")
        try lab.waitUntil("the rotation is over", seconds: 60) { try !isRotating(other) }
        try lab.waitUntil("all are there") { try lab.readyNodes() == lab.nodes }
        let now = try lab.nodeIDs()
        #expect(now.filter { $0.key != "n6" } == ids.filter { $0.key != "n6" })
        #expect(try lab.on("n1", "ca") != old && issuers().count == 1)
    }

    @Test func r28cARootOfOnesOwnAndALimit() throws {
        let lab = try lab()
        let script = """
            set -e; cd /tmp
            openssl ecparam -name prime256v1 -genkey -noout -out own.key
            openssl req -x509 -new -key own.key -subj /CN=own-root -days 100 -out own.pem \
              -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
            """
        let made = try lab.exec("n1", ["sh", "-c", script])
        #expect(made.status == 0, "\(made.errors)")
        let half = try lab.exec("n1", ["swarmctl", "ca", "rotate", "--ca-cert", "/tmp/own.pem"])
        #expect(half.status == 1 && half.errors.contains("go together"))
        try lab.on(
            "n1", "ca", "rotate", "--ca-cert", "/tmp/own.pem", "--ca-key", "/tmp/own.key", "--cert-expiry", "48h", "-q")
        let own = try lab.exec("n1", ["cat", "/tmp/own.pem"]).output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try lab.on("n1", "ca") == own)
        #expect(try lab.api("n1", "/swarm").contains("\"NodeCertExpiry\":172800000000000"))
        try lab.killAndWait("n6")
        for _ in 0..<4 { try lab.on("n1", "ca", "--rotate", "--detach") }
        let refused = try lab.exec("n1", ["swarmctl", "ca", "--rotate", "--detach"])
        #expect(refused.status == 1 && refused.errors.contains("the limit is 5"))
        try lab.lab("start", "n6")
        try lab.waitUntil("the rotations are over", seconds: 60) { try !isRotating() }
        try lab.waitUntil("all are there") { try lab.readyNodes() == lab.nodes }
    }

    /// The copy's disk is the node's: certificate, key and id.
    @Test func r28dACopyOfANodeIsKeptOutAndSaysWhy() throws {
        let lab = try lab()
        let ids = try lab.nodeIDs()
        let id = try #require(ids["n4"])
        try lab.on("n5", "leave")
        try lab.on("n1", "node", "rm", try #require(ids["n5"]))
        try lab.killAndWait("n5")
        let copied = try Command.run([
            "sh", "-c",
            "rm -rf $2/identity && cp -a $1/identity $2/ && sed -i \"s/$3:/$4:/; s/=$3\\$/=$4/\" $2/identity/node.conf",
            "sh", "\(lab.folder)/n4/lib", "\(lab.folder)/n5/lib", lab.address(of: "n4"), lab.address(of: "n5"),
        ])
        #expect(copied.status == 0)
        let processes = try lab.processes(of: "steady")
        let since = try lab.api("n1", "/nodes/\(id)")
        try lab.lab("start", "n5")
        try lab.waitUntil("the copy says that it is one", seconds: 30) {
            let info = try lab.on("n5", "info")
            return info.contains("Swarm: error") && info.contains("is a copy") && info.contains("leave --force")
        }
        #expect(try lab.nodeIDs()["n4"] == id && lab.readyNodes().count == 5)
        #expect(try lab.on("n1", "node", "ls").contains("a copy was refused"))
        #expect(
            try lab.on("n1", "events", "--since", "5m", "--until", "0s", "--filter", "type=node")
                .contains("a second machine with this node's identity"))
        // The node has never lost its session.
        #expect(since.contains("\"State\":\"ready\""))
        #expect(try lab.processes(of: "steady") == processes)
        #expect(try lab.on("n4", "info").contains("Swarm: active"))
        // The node restarts, is killed, and is let in: never the copy.
        try lab.killAndWait("n4")
        try lab.lab("start", "n4")
        try lab.waitUntil("it is back") { try lab.on("n4", "info").contains("Swarm: active") }
        // What the error says ends it.
        try lab.on("n5", "leave", "--force")
        try lab.on("n5", "join", try lab.on("n1", "token", "worker", "--quiet"))
        try lab.waitUntil("they are two nodes") { try lab.readyNodes() == lab.nodes }
        #expect(try lab.nodeIDs()["n4"] == id)
    }

    /// Two members of Raft with one id: the copy's is stopped.
    @Test func r28eACopyOfAManagerIsKeptOutOfRaft() throws {
        let lab = try lab()
        let ids = try lab.nodeIDs()
        try lab.on("n5", "leave")
        try lab.on("n1", "node", "rm", try #require(ids["n5"]))
        try lab.killAndWait("n5")
        try lab.killAndWait("n3")
        let copied = try Command.run([
            "sh", "-c",
            """
            rm -rf $2/identity $2/raft && cp -a $1/identity $1/raft $2/ &&
            sed -i "s/$3:/$4:/; s/=$3\\$/=$4/" $2/identity/node.conf
            """, "sh", "\(lab.folder)/n3/lib", "\(lab.folder)/n5/lib", lab.address(of: "n3"), lab.address(of: "n5"),
        ])
        #expect(copied.status == 0)
        try lab.lab("start", "n3")
        try lab.waitUntil("the node has its session") { try lab.on("n3", "info").contains("Swarm: active") }
        try lab.createConfig("before-copy", on: "n3")
        try lab.lab("start", "n5")
        try lab.waitUntil("the copy's manager is stopped", seconds: 30) {
            try lab.log("n5").contains("the manager of this copy is stopped")
                && lab.on("n5", "info").contains("is a copy")
        }
        let token = try lab.on("n1", "token", "manager", "--quiet")
        let refused = try lab.exec("n5", ["swarmctl", "join", "--renew", token])
        #expect(refused.status == 1 && refused.errors.contains("is a copy"))
        for node in ["n1", "n2", "n3"] { try lab.createConfig("after-copy-\(node)", on: node) }
        #expect(try lab.nodeIDs()["n3"] == ids["n3"])
        let managers = try lab.on("n1", "node", "ls", "--format", "{{.ManagerStatus}}").split(separator: "\n")
        #expect(managers.count { $0 == "Leader" || $0 == "Reachable" } == 3)
        try lab.on("n5", "leave", "--force")
        try lab.on("n5", "join", try lab.on("n1", "token", "worker", "--quiet"))
        try lab.waitUntil("they are two nodes") { try lab.readyNodes() == lab.nodes }
        #expect(try lab.nodeIDs()["n3"] == ids["n3"])
    }
}
