import Glibc
import Testing

@testable import LinuxSystem

@Suite final class AnchoredFolderTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/anchored-test-XXXXXX\0".utf8CString)
        let made = try #require(mkdtemp(&template))
        folder = String(cString: made)
        try File.createFolders(folder + "/root/etc")
        try File.createFolders(folder + "/outside")
    }

    deinit { try? File.removeTree(folder) }

    @Test func neitherLinksNorDotsLeadOut() throws {
        try File.replace(folder + "/outside/secret", with: Array("outside".utf8))
        try File.replace(folder + "/root/secret", with: Array("inside".utf8))
        try #require(symlink("../../outside/secret", folder + "/root/etc/relative") == 0)
        try #require(symlink("/secret", folder + "/root/etc/absolute") == 0)
        let root = try AnchoredFolder(path: folder + "/root")
        #expect(throws: Errno.noSuchFile) { _ = try root.open("/etc/relative", O_RDONLY) }
        #expect(try root.open("/etc/absolute", O_RDONLY).readAll(maximumBytes: 100) == Array("inside".utf8))
        #expect(try root.open("/../../secret", O_RDONLY).readAll(maximumBytes: 100) == Array("inside".utf8))
    }

    @Test func foldersAndFilesBehindLinksToNowhereAreMadeInside() throws {
        try #require(symlink("/run/lock", folder + "/root/lock") == 0)
        try #require(symlink("../../../outside/new", folder + "/root/etc/resolv.conf") == 0)
        let root = try AnchoredFolder(path: folder + "/root")
        _ = try root.createFolders("/lock/a/b")
        #expect(File.isDirectory(folder + "/root/run/lock/a/b"))
        _ = try root.createFile("/etc/resolv.conf")
        #expect(File.exists(folder + "/root/outside/new"))
        #expect(try File.names(in: folder + "/outside") == [])
    }

    @Test func aCircleOfLinksIsAnError() throws {
        try #require(symlink("b", folder + "/root/a") == 0)
        try #require(symlink("a", folder + "/root/b") == 0)
        let root = try AnchoredFolder(path: folder + "/root")
        #expect(throws: Errno.tooManyLinks) { _ = try root.createFolders("/a/x") }
    }

    @Test func removingATreeLeavesWhatItsLinksPointTo() throws {
        try File.replace(folder + "/outside/kept", with: [1])
        try #require(symlink(folder + "/outside", folder + "/root/link") == 0)
        try File.removeTree(folder + "/root")
        #expect(!File.exists(folder + "/root"))
        #expect(File.exists(folder + "/outside/kept"))
        try File.removeTree(folder + "/root")
    }
}

@Suite struct NameTests {
    @Test func dockersCapabilitiesAreTheKnownNumber() {
        #expect(Capabilities.containerDefault.rawValue == 0x0000_0000_a804_25fb)
        #expect(Capabilities(name: "cap_net_admin")?.memberNames == ["CAP_NET_ADMIN"])
        #expect(Capabilities(name: "ALL") == .all)
        #expect(Capabilities(name: "NOPE") == nil)
    }

    @Test(arguments: [
        ("SIGTERM", Int32?(15)), ("kill", 9), ("2", 2), ("SIGRTMIN+3", 37), ("rtmax-1", 63), ("RTMIN", 34), ("0", nil),
        ("65", nil), ("SIGNOPE", nil), ("RTMAX+1", nil), ("", nil),
    ])
    func signalsAreReadAsDockerDoes(text: String, number: Int32?) {
        #expect(Signal.number(text) == number)
    }

    @Test func errorsReadLikeGoTools() {
        #expect(Errno.noSuchFile.description == "no such file or directory")
        #expect(Errno.accessDenied.description == "permission denied")
    }

    @Test func aProcessIsKnownByItsStartTime() throws {
        let own = try ProcessIdentity(ofProcess: getpid())
        #expect(own.isAlive)
        #expect(!ProcessIdentity(pid: own.pid, startTime: own.startTime + 1).isAlive)
    }

    @Test func waitStatusesAreTakenApart() {
        #expect(ProcessEnd(waitStatus: 3 << 8) == .exited(code: 3))
        #expect(ProcessEnd(waitStatus: 9).exitCode == 137)
    }
}

@Suite struct MessageSocketTests {
    @Test func messagesCarryDescriptorsAndKeepTheirBounds() throws {
        let pair = try MessageSocket.makePair()
        let file = try File.inMemory(named: "test", Array("text".utf8))
        try pair.first.send([1, 2, 3], descriptors: [file.number])
        try pair.first.send([4])
        let message = try #require(try pair.second.receive(maximumBytes: 100))
        #expect(message.bytes == [1, 2, 3])
        try #require(message.descriptors.count == 1)
        let received = OwnedDescriptor(adopting: message.descriptors[0])
        #expect(try received.read(upTo: 10, at: 0) == Array("text".utf8))
        #expect(try pair.second.receive(maximumBytes: 100)?.bytes == [4])
        #expect(throws: Errno.tryAgain) { _ = try pair.second.receive(maximumBytes: 100, waits: false) }
    }

    @Test func aMessageThatDoesNotFitIsAnError() throws {
        let pair = try MessageSocket.makePair()
        try pair.first.send([UInt8](repeating: 1, count: 100))
        #expect(throws: Errno.messageTooLong) { _ = try pair.second.receive(maximumBytes: 10) }
    }
}
