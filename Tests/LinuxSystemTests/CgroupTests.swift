import Glibc
import Testing

@testable import LinuxSystem

/// Folders that look like cgroup trees: the files are there, and what is written to them can be read.
@Suite final class CgroupTests {
    private let folder: String

    init() throws {
        var template = Array("/tmp/cgroup-test-XXXXXX\0".utf8CString)
        let made = try #require(mkdtemp(&template))
        folder = String(cString: made)
    }

    deinit { try? File.removeTree(folder) }

    private func makeFiles(_ path: String, _ files: [String: String]) throws {
        try File.createFolders(folder + "/" + path)
        for (name, text) in files {
            try File.open(folder + "/\(path)/\(name)", O_CREAT | O_WRONLY | O_TRUNC).write(all: Array(text.utf8))
        }
    }

    private func text(_ path: String) throws -> String { try File.readText(folder + "/" + path) }

    private let limits = CgroupLimits(
        cpuNanos: 1_500_000_000, cpuShares: 512, memoryBytes: 64 << 20, memoryReservationBytes: 32 << 20, pids: 100)

    @Test func unifiedLimitsAndControllersAreWritten() throws {
        let controllers = ["cgroup.controllers": "cpuset cpu io memory pids rdma\n", "cgroup.subtree_control": ""]
        try makeFiles("", controllers)
        try makeFiles("swarm", controllers)
        try makeFiles(
            "swarm/a",
            [
                "cpu.max": "", "cpu.weight": "", "memory.max": "", "memory.low": "", "memory.swap.max": "",
                "pids.max": "",
                "cgroup.procs": "",
            ])
        let cgroup = Cgroup(layout: .unified(root: folder), path: "/swarm/a/")
        try cgroup.create()
        try cgroup.apply(limits)
        try cgroup.add(process: 42)
        // A plain file keeps the last word over the beginning of the ones before.
        #expect(try text("cgroup.subtree_control").hasPrefix("+pids"))
        #expect(try text("swarm/cgroup.subtree_control").hasPrefix("+pids"))
        #expect(try text("swarm/a/cpu.max") == "150000 100000")
        #expect(try text("swarm/a/cpu.weight") == "20")
        #expect(try text("swarm/a/memory.max") == "67108864")
        #expect(try text("swarm/a/memory.low") == "33554432")
        #expect(try text("swarm/a/memory.swap.max") == "67108864")
        #expect(try text("swarm/a/pids.max") == "100")
        #expect(try text("swarm/a/cgroup.procs") == "42")
    }

    @Test func legacyLimitsAreWrittenAndTheCpusetIsFilledFirst() throws {
        try makeFiles("cpuset", ["cpuset.cpus": "0-3\n", "cpuset.mems": "0\n"])
        try makeFiles("cpuset/swarm", ["cpuset.cpus": "\n", "cpuset.mems": "\n"])
        try makeFiles("cpu,cpuacct/swarm", ["cpu.cfs_quota_us": "", "cpu.cfs_period_us": "", "cpu.shares": ""])
        try makeFiles(
            "memory/swarm",
            ["memory.limit_in_bytes": "", "memory.soft_limit_in_bytes": "", "memory.memsw.limit_in_bytes": ""])
        try makeFiles("pids/swarm", ["pids.max": ""])
        try makeFiles("devices/swarm", ["devices.deny": "", "devices.allow": ""])
        let hierarchies = [["cpuset"], ["cpu", "cpuacct"], ["memory"], ["pids"], ["devices"]].map {
            CgroupLayout.Hierarchy(controllers: $0, root: folder + "/" + $0.joined(separator: ","))
        }
        let cgroup = Cgroup(layout: .legacy(hierarchies: hierarchies, unified: nil), path: "swarm")
        try cgroup.create()
        try cgroup.apply(limits)
        try cgroup.restrictDevices(to: [DeviceRule(.character, 1, 3, .all)])
        #expect(try text("cpuset/swarm/cpuset.cpus").hasPrefix("0-3"))
        #expect(try text("cpuset/swarm/cpuset.mems").hasPrefix("0"))
        #expect(try text("cpu,cpuacct/swarm/cpu.cfs_quota_us") == "150000")
        #expect(try text("cpu,cpuacct/swarm/cpu.cfs_period_us") == "100000")
        #expect(try text("cpu,cpuacct/swarm/cpu.shares") == "512")
        #expect(try text("memory/swarm/memory.limit_in_bytes") == "67108864")
        #expect(try text("memory/swarm/memory.memsw.limit_in_bytes") == "134217728")
        #expect(try text("memory/swarm/memory.soft_limit_in_bytes") == "33554432")
        #expect(try text("pids/swarm/pids.max") == "100")
        #expect(try text("devices/swarm/devices.deny") == "a")
        #expect(try text("devices/swarm/devices.allow") == "c 1:3 rwm")
    }

    @Test func aMissingFileIsNamedInTheError() throws {
        try makeFiles("pids/swarm", [:])
        let layout = CgroupLayout.legacy(
            hierarchies: [CgroupLayout.Hierarchy(controllers: ["pids"], root: folder + "/pids")], unified: nil)
        let failure = #expect(throws: Cgroup.Failure.self) {
            try Cgroup(layout: layout, path: "swarm").apply(CgroupLimits(pids: 5))
        }
        #expect(failure?.description == "cgroup \(folder)/pids/swarm/pids.max = 5: no such file or directory")
    }

    @Test func statisticsOfBothVersionsMeanTheSame() throws {
        try makeFiles(
            "two/a",
            [
                "cpu.stat": "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_throttled 7\nthrottled_usec 9\n",
                "memory.current": "1000\n", "memory.max": "max\n", "memory.stat": "anon 1\ninactive_file 300\n",
                "memory.events": "oom 2\noom_kill 1\n", "pids.current": "3\n", "pids.max": "20\n",
                "io.stat": "254:0 rbytes=10 wbytes=20 rios=1\n254:1 rbytes=1 wbytes=2 rios=1\n",
            ])
        let unified = Cgroup(layout: .unified(root: folder + "/two"), path: "a").statistics()
        try makeFiles(
            "one/cpu/a", ["cpu.stat": "nr_periods 9\nnr_throttled 7\nthrottled_time 9000\n"])
        try makeFiles(
            "one/cpuacct/a",
            ["cpuacct.usage": "5000000\n", "cpuacct.usage_user": "3000000\n", "cpuacct.usage_sys": "2000000\n"])
        try makeFiles(
            "one/memory/a",
            [
                "memory.usage_in_bytes": "1000\n", "memory.limit_in_bytes": "9223372036854771712\n",
                "memory.stat": "total_inactive_file 300\n",
                "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
            ])
        try makeFiles("one/pids/a", ["pids.current": "3\n", "pids.max": "20\n"])
        try makeFiles(
            "one/blkio/a", ["blkio.throttle.io_service_bytes": "254:0 Read 11\n254:0 Write 22\nTotal 33\n"])
        let hierarchies = ["cpu", "cpuacct", "memory", "pids", "blkio"].map {
            CgroupLayout.Hierarchy(controllers: [$0], root: folder + "/one/" + $0)
        }
        let legacy = Cgroup(layout: .legacy(hierarchies: hierarchies, unified: nil), path: "a").statistics()
        #expect(unified == legacy)
        #expect(unified.cpuNanoseconds == 5_000_000)
        #expect(unified.memoryLimitBytes == nil)
        #expect(unified.memoryKills == 1)
        #expect(unified.readBytes == 11)
        #expect(unified.writtenBytes == 22)
    }

    @Test func removalTakesInnerGroupsFirstAndForgivesMissingOnes() throws {
        try File.createFolders(folder + "/swarm/a/b/c")
        let cgroup = Cgroup(layout: .unified(root: folder), path: "swarm/a")
        try cgroup.remove()
        #expect(!cgroup.exists)
        try cgroup.remove()
        #expect(File.exists(folder + "/swarm"))
    }
}

@Suite struct CgroupLayoutTests {
    @Test func readsVersionTwo() {
        let text = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
        #expect(CgroupLayout(mountInfo: text) == .unified(root: "/sys/fs/cgroup"))
    }

    @Test func readsVersionOneAndHybrid() {
        let text = """
            25 30 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
            26 25 0:23 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw
            27 25 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
            28 25 0:25 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
            29 25 0:25 / /mnt/with\\040blank rw - cgroup cgroup rw,cpu,cpuacct
            """
        #expect(
            CgroupLayout(mountInfo: text)
                == .legacy(
                    hierarchies: [
                        CgroupLayout.Hierarchy(controllers: ["name=systemd"], root: "/sys/fs/cgroup/systemd"),
                        CgroupLayout.Hierarchy(controllers: ["cpu", "cpuacct"], root: "/sys/fs/cgroup/cpu,cpuacct"),
                    ], unified: "/sys/fs/cgroup/unified"))
        #expect(MountInfo.parse(text).last?.mountPoint == "/mnt/with blank")
        #expect(CgroupLayout(mountInfo: "25 30 0:22 / /proc rw - proc proc rw\n") == nil)
    }
}
