import Glibc
import Testing

@testable import LinuxSystem

@Suite final class TreeCopyTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/tree-copy-test-XXXXXX\0".utf8CString)
        let made = try #require(mkdtemp(&template))
        folder = String(cString: made)
        for name in ["from/inner", "to", "outside"] { try File.createFolders("\(folder)/\(name)") }
    }

    deinit { try? File.removeTree(folder) }

    private func copy() throws {
        let flags = O_RDONLY | O_DIRECTORY
        try TreeCopy.copyContent(of: File.open("\(folder)/from", flags), to: File.open("\(folder)/to", flags))
    }

    private func status(_ name: String) throws -> stat {
        var status = stat()
        try #require(lstat("\(folder)/\(name)", &status) == 0)
        return status
    }

    @Test func kindsModesTimesAndLinksAreKept() throws {
        try File.replace("\(folder)/from/inner/file", with: Array("content".utf8), mode: 0o600)
        try #require(chmod("\(folder)/from/inner/file", 0o4751) == 0)
        try #require(chmod("\(folder)/from/inner", 0o2750) == 0)
        try #require(symlink("../../outside", "\(folder)/from/link") == 0)
        try #require(mkfifo("\(folder)/from/pipe", 0o620) == 0)
        try #require(
            utimensat(AT_FDCWD, "\(folder)/from/inner/file", [timespec(), timespec(tv_sec: 99, tv_nsec: 5)], 0) == 0)
        try copy()
        #expect(try File.readText("\(folder)/to/inner/file") == "content")
        let file = try status("to/inner/file")
        #expect(file.st_mode & 0o7777 == 0o4751)
        #expect(file.st_mtim.tv_sec == 99 && file.st_mtim.tv_nsec == 5)
        #expect(try status("to/inner").st_mode & 0o7777 == 0o2750)
        #expect(try status("to/link").st_mode & S_IFMT == S_IFLNK)
        #expect(try status("to/pipe").st_mode & S_IFMT == S_IFIFO)
        #expect(try File.names(in: "\(folder)/to") == ["inner", "link", "pipe"])
    }

    /// A copy that was cut off goes on: what is there is kept, and a half-written file has no name yet.
    @Test func whatIsThereIsKeptAndTheRestIsAdded() throws {
        for name in ["one", "two"] { try File.replace("\(folder)/from/inner/\(name)", with: Array(name.utf8)) }
        try File.createFolders("\(folder)/to/inner")
        try File.replace("\(folder)/to/inner/one", with: Array("mine".utf8))
        try File.replace("\(folder)/to/inner/.swarm-unfinished", with: Array("half".utf8))
        try copy()
        #expect(try File.readText("\(folder)/to/inner/one") == "mine")
        #expect(try File.readText("\(folder)/to/inner/two") == "two")
        #expect(try File.names(in: "\(folder)/to/inner") == ["one", "two"])
    }

    @Test func aLinkAtTheTargetLeadsNowhere() throws {
        try File.replace("\(folder)/from/inner/file", with: Array("content".utf8))
        try #require(symlink("../outside", "\(folder)/to/inner") == 0)
        try copy()
        #expect(try File.names(in: "\(folder)/outside") == [])
        #expect(try status("to/inner").st_mode & S_IFMT == S_IFLNK)
    }
}
