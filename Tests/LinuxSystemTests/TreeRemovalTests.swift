import Glibc
import Testing

@testable import LinuxSystem

@Suite final class TreeRemovalTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/removal-test-XXXXXX\0".utf8CString)
        let made = try #require(mkdtemp(&template))
        folder = String(cString: made)
    }

    deinit { try? File.removeTree(folder) }

    /// Deeper than this process may have files open, and deeper than a path can be long.
    @Test func aTreeOfAnyDepthIsRemoved() throws {
        try File.createFolders(folder + "/deep")
        var current = try File.open(folder + "/deep", O_RDONLY | O_DIRECTORY)
        for _ in 0..<20_000 {
            try #require(mkdirat(current.number, "d", 0o755) == 0)
            let next = openat(current.number, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            try #require(next != -1)
            current = OwnedDescriptor(adopting: next)
        }
        try File.removeTree(folder + "/deep")
        #expect(!File.exists(folder + "/deep"))
    }

    @Test func namesThatAreNoTextAreRemoved() throws {
        let root = try File.open(folder, O_RDONLY | O_DIRECTORY)
        try #require(mkdirat(root.number, "tree", 0o755) == 0)
        let name: [CChar] = [-1, -2, 0]
        let tree = try File.open(folder + "/tree", O_RDONLY | O_DIRECTORY)
        try #require(mkdirat(tree.number, name, 0o755) == 0)
        let inner = OwnedDescriptor(adopting: openat(tree.number, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        let file = OwnedDescriptor(adopting: openat(inner.number, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        try file.close()
        try File.removeTree(folder + "/tree")
        #expect(!File.exists(folder + "/tree"))
    }
}
