import ContainerRuntime
import Glibc
import LaunchProtocol
import LinuxSystem
import Testing

extension ContainerLaneTests {
    @Suite(.serialized) struct LimitsAndLogs {
        @Test func limitsAreSetAndAnOutOfMemoryKillIsReported() async throws {
            let fixture = try Fixture("limits")
            var configuration = try fixture.configuration("limits", ["sleep", "1000"])
            configuration.limits = CgroupLimits(cpuNanos: 500_000_000, memoryBytes: 64 << 20, pids: 20)
            let container = try await fixture.runtime.create(configuration)
            try await container.start()
            let statistics = try await container.statistics()
            #expect(statistics.memoryLimitBytes == 64 << 20)
            #expect(statistics.pidsLimit == 20)
            #expect(statistics.pids == 1)
            try await container.remove()

            let (record, _) = try await fixture.run("oom", "exec tail /dev/zero") {
                $0.limits = CgroupLimits(memoryBytes: 16 << 20)
            }
            #expect(record.exitCode == 137)
            #expect(record.wasOutOfMemory)
        }

        @Test func noLineIsLostWhateverTheRotation() async throws {
            let fixture = try Fixture("logs")
            let (_, all) = try await fixture.run("all", "seq 1 20000")
            #expect(all == (1...20_000).map { "\($0)\n" }.joined())

            var configuration = try fixture.configuration("rotated", ["sh", "-c", "seq 1 20000; printf tail"])
            configuration.logMaximumBytes = 200_000
            configuration.logMaximumFiles = 50
            let container = try await fixture.runtime.create(configuration)
            async let followed = follow(container.log)
            try await container.start()
            #expect(try await container.wait().lostLogLines == 0)
            let expected = (1...20_000).map { "\($0)\n" }.joined() + "tail"
            #expect(try await fixture.text(of: container.log) == expected)
            #expect(try await followed == expected)
            var tail: [UInt8] = []
            for try await entry in container.log.entries(tail: 3) { tail += entry.text }
            #expect(String(decoding: tail, as: UTF8.self) == "19999\n20000\ntail")
            #expect(File.exists(fixture.folder + "/state/rotated/container-json.log.1"))
            try await container.remove()
        }

        private func follow(_ log: ContainerLog) async throws -> String {
            var bytes: [UInt8] = []
            for try await entry in log.entries(follow: true) { bytes += entry.text }
            return String(decoding: bytes, as: UTF8.self)
        }

        @Test func aRotatedLogKeepsOnlySoManyFiles() async throws {
            let fixture = try Fixture("kept")
            var configuration = try fixture.configuration("kept", ["seq", "1", "5000"])
            configuration.logMaximumBytes = 20_000
            configuration.logMaximumFiles = 3
            let container = try await fixture.runtime.create(configuration)
            try await container.start()
            _ = try await container.wait()
            let logs = try File.names(in: fixture.folder + "/state/kept").filter { $0.hasPrefix("container-json.log") }
            #expect(logs == ["container-json.log", "container-json.log.1", "container-json.log.2"])
            #expect(try await fixture.text(of: container.log).hasSuffix("\n5000\n"))
            try await container.remove()
        }

        @Test func supervisorsAreSmall() async throws {
            let fixture = try Fixture("small")
            let container = try await fixture.runtime.create(
                try fixture.configuration("small", ["sh", "-c", "seq 1 3000; exec sleep 1000"]))
            try await container.start()
            let supervisor = try StateRecord(
                versionedBytes: File.read(fixture.folder + "/state/small/state", maximumBytes: 1 << 20)
            ).supervisor
            try await eventually("the supervisor is below 2 MB") {
                let rollup = try File.readText("/proc/\(supervisor.pid)/smaps_rollup")
                let line = try #require(rollup.split(separator: "\n").first { $0.hasPrefix("Pss:") })
                return try #require(Int(line.split(separator: " ")[1])) < 2_048
            }
            try await container.remove()
        }
    }
}
