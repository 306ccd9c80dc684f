import LaunchProtocol
import Testing

@testable import ContainerInit

@Suite struct UserDatabaseTests {
    private let database = UserDatabase(
        passwd: """
            root:x:0:0:root:/root:/bin/sh
            broken line
            app:x:1000:1000::/home/app:/bin/sh
            7:x:70:70::/seven:/bin/sh
            """,
        group: """
            root:x:0:
            app:x:1000:
            logs:x:50:app,root
            audio:x:29:app
            """)

    @Test(arguments: [
        ("", ResolvedUser(user: 0, group: 0, groups: [0, 50], home: "/root")),
        ("root", ResolvedUser(user: 0, group: 0, groups: [0, 50], home: "/root")),
        ("app", ResolvedUser(user: 1000, group: 1000, groups: [1000, 50, 29], home: "/home/app")),
        ("1000", ResolvedUser(user: 1000, group: 1000, groups: [1000, 50, 29], home: "/home/app")),
        ("1000:0", ResolvedUser(user: 1000, group: 0, groups: [0], home: "/home/app")),
        ("app:logs", ResolvedUser(user: 1000, group: 50, groups: [50], home: "/home/app")),
        ("4242", ResolvedUser(user: 4242, group: 0, groups: [0], home: "/")),
        ("4242:4343", ResolvedUser(user: 4242, group: 4343, groups: [4343], home: "/")),
        // A name that looks like a number is a name first, as with Docker.
        ("7", ResolvedUser(user: 70, group: 70, groups: [70], home: "/seven")),
    ])
    func resolves(text: String, expected: ResolvedUser) throws {
        #expect(try database.resolve(text, additionalGroups: []) == expected)
    }

    @Test func additionalGroupsAreAddedOnce() throws {
        #expect(try database.resolve("app", additionalGroups: ["audio", "99", "logs"]).groups == [1000, 50, 29, 99])
    }

    @Test(arguments: ["4294967295", "2147483648", "1:4294967295", "minus", "app:minus"])
    func aNumberThatWouldLeaveRootInPlaceIsRefused(text: String) {
        let database = UserDatabase(
            passwd: "app:x:1000:1000::/:/bin/sh\nminus:x:4294967295:4294967295::/:/bin/sh", group: "minus:x:4294967295:"
        )
        #expect(throws: LaunchFailure.self) { try database.resolve(text, additionalGroups: []) }
    }

    @Test(arguments: [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("app:none", "unable to find group none: no matching entries in group file"),
    ])
    func unknownNamesAreNamed(text: String, message: String) {
        let failure = #expect(throws: LaunchFailure.self) { try database.resolve(text, additionalGroups: []) }
        #expect(failure?.description == message)
    }

    @Test func anImageWithoutTheFilesHasRootAndNumbers() throws {
        let empty = UserDatabase(passwd: "", group: "")
        #expect(try empty.resolve("", additionalGroups: []) == ResolvedUser(user: 0, group: 0, groups: [0], home: "/"))
    }

    @Test func onlyParametersOfTheContainersOwnNamespacesMayBeSet() {
        #expect(StageRestrictions.isNamespaced("net.ipv4.ip_forward"))
        #expect(StageRestrictions.isNamespaced("kernel.shmmax"))
        #expect(!StageRestrictions.isNamespaced("kernel.panic"))
        #expect(!StageRestrictions.isNamespaced("vm.overcommit_memory"))
    }
}
