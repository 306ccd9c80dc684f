import DockerSchema
import Testing

@testable import SwarmCommands

@Suite struct ServiceProgressTests {
    private func service(_ mode: String = #"{"Replicated":{"Replicas":2}}"#, update: String? = nil) throws
        -> Docker.Service
    {
        let status = update.map { #","UpdateStatus":{"State":"\#($0)","Message":"why"}"# } ?? ""
        let json = """
            {"ID":"s","Version":{"Index":1},"CreatedAt":"","UpdatedAt":"","Endpoint":{},
            "Spec":{"Name":"web","Mode":\(mode)}\(status)}
            """
        return try DockerJSON.decode(Docker.Service.self, from: json.utf8)
    }

    private func task(
        _ id: String, slot: UInt64, _ state: String, desired: String = "running", error: String = ""
    ) throws -> Docker.Task {
        let json = """
            {"ID":"\(id)","Version":{"Index":1},"CreatedAt":"\(id)","UpdatedAt":"","Spec":{},"Slot":\(slot),
            "NodeID":"n","Status":{"State":"\(state)","Err":"\(error)"},"DesiredState":"\(desired)"}
            """
        return try DockerJSON.decode(Docker.Task.self, from: json.utf8)
    }

    @Test func itConvergesWhenAllRunAndNoneIsOutdated() throws {
        let tasks = [try task("a", slot: 1, "running"), try task("b", slot: 2, "running")]
        #expect(ServiceProgress(try service(), tasks: tasks, current: ["a", "b"]).verdict == .converged)
        let outdated = ServiceProgress(try service(), tasks: tasks, current: ["a"])
        #expect(outdated.verdict == .working)
        #expect(outdated.summary == "1/2 running, 1 to replace")
    }

    @Test func aTaskTooManyIsNotThere() throws {
        let tasks = try (1...3).map { try task("t\($0)", slot: UInt64($0), "running") }
        #expect(ServiceProgress(try service(), tasks: tasks, current: ["t1", "t2", "t3"]).verdict == .working)
    }

    @Test func theNewestErrorOfASlotIsTold() throws {
        let tasks = [
            try task("a", slot: 1, "running"), try task("b", slot: 2, "failed", desired: "shutdown", error: "old"),
            try task("c", slot: 2, "rejected", desired: "shutdown", error: "no such image"),
            try task("d", slot: 2, "pending"),
        ]
        let progress = ServiceProgress(try service(), tasks: tasks, current: ["a", "b", "c", "d"])
        #expect(progress.verdict == .working)
        #expect(progress.problems == ["web.2: no such image"])
    }

    @Test func aPausedUpdateFails() throws {
        let tasks = [try task("a", slot: 1, "running"), try task("b", slot: 2, "running")]
        func verdict(_ state: String, expectsRollback: Bool = false) throws -> ServiceProgress.Verdict {
            ServiceProgress(
                try service(update: state), tasks: tasks, current: ["a", "b"], expectsRollback: expectsRollback
            ).verdict
        }
        #expect(try verdict("updating") == .working)
        #expect(try verdict("completed") == .converged)
        #expect(try verdict("paused") == .failed("the update is paused: why"))
        #expect(try verdict("rollback_started") == .working)
        #expect(try verdict("rollback_completed") == .failed("the update was rolled back: why"))
        #expect(try verdict("rollback_completed", expectsRollback: true) == .converged)
    }

    @Test func aGlobalServiceWaitsForItsTasks() throws {
        let global = try service(#"{"Global":{}}"#)
        #expect(ServiceProgress(global, tasks: [], current: []).verdict == .working)
        let tasks = [try task("a", slot: 1, "running"), try task("b", slot: 2, "starting")]
        #expect(ServiceProgress(global, tasks: tasks, current: ["a", "b"]).verdict == .working)
        let running = [try task("a", slot: 1, "running"), try task("b", slot: 2, "running")]
        #expect(ServiceProgress(global, tasks: running, current: ["a", "b"]).verdict == .converged)
    }

    @Test func scalingToNothingConverges() throws {
        let empty = try service(#"{"Replicated":{"Replicas":0}}"#)
        #expect(ServiceProgress(empty, tasks: [], current: []).verdict == .converged)
    }
}
