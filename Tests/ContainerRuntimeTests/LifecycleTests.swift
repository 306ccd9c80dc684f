import ContainerRuntime
import Glibc
import LaunchProtocol
import LinuxSystem
import Testing

@Suite(.serialized, .enabled(if: Lane.isInside))
struct ContainerLaneTests {}

extension ContainerLaneTests {
    @Suite(.serialized) struct Lifecycle {
        @Test func exitCodeAndOutputReachTheCaller() async throws {
            let fixture = try Fixture("exit")
            let (record, output) = try await fixture.run("three", "echo out; echo err >&2; exit 3")
            #expect(record.exitCode == 3)
            #expect(record.signal == nil)
            #expect(!record.wasOutOfMemory)
            #expect(record.failure == nil)
            #expect(Set(output.split(separator: "\n")) == ["out", "err"])
        }

        @Test func theProgramWaitsForStartAndItsNetworkIsThereBefore() async throws {
            let fixture = try Fixture("two-phase")
            let container = try await fixture.runtime.create(
                try fixture.configuration("waits", ["sh", "-c", "echo ran"]))
            #expect(container.process.isAlive)
            let own = try File.open("/proc/self/ns/net", O_RDONLY)
            let network = try container.openNetworkNamespace()
            #expect(try inode(own) != inode(network))
            #expect(try await fixture.text(of: container.log) == "")
            try await container.start()
            #expect(try await container.wait().exitCode == 0)
            #expect(try await fixture.text(of: container.log) == "ran\n")
            try await container.remove()
        }

        private func inode(_ descriptor: borrowing OwnedDescriptor) throws -> UInt {
            var status = stat()
            try #require(fstat(descriptor.number, &status) == 0)
            return UInt(status.st_ino)
        }

        @Test(arguments: [
            ("/nope", "exec /nope: no such file or directory", Int32(127)),
            ("nope", "exec nope: executable file not found in $PATH", 127),
            ("/not-executable", "exec /not-executable: permission denied", 126),
        ])
        func aProgramThatCannotRunIsNamed(program: String, text: String, code: Int32) async throws {
            let fixture = try Fixture("cannot-run")
            let container = try await fixture.runtime.create(try fixture.configuration("bad", [program]))
            let failure = await #expect(throws: LaunchFailure.self) { try await container.start() }
            #expect(failure?.description == text)
            #expect(failure?.exitCode == code)
            let record = try await container.wait()
            #expect(record.exitCode == code)
            #expect(record.failure?.description == text)
            try await container.remove()
        }

        @Test func aMissingBindSourceIsNamedAndNothingStays() async throws {
            let fixture = try Fixture("bad-mount")
            var configuration = try fixture.configuration("bad", ["true"])
            configuration.mounts = [
                LaunchMount(.bind(source: "/data/x", propagation: .private, isRecursive: true), target: "/data")
            ]
            let failure = await #expect(throws: LaunchFailure.self) {
                _ = try await fixture.runtime.create(configuration)
            }
            #expect(failure?.description == "mount /data/x: no such file or directory")
            #expect(try await fixture.runtime.list() == [])
            #expect(!File.exists(fixture.folder + "/run/bad"))
        }

        @Test func stopSendsTheSignalAndKillsAfterTheGrace() async throws {
            let fixture = try Fixture("stop")
            let polite = try await fixture.runtime.create(
                try fixture.configuration(
                    "polite", ["sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done"]))
            try await polite.start()
            try await eventually("it is up") { try await fixture.text(of: polite.log) == "up\n" }
            #expect(try await polite.stop(grace: .seconds(20)).exitCode == 7)
            try await polite.remove()

            let deaf = try await fixture.runtime.create(try fixture.configuration("deaf", ["sleep", "1000"]))
            try await deaf.start()
            let record = try await deaf.stop(grace: .milliseconds(50))
            #expect(record.exitCode == 137)
            #expect(record.signal == SIGKILL)
            try await deaf.remove()
        }

        @Test func withAnInitSignalsReachTheProgramAndOrphansAreReaped() async throws {
            let fixture = try Fixture("init")
            var configuration = try fixture.configuration("init", ["sleep", "1000"])
            configuration.usesInit = true
            let container = try await fixture.runtime.create(configuration)
            try await container.start()
            let result = try await container.exec(
                ["sh", "-c", "cat /proc/1/comm; (sleep 0.01 &)"], timeout: .seconds(10))
            #expect(String(decoding: result.output, as: UTF8.self) == "swarm-init\n")
            // As pid 1 itself, sleep would ignore it.
            #expect(try await container.stop(grace: .seconds(20)).exitCode == 143)
            try await container.remove()
        }

        @Test func execRunsInTheContainerWithItsOutputBoundedAndItsTimeLimited() async throws {
            let fixture = try Fixture("exec")
            let container = try await fixture.runtime.create(try fixture.configuration("exec", ["sleep", "1000"]))
            try await container.start()
            let answer = try await container.exec(
                ["sh", "-c", "hostname; echo $X >&2; grep -E 'CapEff|Seccomp:' /proc/self/status; exit 4"],
                environment: ["X=y"], timeout: .seconds(10))
            #expect(answer.exitCode == 4)
            #expect(
                String(decoding: answer.output, as: UTF8.self)
                    == "box\ny\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n")
            let long = try await container.exec(
                ["sh", "-c", "seq 100000"], timeout: .seconds(10), outputBytesMax: 10)
            #expect(long.output == Array("1\n2\n3\n4\n5\n".utf8))
            #expect(long.outputWasCut)
            let slow = try await container.exec(["sh", "-c", "echo a; exec sleep 1000"], timeout: .milliseconds(300))
            #expect(slow.timedOut)
            #expect(slow.output == Array("a\n".utf8))
            let failure = await #expect(throws: LaunchFailure.self) {
                _ = try await container.exec(["/nope"], timeout: .seconds(10))
            }
            #expect(failure?.exitCode == 127)
            try await eventually("the overdue program is gone") {
                let list = try await container.exec(["ps", "-o", "args"], timeout: .seconds(10))
                return String(decoding: list.output, as: UTF8.self).split(separator: "\n").count { $0 == "sleep 1000" }
                    == 1
            }
            try await container.remove()
        }
    }
}
