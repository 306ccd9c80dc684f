import Primitives
import Testing

@testable import ImageStore

@Suite struct HealthcheckChangeTests {
    @Test func aCheckIsReadFromADockerfilesLine() throws {
        var config = ImageConfig()
        try config.apply(change: "HEALTHCHECK --interval=1m30s --retries=2 --start-period=200ms CMD test -e /ok")
        #expect(config.healthcheck?.test == ["CMD-SHELL", "test -e /ok"])
        #expect(config.healthcheck?.interval == .seconds(90))
        #expect(config.healthcheck?.startPeriod == .milliseconds(200))
        #expect(config.healthcheck?.retries == 2)
        #expect(config.healthcheck?.timeout == nil)
        try config.apply(change: #"HEALTHCHECK CMD ["/check", "now"]"#)
        #expect(config.healthcheck?.test == ["CMD", "/check", "now"])
        #expect(config.healthcheck?.interval == nil)
        try config.apply(change: "healthcheck NONE")
        #expect(config.healthcheck?.test == ["NONE"])
        #expect(try ImageConfig(decoding: config.encoded()).healthcheck == config.healthcheck)
    }

    @Test(arguments: [
        "HEALTHCHECK test -e /ok", "HEALTHCHECK CMD", "HEALTHCHECK --interval=soon CMD x",
        "HEALTHCHECK --every=1s CMD x",
        "HEALTHCHECK --retries=-1 CMD x", "HEALTHCHECK NONE x",
    ])
    func whatIsNoCheckIsRefused(change: String) {
        var config = ImageConfig()
        let failure = #expect(throws: Failure.self) { try config.apply(change: change) }
        #expect(failure?.message.contains(change) == true)
        #expect(config.healthcheck == nil)
    }
}
