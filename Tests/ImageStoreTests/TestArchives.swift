import CArchive
import Glibc

@testable import ImageStore

/// Writes ustar headers by hand, so that tests can say what no tar program would.
struct TarWriter {
    private(set) var bytes: [UInt8] = []

    mutating func file(
        _ path: String, _ content: String = "", mode: Int = 0o644, uid: Int = 0, gid: Int = 0,
        pax: [(String, String)] = []
    ) {
        if !pax.isEmpty {
            let records = pax.map { Self.paxRecord($0.0, $0.1) }.joined()
            member("PaxHeaders/x", type: "x", content: Array(records.utf8), mode: 0o644)
        }
        member(path, type: "0", content: Array(content.utf8), mode: mode, uid: uid, gid: gid)
    }

    mutating func folder(_ path: String, mode: Int = 0o755, uid: Int = 0, gid: Int = 0) {
        member(path, type: "5", mode: mode, uid: uid, gid: gid)
    }

    mutating func symbolicLink(_ path: String, to target: String) { member(path, type: "2", link: target, mode: 0o777) }

    mutating func hardLink(_ path: String, to target: String) { member(path, type: "1", link: target, mode: 0o644) }

    mutating func device(_ path: String, major: Int, minor: Int) {
        member(path, type: "3", mode: 0o666, major: major, minor: minor)
    }

    /// The archive with its end marks.
    func finished() -> [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    mutating func member(
        _ path: String, type: Character, content: [UInt8] = [], link: String = "", mode: Int, uid: Int = 0,
        gid: Int = 0,
        major: Int = 0, minor: Int = 0, size: Int? = nil
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int, _ limit: Int) {
            for (index, byte) in text.utf8.prefix(limit).enumerated() { header[offset + index] = byte }
        }
        func octal(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(path, at: 0, 100)
        put(octal(mode, 7), at: 100, 7)
        put(octal(uid, 7), at: 108, 7)
        put(octal(gid, 7), at: 116, 7)
        put(octal(size ?? content.count, 11), at: 124, 11)
        put(octal(1_700_000_000, 11), at: 136, 11)
        put("        ", at: 148, 8)
        put(String(type), at: 156, 1)
        put(link, at: 157, 100)
        put("ustar\u{0}00", at: 257, 8)
        put(octal(major, 7), at: 329, 7)
        put(octal(minor, 7), at: 337, 7)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ", at: 148, 8)
        bytes += header + content
        bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    private static func paxRecord(_ name: String, _ value: String) -> String {
        let rest = " \(name)=\(value)\n"
        var length = rest.utf8.count + 1
        while String(length).utf8.count + rest.utf8.count != length { length += 1 }
        return "\(length)\(rest)"
    }
}

/// A folder that is gone when the test ends.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/imagestore-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw FileError("mkdtemp", "/tmp") }
        path = String(cString: made)
    }

    deinit { try? Files.removeTree(path) }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Files.replace(name, in: path, with: bytes)
        return path + "/" + name
    }
}

/// What lies at a path, without following links.
func status(_ path: String) -> stat? {
    var result = stat()
    return lstat(path, &result) == 0 ? result : nil
}

func contents(_ path: String) throws -> String {
    String(decoding: try OpenFile(path, O_RDONLY).readAll(limit: 1 << 20, path: path), as: UTF8.self)
}

func xattr(_ path: String, _ name: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = lgetxattr(path, name, &buffer, buffer.count)
    return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
}

let isRoot = geteuid() == 0

/// Runs a program to its end and returns its exit status.
@discardableResult
func run(_ program: String, _ arguments: [String], output: String = "/dev/null") throws -> Int32 {
    let child = try start(program, arguments, output: output)
    var result: Int32 = 0
    while waitpid(child, &result, 0) < 0, errno == EINTR {}
    return result
}

/// Starts a program; the caller ends and reaps it.
func start(_ program: String, _ arguments: [String], output: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    let words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    var child: pid_t = 0
    let status = posix_spawn(&child, program, &actions, nil, words + [nil], environ)
    guard status == 0 else { throw FileError("spawn", program, status) }
    return child
}
