import LaunchProtocol
import Testing

@testable import ContainerInit

@Suite struct RestrictionTests {
    @Test func aParametersNameBecomesAPath() {
        #expect(StageRestrictions.path(of: "net.ipv4.ip_forward") == "net/ipv4/ip_forward")
        #expect(StageRestrictions.path(of: "net.ipv4.conf.eth0/1.forwarding") == "net/ipv4/conf/eth0.1/forwarding")
    }

    @Test(arguments: ["net.//.kernel.core_pattern", "net..kernel", "net./.x", "", "net."])
    func aNameThatLeadsElsewhereIsNone(name: String) {
        #expect(StageRestrictions.path(of: name) == nil)
    }
}
