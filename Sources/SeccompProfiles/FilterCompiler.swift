import CSeccomp
import Glibc
import LinuxSystem
public import Primitives

extension SeccompProfile {
    /// The filter as the kernel takes it (`struct sock_filter[]`), for this machine's architecture and its 32-bit ones.
    ///
    /// Takes milliseconds: compile once and keep the bytes.
    public func compiled() throws(Failure) -> [UInt8] {
        guard let context = seccomp_init(cseccomp_errno(UInt32(EPERM))) else {
            throw Failure(.internal, "cannot compile the seccomp profile: out of memory")
        }
        defer { seccomp_release(context) }
        for architecture in SeccompProfile.architectures {
            let result = seccomp_arch_add(context, architecture.rawValue)
            // The native one is there from the start.
            guard result == 0 || result == -EEXIST else { throw SeccompProfile.failure("architecture", result) }
        }
        // A balanced tree instead of a list: some 10 comparisons for a call instead of some 300. Older libraries
        // (before 2.5) do not know the setting, and compile a correct filter without it.
        _ = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2)
        // Without no_new_privs in the library's hands: who installs the filter decides that.
        for rule in rules {
            for call in rule.calls { try SeccompProfile.add(rule, call, to: context) }
        }
        return try SeccompProfile.export(context)
    }

    private static var architectures: [Architecture] {
        #if arch(x86_64)
            [.amd64, .x86, .x32]
        #elseif arch(arm64)
            [.arm64, .arm]
        #else
            []
        #endif
    }

    /// Numbers of libseccomp's SCMP_ARCH_…, which are AUDIT_ARCH_… of linux/audit.h.
    private enum Architecture: UInt32 {
        case x86 = 0x4000_0003
        case amd64 = 0xc000_003e
        case x32 = 0x4000_003e
        case arm = 0x4000_0028
        case arm64 = 0xc000_00b7
    }

    private static func add(_ rule: Rule, _ call: String, to context: scmp_filter_ctx) throws(Failure) {
        let number = seccomp_syscall_resolve_name(call)
        let unknown: Int32 = -1
        if number == unknown { return }
        let comparisons = rule.conditions.map { condition in
            switch condition.comparison {
            case .equal(let value):
                scmp_arg_cmp(arg: condition.argument, op: SCMP_CMP_EQ, datum_a: value, datum_b: 0)
            case .notEqual(let value):
                scmp_arg_cmp(arg: condition.argument, op: SCMP_CMP_NE, datum_a: value, datum_b: 0)
            case .masked(let mask, let value):
                scmp_arg_cmp(arg: condition.argument, op: SCMP_CMP_MASKED_EQ, datum_a: mask, datum_b: value)
            }
        }
        let action: UInt32 =
            switch rule.action {
            case .allow: cseccomp_allow
            case .fail(let errno): cseccomp_errno(errno)
            }
        let result = comparisons.withUnsafeBufferPointer {
            seccomp_rule_add_array(context, action, number, UInt32($0.count), $0.baseAddress)
        }
        // EDOM: a call of another architecture only.
        guard result == 0 || result == -EDOM else { throw failure(call, result) }
    }

    private static func export(_ context: scmp_filter_ctx) throws(Failure) -> [UInt8] {
        do throws(Errno) {
            let file = try File.inMemory(named: "seccomp", [])
            let result = seccomp_export_bpf(context, file.number)
            guard result == 0 else { throw Errno(-result) }
            return try file.read(upTo: 1 << 20, at: 0)
        } catch {
            throw Failure(.internal, "cannot export the seccomp filter: \(error)")
        }
    }

    private static func failure(_ what: String, _ result: Int32) -> Failure {
        Failure(.internal, "cannot compile the seccomp profile (\(what)): \(Errno(-result))")
    }
}

/// Compiled default profiles, one for each set of capabilities that was asked for.
public actor SeccompFilters {
    private var filters: [Set<String>: [UInt8]] = [:]

    public init() {}

    /// The default profile's filter for a container with these capabilities.
    public func containerDefault(_ capabilities: Set<String>) throws -> [UInt8] {
        if let filter = filters[capabilities] { return filter }
        let filter = try SeccompProfile.containerDefault(capabilities: capabilities).compiled()
        filters[capabilities] = filter
        return filter
    }
}
