import Testing

/// The way into the lane: everything that needs root runs in there, in one process.
@Suite struct RootLaneTests {
    @Test(.enabled(if: Lane.folder == nil))
    func containersInALaneOfTheirOwn() throws {
        if let obstacle = Lane.obstacle {
            print("SKIPPED container lane: \(obstacle)")
            return
        }
        #expect(try Lane.run(filter: "ContainerLaneTests") == 0, "see the lane's own output above")
    }
}
