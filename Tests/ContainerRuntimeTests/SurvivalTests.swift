import ContainerRuntime
import Glibc
import LaunchProtocol
import LinuxSystem
import Testing

/// The daemon that is killed: this very program in another role.
@Suite(.enabled(if: Lane.role == "daemon"))
struct ShortLivedDaemon {
    @Test func createsTwoContainersAndHangs() async throws {
        let fixture = try Fixture("survival")
        let long = try await fixture.runtime.create(
            try fixture.configuration("long", ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"]))
        try await long.start()
        var configuration = try fixture.configuration(
            "short", ["sh", "-c", "while ! [ -e /data/go ]; do sleep 0.01; done; exit 5"])
        try File.createFolders(fixture.folder + "/data")
        configuration.mounts = [
            LaunchMount(
                .bind(source: fixture.folder + "/data", propagation: .private, isRecursive: false), target: "/data")
        ]
        let short = try await fixture.runtime.create(configuration)
        try await short.start()
        _ = try await fixture.runtime.create(try fixture.configuration("waiting", ["sh", "-c", "echo started late"]))
        try File.open(fixture.folder + "/ready", O_CREAT | O_WRONLY).close()
        try await Task.sleep(for: .seconds(600))
    }
}

extension ContainerLaneTests {
    @Suite(.serialized) struct Survival {
        @Test func containersOutliveTheDaemonAndAreFoundAgain() async throws {
            let lane = try #require(Lane.folder)
            let folder = lane + "/survival"
            let daemon = try Lane.startRole("daemon", filter: "ShortLivedDaemon")
            try await eventually(within: .seconds(60), "the daemon is ready") { File.exists(folder + "/ready") }
            let before = try StateRecord(
                versionedBytes: File.read(folder + "/state/long/state", maximumBytes: 1 << 20))
            kill(daemon, SIGKILL)
            _ = try ChildProcess.wait(daemon)
            // Ends while nobody is there.
            try File.open(folder + "/data/go", O_CREAT | O_WRONLY).close()
            try await eventually("the exit is recorded") { File.exists(folder + "/state/short/exit") }

            let runtime = try Fixture.makeRuntime(folder)
            #expect(try await runtime.list() == ["long", "short", "waiting"])
            guard case .exited(let record) = try await runtime.reconnect("short") else {
                Issue.record("short was not found as ended")
                return
            }
            #expect(record.exitCode == 5)
            guard case .running(let long) = try await runtime.reconnect("long") else {
                Issue.record("long was not found running")
                return
            }
            #expect(long.pid == before.process.pid)
            #expect(long.process.startTime == before.process.startTime)
            #expect(long.process.isAlive)
            guard case .created(let waiting) = try await runtime.reconnect("waiting") else {
                Issue.record("waiting was not found")
                return
            }
            try await waiting.start()
            #expect(try await waiting.wait().exitCode == 0)

            #expect(try await long.exec(["true"], timeout: .seconds(10)).exitCode == 0)
            #expect(try await long.stop(grace: .zero).exitCode == 137)
            var next = 1
            for try await entry in long.log.entries() {
                #expect(String(decoding: entry.text, as: UTF8.self) == "\(next)\n")
                next += 1
            }
            #expect(next > 1)
            for id in ["long", "short", "waiting"] { try await runtime.remove(id) }
            #expect(try await runtime.list() == [])
        }

        @Test func aKilledSupervisorTakesItsContainerAlongAndIsReportedAsLost() async throws {
            let fixture = try Fixture("lost")
            let container = try await fixture.runtime.create(try fixture.configuration("lost", ["sleep", "1000"]))
            try await container.start()
            let supervisor = try StateRecord(
                versionedBytes: File.read(fixture.folder + "/state/lost/state", maximumBytes: 1 << 20)
            ).supervisor
            kill(supervisor.pid, SIGKILL)
            await #expect(throws: (any Error).self) { try await container.wait() }
            try await eventually("the container is gone") { !container.process.isAlive }
            guard case .lost = try await Fixture.makeRuntime(fixture.folder).reconnect("lost") else {
                Issue.record("it was not found as lost")
                return
            }
            try await fixture.runtime.remove("lost")
            #expect(try await fixture.runtime.list() == [])
        }

        @Test func storedDescriptorsComeBack() async throws {
            let fixture = try Fixture("stored")
            let container = try await fixture.runtime.create(try fixture.configuration("stored", ["sleep", "1000"]))
            let file = try File.inMemory(named: "kept", Array("kept".utf8))
            try await container.storeDescriptors("resolver", [SharedDescriptor(file)])
            guard case .created(let again) = try await Fixture.makeRuntime(fixture.folder).reconnect("stored") else {
                Issue.record("it was not found")
                return
            }
            let fetched = try await again.fetchDescriptors("resolver")
            #expect(try fetched.first?.descriptor.read(upTo: 10, at: 0) == Array("kept".utf8))
            #expect(try await again.fetchDescriptors("other").isEmpty)
            try await again.remove()
        }

        @Test func nothingIsLeftBehind() async throws {
            let fixture = try Fixture("leak")
            let mounts = try File.readText("/proc/self/mountinfo")
            var processes: [String] = []
            for id in ["a", "b", "c"] {
                let container = try await fixture.runtime.create(try fixture.configuration(id, ["sleep", "1000"]))
                try await container.start()
                processes.append("\(container.pid)")
                try await container.remove()
            }
            #expect(try File.readText("/proc/self/mountinfo") == mounts)
            #expect(try File.names(in: fixture.folder + "/state") == [])
            #expect(try File.names(in: fixture.folder + "/run") == [])
            let tasks = try Cgroup(layout: .ofThisNode(), path: Lane.cgroupParent + "/containers")
            #expect(tasks.processes == [])
            for hierarchy in try File.names(in: "/sys/fs/cgroup") {
                let folder = "/sys/fs/cgroup/\(hierarchy)/\(Lane.cgroupParent)/containers"
                guard File.exists(folder) else { continue }
                #expect(try File.names(in: folder).filter { File.isDirectory(folder + "/" + $0) } == [])
            }
            for pid in processes { #expect(!File.exists("/proc/" + pid)) }
            try await eventually("no supervisor stays") {
                try Cgroup(layout: .ofThisNode(), path: Lane.cgroupParent + "/supervisors").processes.isEmpty
            }
        }
    }
}
