import CLinux
import Glibc

/// One line of a device allow list: what the processes of a cgroup may do with which devices.
public struct DeviceRule: Hashable, Sendable, CustomStringConvertible {
    public enum Kind: UInt8, Hashable, Sendable {
        case character = 0
        case block = 1
    }

    public struct Access: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        // The values of linux/bpf.h, BPF_DEVCG_ACC_….
        public static let makeNode = Access(rawValue: 1)
        public static let read = Access(rawValue: 2)
        public static let write = Access(rawValue: 4)
        public static let all: Access = [.makeNode, .read, .write]
    }

    public var kind: Kind
    /// nil: every one.
    public var major: UInt32?
    public var minor: UInt32?
    public var access: Access

    public init(_ kind: Kind, _ major: UInt32?, _ minor: UInt32?, _ access: Access) {
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access
    }

    /// As the v1 controller reads it: `c 1:3 rwm`.
    public var description: String {
        let letters =
            (access.contains(.read) ? "r" : "") + (access.contains(.write) ? "w" : "")
            + (access.contains(.makeNode) ? "m" : "")
        return (kind == .block ? "b " : "c ") + (major.map(String.init) ?? "*") + ":" + (minor.map(String.init) ?? "*")
            + " " + letters
    }

    /// Docker's list: nodes of any device may be made, only these may be opened.
    public static let containerDefault: [DeviceRule] = [
        DeviceRule(.character, nil, nil, .makeNode),
        DeviceRule(.block, nil, nil, .makeNode),
        DeviceRule(.character, 1, 3, .all),  // null
        DeviceRule(.character, 1, 5, .all),  // zero
        DeviceRule(.character, 1, 7, .all),  // full
        DeviceRule(.character, 1, 8, .all),  // random
        DeviceRule(.character, 1, 9, .all),  // urandom
        DeviceRule(.character, 5, 0, .all),  // tty
        DeviceRule(.character, 5, 1, .all),  // console
        DeviceRule(.character, 5, 2, .all),  // ptmx
        DeviceRule(.character, 136, nil, .all),  // pts
    ]
}

/// A BPF program for a v2 cgroup that allows what the rules allow and refuses the rest.
public enum DeviceProgram {
    /// One instruction (Documentation/bpf/standardization/instruction-set.rst): 8 bytes.
    struct Instruction: Hashable {
        var code: UInt8
        var registers: UInt8
        var offset: Int16
        var immediate: Int32

        static func make(
            _ code: UInt8, destination: UInt8 = 0, source: UInt8 = 0, offset: Int = 0, immediate: UInt32 = 0
        ) -> Instruction {
            Instruction(
                code: code, registers: source << 4 | destination, offset: Int16(offset),
                immediate: Int32(bitPattern: immediate))
        }
    }

    private enum Code {
        static let load32: UInt8 = 0x61
        static let and32Immediate: UInt8 = 0x54
        static let rightShift32Immediate: UInt8 = 0x74
        static let move64Register: UInt8 = 0xbf
        static let move64Immediate: UInt8 = 0xb7
        static let jumpIfNotEqualImmediate: UInt8 = 0x55
        static let exit: UInt8 = 0x95
    }

    /// R1 points to struct bpf_cgroup_dev_ctx { access_type, major, minor }; the type is its low half, the access its high.
    static func instructions(for rules: [DeviceRule]) -> [Instruction] {
        var program: [Instruction] = [
            .make(Code.load32, destination: 2, source: 1, offset: 0),
            .make(Code.and32Immediate, destination: 2, immediate: 0xffff),
            .make(Code.load32, destination: 3, source: 1, offset: 0),
            .make(Code.rightShift32Immediate, destination: 3, immediate: 16),
            .make(Code.load32, destination: 4, source: 1, offset: 4),
            .make(Code.load32, destination: 5, source: 1, offset: 8),
        ]
        for rule in rules { program += block(for: rule) }
        program += [.make(Code.move64Immediate, immediate: 0), .make(Code.exit)]
        return program
    }

    /// Tests of one rule; the first that fails jumps behind the block, where the next rule begins.
    private static func block(for rule: DeviceRule) -> [Instruction] {
        // BPF_DEVCG_DEV_BLOCK is 1, _CHAR is 2.
        var tests: [[Instruction]] = [[test(register: 2, equals: rule.kind == .block ? 1 : 2)]]
        if rule.access != .all {
            // Everything that is asked for must be in the rule: asked & ~allowed == 0.
            tests.append([
                .make(Code.move64Register, destination: 6, source: 3),
                .make(Code.and32Immediate, destination: 6, immediate: UInt32(~rule.access.rawValue & 0x7)),
                test(register: 6, equals: 0),
            ])
        }
        if let major = rule.major { tests.append([test(register: 4, equals: major)]) }
        if let minor = rule.minor { tests.append([test(register: 5, equals: minor)]) }
        var block = tests.flatMap { $0 }
        let allowed: [Instruction] = [.make(Code.move64Immediate, immediate: 1), .make(Code.exit)]
        let length = block.count + allowed.count
        for index in block.indices where block[index].code == Code.jumpIfNotEqualImmediate {
            block[index].offset = Int16(length - index - 1)
        }
        return block + allowed
    }

    private static func test(register: UInt8, equals value: UInt32) -> Instruction {
        .make(Code.jumpIfNotEqualImmediate, destination: register, immediate: value)
    }

    private static let cgroupDeviceType: UInt32 = 15
    private static let cgroupDeviceAttach: UInt32 = 6
    private static let allowMulti: UInt32 = 2

    /// Attaches the rules to a v2 cgroup's folder, where they stay as long as it exists.
    static func attach(_ rules: [DeviceRule], toFolder path: String) throws(Errno) {
        let program = instructions(for: rules)
        let number = program.withUnsafeBytes {
            clinux_bpf_load(cgroupDeviceType, cgroupDeviceAttach, $0.baseAddress, program.count, nil, 0)
        }
        let loaded = OwnedDescriptor(adopting: try checked(number))
        let folder = try File.open(path, O_RDONLY | O_DIRECTORY)
        try checked(clinux_bpf_attach_cgroup(folder.number, loaded.number, cgroupDeviceAttach, allowMulti))
    }
}
