import Testing

/// Other tests may keep the processors busy for a minute.
func eventually(_ condition: () throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(120)
    while try !condition() {
        try #require(ContinuousClock.now < end, "it did not happen within 120 s")
        try await Task.sleep(for: .milliseconds(5))
    }
}
