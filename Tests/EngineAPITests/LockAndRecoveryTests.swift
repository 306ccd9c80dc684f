import DockerSchema
import EngineAPI
import EngineFakes
import NIOHTTP1
import Testing

@Suite struct LockAndRecoveryTests {
    private func update(_ client: TestClient, lock: Bool?, rotates: Bool = false) async throws -> Int {
        let swarm = try await client.get("/swarm").decoded(Docker.Swarm.self)
        var spec = swarm.Spec
        spec.EncryptionConfig = Docker.EncryptionConfig(AutoLockManagers: lock)
        let rotation = rotates ? "&rotateManagerUnlockKey=true" : ""
        return try await client.send("POST", "/swarm/update?version=\(swarm.Version.Index)\(rotation)", spec).status
    }

    private func key(_ client: TestClient) async throws -> String {
        try await client.get("/swarm/unlockkey").decoded(Docker.UnlockKey.self).UnlockKey
    }

    @Test func managersAreLockedRotatedAndUnlocked() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            #expect(try await key(client) == "")
            #expect(
                try await client.get("/swarm").decoded(Docker.Swarm.self).Spec.EncryptionConfig?.AutoLockManagers
                    == false)
            // Nothing to rotate.
            #expect(try await update(client, lock: nil, rotates: true) == 200)
            #expect(try await key(client) == "")
            #expect(try await update(client, lock: true) == 200)
            let first = try await key(client)
            #expect(!first.isEmpty)
            #expect(try await update(client, lock: true) == 200)
            #expect(try await key(client) == first)
            #expect(try await update(client, lock: true, rotates: true) == 200)
            #expect(try await key(client) != first)
            #expect(try await update(client, lock: false) == 200)
            #expect(try await key(client) == "")
        }
    }

    @Test func aLockedManagerTakesTheRightKeyOnly() async throws {
        try await FakeEngine.serve(member: Membership(state: .locked, isManager: true)) { engine in
            let client = TestClient(engine: engine)
            #expect(try await client.get("/info").decoded(Docker.Info.self).Swarm.LocalNodeState == "locked")
            #expect(try await client.get("/swarm/unlockkey").status == 503)
            let wrong = try await client.send("POST", "/swarm/unlock", Docker.UnlockKey(UnlockKey: "SWMKEY-1-wrong"))
            #expect(wrong.status == 401)
            let right = Docker.UnlockKey(UnlockKey: "SWMKEY-1-right")
            #expect(try await client.send("POST", "/swarm/unlock", right).status == 200)
            #expect(try await client.send("POST", "/swarm/unlock", right).status == 409)
        }
    }

    @Test func aRecoveryIsPlannedBeforeItIsDone() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            var request = Docker.RecoveryRequest()
            request.AdvertiseAddr = "10.1.0.9:2377"
            let plan = try await client.send("POST", "/swarm/recover?dryrun=true", request)
                .decoded(Docker.RecoveryPlan.self)
            #expect(plan.Addr == "10.1.0.9:2377" && plan.Workers == 0 && plan.Index > 0)
            #expect(await engine.cluster.recoveries == 0)
            #expect(try await client.send("POST", "/swarm/recover", request).status == 200)
            #expect(await engine.cluster.recoveries == 1)
        }
    }

    @Test func aBackupComesWithItsKeyAndIsRestoredWithIt() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            let backup = try await client.send("POST", "/swarm/backup")
            #expect(backup.text == "sealed state")
            #expect(backup.headers.first(name: "X-Swarm-Backup-Key") == "SWMKEY-1-new")
            #expect(try await client.send("POST", "/swarm/restore").message.contains("already part of a swarm"))
            #expect(try await client.send("POST", "/swarm/leave?force=true").status == 200)
            #expect(try await client.send("POST", "/swarm/restore").message.contains("X-Swarm-Backup-Key is missing"))
        }
    }

    /// `docker swarm init --force-new-cluster`.
    @Test func dockersForceNewClusterRecovers() async throws {
        try await FakeEngine.serve { engine in
            let client = TestClient(engine: engine)
            var request = Docker.SwarmInit()
            request.ForceNewCluster = true
            let answer = try await client.send("POST", "/swarm/init", request)
            #expect(answer.status == 200)
            #expect(await engine.cluster.recoveries == 1)
        }
    }
}
