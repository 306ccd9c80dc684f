import ContainerRuntime
import Glibc
import LaunchProtocol
import LinuxSystem
import Testing

extension ContainerLaneTests {
    @Suite(.serialized) struct Confinement {
        @Test func whatDockerHidesIsHidden() async throws {
            let fixture = try Fixture("confined")
            let (record, output) = try await fixture.run(
                "confined",
                """
                grep -E '^(CapEff|CapBnd|CapPrm|CapInh|CapAmb|Seccomp|NoNewPrivs):' /proc/self/status
                cat /proc/kcore 2>/dev/null | wc -c
                (echo 1 >/proc/sys/kernel/hostname) 2>&1
                touch /proc/bus/x 2>&1
                touch /sys/x 2>&1
                ls /sys/firmware | wc -l
                cat /proc/self/cgroup | grep -v ':/$'
                mount -t tmpfs x /bin 2>&1
                echo done
                """)
            #expect(record.exitCode == 0)
            #expect(
                output == """
                    CapInh:\t0000000000000000
                    CapPrm:\t00000000a80425fb
                    CapEff:\t00000000a80425fb
                    CapBnd:\t00000000a80425fb
                    CapAmb:\t0000000000000000
                    NoNewPrivs:\t0
                    Seccomp:\t2
                    0
                    sh: can't create /proc/sys/kernel/hostname: Read-only file system
                    touch: /proc/bus/x: No such file or directory
                    touch: /sys/x: Read-only file system
                    0
                    mount: permission denied (are you root?)
                    done

                    """)
        }

        @Test func noDescriptorOfTheNodeIsInherited() async throws {
            let fixture = try Fixture("descriptors")
            var configuration = try fixture.configuration("fds", ["ls", "/proc/self/fd"])
            let container = try await fixture.runtime.create(configuration)
            try await container.start()
            #expect(try await container.wait().exitCode == 0)
            // The fourth is the folder that ls itself reads.
            #expect(try await fixture.text(of: container.log) == "0\n1\n2\n3\n")
            try await container.remove()
            configuration.id = "exec-fds"
            configuration.arguments = ["sleep", "1000"]
            let other = try await fixture.runtime.create(configuration)
            try await other.start()
            let listed = try await other.exec(["ls", "/proc/self/fd"], timeout: .seconds(10))
            #expect(String(decoding: listed.output, as: UTF8.self) == "0\n1\n2\n3\n")
            try await other.remove()
        }

        @Test func aForeignDeviceCanBeMadeButNotOpened() async throws {
            let fixture = try Fixture("devices")
            let (_, output) = try await fixture.run(
                "devices",
                """
                mknod k c 1 11 && echo made
                cat k 2>&1
                (echo x >k) 2>&1
                head -c 4 /dev/zero | wc -c
                echo x >/dev/null && echo null
                ls /dev
                for link in fd stdout ptmx; do readlink /dev/$link; done
                """)
            #expect(
                output == """
                    made
                    cat: can't open 'k': Operation not permitted
                    sh: can't create k: Operation not permitted
                    4
                    null
                    core
                    fd
                    full
                    mqueue
                    null
                    ptmx
                    pts
                    random
                    shm
                    stderr
                    stdin
                    stdout
                    tty
                    urandom
                    zero
                    /proc/self/fd
                    /proc/self/fd/1
                    pts/ptmx

                    """)
        }

        /// Device programs belong to the v2 tree, which hybrid systems have too: the kernel checks and runs them there.
        @Test func aDeviceProgramRefusesWhatNoRuleAllows() async throws {
            let fixture = try Fixture("device-program")
            guard case .legacy(_, let unified?) = try CgroupLayout.ofThisNode() else { return }
            var configuration = try fixture.configuration("program", ["sleep", "1000"])
            configuration.deviceRules = [DeviceRule(.character, nil, nil, .all)]
            let container = try await fixture.runtime.create(configuration)
            try await container.start()
            // Opened to write: reading the kernel's log may need a capability besides.
            let script = ["sh", "-c", "mknod k$1 c 1 11 && (: >k$1) 2>&1; head -c 2 /dev/zero | wc -c", "sh"]
            let before = try await container.exec(script + ["1"], timeout: .seconds(10))
            #expect(String(decoding: before.output, as: UTF8.self) == "2\n")
            try Cgroup(layout: .unified(root: unified), path: Lane.cgroupParent + "/containers/program")
                .restrictDevices(to: DeviceRule.containerDefault)
            let after = try await container.exec(script + ["2"], timeout: .seconds(10))
            #expect(
                String(decoding: after.output, as: UTF8.self)
                    .hasSuffix("can't create k2: Operation not permitted\n2\n"))
            try await container.remove()
        }

        @Test func theSupervisorsProgramCannotBeWritten() async throws {
            let fixture = try Fixture("program")
            let (_, output) = try await fixture.run("program", "(echo x >/proc/1/exe) 2>&1; echo $?") {
                $0.usesInit = true
                $0.capabilities = .all
                $0.seccompFilter = []
            }
            #expect(output.contains("Read-only file system"))
        }

        @Test func aUserOfTheImageHasItsGroupsHomeAndNoCapabilities() async throws {
            let fixture = try Fixture("user")
            let (_, output) = try await fixture.run(
                "user", "id; echo $HOME; pwd; grep CapEff /proc/self/status; echo ok >/dev/stderr"
            ) {
                $0.user = "app"
                $0.workingDirectory = "/work/here"
                $0.noNewPrivileges = true
            }
            let lines = Set(output.split(separator: "\n").map(String.init))
            #expect(
                lines == [
                    "uid=1000(app) gid=1000(app) groups=50(logs),1000(app)", "/home/app", "/work/here",
                    "CapEff:\t0000000000000000", "ok",
                ])
            let container = try await fixture.runtime.create(
                {
                    var configuration = try fixture.configuration("nobody", ["true"])
                    configuration.user = "nobody-there"
                    return configuration
                }())
            let failure = await #expect(throws: LaunchFailure.self) { try await container.start() }
            #expect(
                failure?.description
                    == "unable to find user nobody-there: no matching entries in passwd file")
            try await container.remove()
        }

        @Test func mountsSecretsAndOwnFilesAppearWhereAsked() async throws {
            let fixture = try Fixture("mounts")
            let data = fixture.folder + "/data"
            try File.createFolders(data)
            let (_, output) = try await fixture.run(
                "mounts",
                """
                echo hello >/data/file; cat /data/file
                touch /ro/x 2>&1
                cat /run/secrets/key /etc/app.conf; stat -c '%a %u:%g' /run/secrets/key
                (echo x >/run/secrets/key) 2>&1
                cat /etc/hosts /etc/hostname /etc/resolv.conf; hostname
                stat -f -c %T /scratch
                touch /etc/new 2>&1
                cat /proc/sys/net/ipv4/ip_unprivileged_port_start
                ip -o addr | grep -c 127.0.0.1
                """
            ) {
                $0.rootIsReadOnly = true
                $0.mounts = [
                    LaunchMount(.tmpfs(sizeBytes: 1 << 20, mode: 0), target: "/scratch"),
                    LaunchMount(.bind(source: data, propagation: .private, isRecursive: true), target: "/data"),
                    LaunchMount(
                        .bind(source: data, propagation: .slave, isRecursive: true), target: "/ro", isReadOnly: true),
                ]
                $0.files = [
                    MemoryFile(target: "/run/secrets/key", contents: Array("s3cret\n".utf8), mode: 0o400),
                    MemoryFile(target: "/etc/app.conf", contents: Array("conf\n".utf8)),
                ]
                $0.hostsFile = "127.0.0.1 localhost\n"
                $0.resolverFile = "nameserver 127.0.0.11\n"
            }
            #expect(
                output == """
                    hello
                    touch: /ro/x: Read-only file system
                    s3cret
                    conf
                    400 0:0
                    sh: can't create /run/secrets/key: Read-only file system
                    127.0.0.1 localhost
                    box
                    nameserver 127.0.0.11
                    box
                    tmpfs
                    touch: /etc/new: Read-only file system
                    0
                    1

                    """)
            #expect(try File.readText(data + "/file") == "hello\n")
        }

        @Test func linksInAnImageDoNotLeadOutOfIt() async throws {
            let fixture = try Fixture("links")
            let outside = fixture.folder + "/outside"
            try File.createFolders(outside)
            let image = fixture.folder + "/image"
            try #require(symlink(outside, image + "/data") == 0)
            try #require(symlink("../../../../../.." + outside + "-2/resolv", image + "/etc/resolv.conf") == 0)
            let (record, output) = try await fixture.run("links", "cat /etc/resolv.conf; ls /data") {
                $0.resolverFile = "inside\n"
                $0.mounts = [LaunchMount(.tmpfs(sizeBytes: 0, mode: 0o755), target: "/data/below")]
            }
            // The links are followed as the container sees them: below its own root.
            #expect(record.exitCode == 0)
            #expect(output == "inside\nbelow\n")
            #expect(try File.names(in: outside) == [])
        }

        @Test func aParameterOfTheNodeIsRefused() async throws {
            let fixture = try Fixture("sysctl")
            var configuration = try fixture.configuration("sysctl", ["true"])
            configuration.sysctls = ["kernel.panic": "1"]
            let failure = await #expect(throws: LaunchFailure.self) {
                _ = try await fixture.runtime.create(configuration)
            }
            #expect(failure?.stage == "sysctl")
            #expect(failure?.subject == "kernel.panic")
        }
    }
}
