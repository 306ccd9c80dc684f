import Glibc
import LaunchProtocol
import LinuxSystem

/// Who a container's program runs as.
struct ResolvedUser: Equatable {
    var user: UInt32
    var group: UInt32
    var groups: [UInt32]
    var home: String
}

/// The users and groups of an image: /etc/passwd and /etc/group (passwd(5), group(5)).
struct UserDatabase {
    private struct User {
        var name: Substring
        var number: UInt32
        var group: UInt32
        var home: Substring
    }

    private struct Group {
        var name: Substring
        var number: UInt32
        var members: [Substring]
    }

    private let users: [User]
    private let groups: [Group]

    /// Lines that are not understood are left out, as getpwnam does.
    init(passwd: String, group: String) {
        users = passwd.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count >= 6, let number = UserDatabase.number(fields[2]),
                let group = UserDatabase.number(fields[3])
            else { return nil }
            return User(name: fields[0], number: number, group: group, home: fields[5])
        }
        groups = group.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count >= 3, let number = UserDatabase.number(fields[2]) else { return nil }
            let members = fields.count > 3 ? fields[3].split(separator: ",") : []
            return Group(name: fields[0], number: number, members: members)
        }
    }

    /// Reads both files below the current root; a missing one is empty.
    static func ofCurrentRoot() -> UserDatabase {
        func text(_ path: String) -> String {
            (try? File.readText(path, maximumBytes: Limits.userDatabaseBytesMax)) ?? ""
        }
        return UserDatabase(passwd: text("/etc/passwd"), group: text("/etc/group"))
    }

    /// Resolves `name`, `uid`, `name:group` or `uid:gid`; empty is root. A number needs no entry, a name does.
    ///
    /// As with Docker, a group given with the user replaces the ones that /etc/group adds.
    func resolve(_ text: String, additionalGroups: [String]) throws(LaunchFailure) -> ResolvedUser {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let wanted = parts.first ?? ""
        let number = wanted.isEmpty ? 0 : UserDatabase.number(wanted)
        let entry = users.first { $0.name == wanted } ?? users.first { $0.number == number }
        guard let user = entry?.number ?? number else {
            throw UserDatabase.unknown("user", wanted, "passwd file")
        }
        var resolved = ResolvedUser(user: user, group: entry?.group ?? 0, groups: [], home: "/")
        if let home = entry?.home, !home.isEmpty { resolved.home = String(home) }
        if parts.count == 2, !parts[1].isEmpty {
            resolved.group = try groupNumber(parts[1])
        } else if let name = entry?.name {
            resolved.groups = groups.filter { $0.members.contains(name) }.map(\.number)
        }
        for group in additionalGroups { resolved.groups.append(try groupNumber(group[...])) }
        // The primary group as well: a file that denies it something must not be open to whoever sheds only the group
        // (CVE-2022-36109).
        resolved.groups.insert(resolved.group, at: 0)
        var seen: Set<UInt32> = []
        resolved.groups = resolved.groups.filter { seen.insert($0).inserted }
        return resolved
    }

    private func groupNumber(_ text: Substring) throws(LaunchFailure) -> UInt32 {
        if let group = groups.first(where: { $0.name == text }) { return group.number }
        guard let number = UserDatabase.number(text) else {
            throw UserDatabase.unknown("group", text, "group file")
        }
        return number
    }

    /// A number that can be a user's or a group's: -1, as 4294967295, tells setresuid(2) to change nothing, and would
    /// leave the program root.
    private static func number(_ text: Substring) -> UInt32? {
        UInt32(text).flatMap { $0 <= UInt32(Int32.max) ? $0 : nil }
    }

    private static func unknown(_ what: String, _ name: Substring, _ file: String) -> LaunchFailure {
        let why = UInt64(name) == nil ? "no matching entries in \(file)" : "numbers go up to \(Int32.max)"
        return LaunchFailure(stage: "unable to find \(what)", subject: String(name), errno: ENOENT, reason: why)
    }
}
