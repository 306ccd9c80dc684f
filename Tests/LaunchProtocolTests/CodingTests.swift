import Primitives
import Testing

@testable import LaunchProtocol

@Suite struct CodingTests {
    static var configuration: LaunchConfiguration {
        var process = ProcessConfiguration(arguments: ["sh", "-c", "exit 3"], environment: ["A=b", "C=ü"])
        process.user = "app:logs"
        process.groups = ["50"]
        process.workingDirectory = "/work"
        process.capabilities = 0xa804_25fb
        process.noNewPrivileges = true
        process.seccompFilter = [1, 2, 3, 4, 5, 6, 7, 8]
        process.limits = [ResourceLimit(name: "nofile", soft: 10, hard: .max)]
        process.outOfMemoryScoreAdjustment = -5
        var configuration = LaunchConfiguration(
            id: "x1", stateFolder: "/s", runFolder: "/r",
            rootfs: .overlay(lower: ["/l2", "/l1"], upper: "/u", work: "/w"), process: process)
        configuration.cgroups = CgroupPlacement(
            unified: "/c/u", legacy: [KeyValue("memory", "/c/m")], supervisor: ["/c/s"], memoryEvents: "/c/e")
        configuration.rootIsReadOnly = true
        configuration.mounts = [
            LaunchMount(.bind(source: "/a", propagation: .slave, isRecursive: true), target: "/b", isReadOnly: true),
            LaunchMount(.tmpfs(sizeBytes: 9, mode: 0o700), target: "/t"),
        ]
        configuration.files = [
            MemoryFile(target: "/run/secrets/k", contents: [0, 255], mode: 0o400, user: 1, group: 2)
        ]
        configuration.devices = [LaunchDevice(path: "/dev/fuse", isBlock: false, major: 10, minor: 229, mode: 0o666)]
        configuration.hostname = "box"
        configuration.domainName = "example"
        configuration.sysctls = [KeyValue("net.core.somaxconn", "1")]
        configuration.maskedPaths = ["/proc/kcore"]
        configuration.readOnlyPaths = ["/proc/sys"]
        configuration.sharedMemoryBytes = 1
        configuration.usesInit = true
        configuration.log = LogConfiguration(path: "/log", maximumBytes: 7, maximumFiles: 3)
        return configuration
    }

    static let failure = LaunchFailure(
        stage: "exec", subject: "/nope", errno: 2, reason: "no such file or directory", exitCode: 127)
    static let state = StateRecord(
        id: "x1", supervisor: RecordedProcess(pid: 1, startTime: 2), process: RecordedProcess(pid: 3, startTime: 4),
        runFolder: "/r", createdAt: Timestamp(nanoseconds: 5))
    static let exit = ExitRecord(
        exitCode: 137, signal: 9, wasOutOfMemory: true, startedAt: Timestamp(nanoseconds: 1),
        finishedAt: Timestamp(nanoseconds: 2), failure: failure, lostLogLines: 3)

    private func survives<Value: LaunchCodable & Equatable>(_ value: Value) throws {
        let bytes = value.versionedBytes
        #expect(try Value(versionedBytes: bytes) == value)
        // A crash would end the test: every shorter input must be an error.
        for count in bytes.indices {
            #expect(throws: DecodeError.self) { try Value(versionedBytes: Array(bytes[..<count])) }
        }
        #expect(throws: DecodeError.self) { try Value(versionedBytes: bytes + [0]) }
    }

    @Test func configurationsSurvive() throws {
        try survives(CodingTests.configuration)
        var plain = CodingTests.configuration
        plain.rootfs = .folder("/rootfs")
        plain.cgroups = CgroupPlacement(unified: nil, legacy: [], supervisor: [])
        try survives(plain)
    }

    @Test func recordsSurvive() throws {
        try survives(CodingTests.state)
        try survives(CodingTests.exit)
        var quiet = CodingTests.exit
        quiet.signal = nil
        quiet.failure = nil
        quiet.startedAt = nil
        try survives(quiet)
    }

    @Test func messagesSurvive() throws {
        for message in [StageMessage.ready, .start, .failed(CodingTests.failure)] { try survives(message) }
        let exec = ExecRequest(
            arguments: ["true"], environment: ["A=b"], user: "app", workingDirectory: nil, timeoutMilliseconds: 5,
            outputBytesMax: 6)
        let requests: [ControlRequest] = [
            .status, .start, .signal(-1), .execute(exec), .storeDescriptors(name: "a"), .fetchDescriptors(name: "b"),
        ]
        for request in requests { try survives(request) }
        let result = ExecResult(exitCode: 1, timedOut: true, output: [1, 2], outputWasCut: false)
        let status = SupervisorStatus(
            phase: .running, state: CodingTests.state, startedAt: Timestamp(nanoseconds: 9), lostLogLines: 1)
        let replies: [ControlReply] = [
            .done, .failed(CodingTests.failure), .status(status), .executed(result), .created(CodingTests.state),
            .exited(CodingTests.exit),
        ]
        for reply in replies { try survives(reply) }
    }

    @Test func aNewerVersionIsRefusedAndBothAreNamed() throws {
        var bytes = CodingTests.state.versionedBytes
        bytes[1] = 9
        let error = #expect(throws: DecodeError.self) { try StateRecord(versionedBytes: bytes) }
        #expect(error?.what == "launch protocol version 9, this program speaks 1")
    }

    @Test func aFailureReadsAsOneLine() {
        #expect(CodingTests.failure.description == "exec /nope: no such file or directory")
    }

    @Test func aListLongerThanTheInputIsRefusedBeforeRoomIsMadeForIt() {
        var bytes = LaunchMount(.tmpfs(sizeBytes: 0, mode: 0), target: "/t").versionedBytes
        // The length of the target's text.
        for index in 15..<19 { bytes[index] = 0xff }
        #expect(throws: DecodeError.self) { try LaunchMount(versionedBytes: bytes) }
    }
}
