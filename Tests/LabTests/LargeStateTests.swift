import Foundation
import Testing

/// R25d on a real cluster: a state of many services and tasks, and a node that needs more than 4 MiB for its tasks.
@Suite(.serialized, .lab("large", number: 15, managers: 1, workers: 1)) struct LargeStateTests {
    private static let services = 500
    private static let tasksOfEach = 10
    private static let configs = 600

    private func lab() throws -> Lab { try #require(Lab.current) }

    private func post(_ path: String, _ object: [String: Any]) throws -> [String: Any] {
        // The leader's loops have thousands of tasks to think of meanwhile.
        let client = SocketClient(path: "\(try lab().folder)/n1/swarm.sock", timeoutMilliseconds: 30_000)
        let body = try JSONSerialization.data(withJSONObject: object)
        guard case .status(201, let answer) = client.request("POST", path, body: body) else {
            throw LabError("\(path) was not made")
        }
        return try JSONSerialization.jsonObject(with: answer) as? [String: Any] ?? [:]
    }

    /// Without a node that fits, tasks are in the state and nowhere else.
    private func createPendingServices() throws {
        for number in 0..<LargeStateTests.services {
            _ = try post(
                "/services/create",
                [
                    "Name": "waiting-\(number)",
                    "Mode": ["Replicated": ["Replicas": LargeStateTests.tasksOfEach]],
                    "TaskTemplate": [
                        "ContainerSpec": ["Image": "box:1", "Args": ["sleep", "1000"]],
                        "Placement": ["Constraints": ["node.labels.none==here"]],
                    ],
                ])
        }
    }

    /// A task of the worker with 600 configs of 8 KiB.
    private func createLargeTask() throws {
        var references: [[String: Any]] = []
        let data = Data(repeating: 0x78, count: 8 << 10).base64EncodedString()
        for number in 0..<LargeStateTests.configs {
            let name = "part-\(number)"
            let made = try post("/configs/create", ["Name": name, "Data": data])
            let file: [String: Any] = ["Name": "/parts/\(name)", "UID": "0", "GID": "0", "Mode": 0o444]
            references.append(["ConfigID": made["ID"] ?? "", "ConfigName": name, "File": file])
        }
        _ = try post(
            "/services/create",
            [
                "Name": "wide",
                "TaskTemplate": [
                    "ContainerSpec": [
                        "Image": "box:1", "Args": ["sh", "-c", "ls /parts | wc -l; exec sleep 1000"],
                        "Configs": references,
                    ],
                    "Placement": ["Constraints": ["node.role==worker"]],
                ],
            ])
    }

    private func wideTask() throws -> TaskRow? { try lab().tasks(of: "wide").first(where: \.isRunning) }

    @Test func r25dANodeWithMoreThan500AssignmentsHasASession() throws {
        let lab = try lab()
        try createPendingServices()
        try lab.waitUntil("5,000 tasks are in the state", seconds: 60) {
            let tasks = SocketClient(path: "\(lab.folder)/n1/swarm.sock", timeoutMilliseconds: 30_000).object("/tasks")
            return (tasks as? [Any])?.count == LargeStateTests.services * LargeStateTests.tasksOfEach
        }
        try createLargeTask()
        try lab.waitUntil("the task with 600 configs runs", seconds: 60) { try wideTask() != nil }
        let task = try #require(try wideTask())
        let processes = try lab.running("wide")
        try lab.waitUntil("all its configs are there") {
            try lab.on("n1", "service", "logs", "wide").contains("\(LargeStateTests.configs)")
        }
        // A new session gets everything at once.
        try lab.killAndWait("n2")
        try lab.lab("start", "n2")
        try lab.on("n1", "service", "scale", "--detach", "waiting-0=1")
        try lab.on(
            "n1", "service", "create", "--no-resolve-image", "--name", "next", "--constraint", "node.role==worker",
            "box:1", "sleep", "1000")
        #expect(try lab.running("wide") == processes)
        #expect(try wideTask()?.id == task.id)
        #expect(try lab.on("n1", "node", "ls", "--format", "{{.Status}}") == "Ready\nReady")
    }
}
