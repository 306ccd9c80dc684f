import ContainerRuntime
import Glibc
import LaunchProtocol
import LinuxSystem
import Primitives
import Testing

extension ContainerLaneTests {
    /// What a hostile container does to the supervisor and to what the runtime uses in it.
    @Suite(.serialized) struct Isolation {
        private func supervisor(_ id: String, _ fixture: Fixture) throws -> ProcessIdentity {
            let state = try StateRecord(
                versionedBytes: File.read(fixture.folder + "/state/\(id)/state", maximumBytes: 1 << 20))
            return ProcessIdentity(pid: state.supervisor.pid, startTime: state.supervisor.startTime)
        }

        @Test func aSignalToItsOwnProcessGroupDoesNotReachTheSupervisor() async throws {
            let fixture = try Fixture("group")
            let container = try await fixture.runtime.create(
                try fixture.configuration("group", ["sh", "-c", "kill -9 0; sleep 1000"]))
            try await container.start()
            let supervisor = try supervisor("group", fixture)
            // A health check that does the same: its answer shows that the supervisor is there.
            let result = try await container.exec(["sh", "-c", "kill -9 0"], timeout: .seconds(10))
            #expect(result.exitCode == 137)
            #expect(supervisor.isAlive)
            try await container.remove()
        }

        @Test func aStoppedSupervisorIsNoReasonToKeepAContainer() async throws {
            let fixture = try Fixture("stopped")
            let container = try await fixture.runtime.create(
                try fixture.configuration("stopped", ["sleep", "1000"]))
            try await container.start()
            try supervisor("stopped", fixture).send(SIGSTOP)
            #expect(try await container.kill().exitCode == 137)
            try await container.remove()
        }

        @Test func aContainerIsRemovedThoughItsSupervisorDoesNotAnswerANewDaemon() async throws {
            let fixture = try Fixture("silent")
            let container = try await fixture.runtime.create(try fixture.configuration("silent", ["sleep", "1000"]))
            try await container.start()
            try supervisor("silent", fixture).send(SIGSTOP)
            let later = try Fixture.makeRuntime(fixture.folder)
            await #expect(throws: Failure.self) { _ = try await later.reconnect("silent") }
            try await later.remove("silent")
            #expect(!container.process.isAlive)
            #expect(try await later.list() == [])
        }

        @Test func aSetUserIDProgramDoesNotOutliveItsSupervisor() async throws {
            let fixture = try Fixture("set-user-id")
            let program = try File.open(fixture.folder + "/image/bin/busybox-suid", O_WRONLY | O_CREAT, mode: 0o755)
            try program.write(all: try File.read("/bin/busybox", maximumBytes: 16 << 20))
            try #require(fchmod(program.number, 0o4755) == 0)
            try program.close()
            var configuration = try fixture.configuration("suid", ["/bin/busybox-suid", "sleep", "1000"])
            configuration.user = "app"
            let container = try await fixture.runtime.create(configuration)
            try await container.start()
            try supervisor("suid", fixture).send(SIGKILL)
            await #expect(throws: Failure.self) { try await container.wait() }
            try await eventually("the container is gone") { !container.process.isAlive }
            try await fixture.runtime.remove("suid")
        }

        @Test func aReplacedNullDeviceIsNotUsed() async throws {
            let fixture = try Fixture("null")
            let container = try await fixture.runtime.create(
                try fixture.configuration(
                    "null", ["sh", "-c", "ln -sf /bin/busybox /dev/null; echo linked; sleep 1000"]))
            try await container.start()
            for try await entry in container.log.entries(follow: true) {
                #expect(entry.text == Array("linked\n".utf8))
                break
            }
            // Refused before the program, and said so: nothing of what the link leads to is read.
            let refusal = await #expect(throws: LaunchFailure.self) {
                try await container.exec(["head", "-c", "4"], timeout: .seconds(10))
            }
            #expect(refusal?.stage == "open" && refusal?.exitCode == 125, "\(String(describing: refusal))")
            try await container.remove()
        }

        @Test(arguments: ["/dev", "//dev/", "/x/../dev/./null", "/proc", "/proc/kcore", "/link"])
        func aMountDoesNotReplaceWhatConfines(target: String) async throws {
            let fixture = try Fixture("reserved")
            let link = fixture.folder + "/image/link"
            if symlink("/dev", link) == -1 { #expect(Errno.current == .exists) }
            var configuration = try fixture.configuration("reserved", ["true"])
            try File.createFolders(fixture.folder + "/data")
            configuration.mounts = [
                LaunchMount(
                    .bind(source: fixture.folder + "/data", propagation: .private, isRecursive: false), target: target)
            ]
            await #expect(throws: (any Error).self) { _ = try await fixture.runtime.create(configuration) }
            #expect(try await fixture.runtime.list() == [])
        }

        @Test func aLogOfCountlessFilesIsRefused() async throws {
            let fixture = try Fixture("log-files")
            var configuration = try fixture.configuration("files", ["true"])
            configuration.logMaximumFiles = 101
            await #expect(throws: Failure.self) { _ = try await fixture.runtime.create(configuration) }
        }
    }
}
