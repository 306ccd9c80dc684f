import Glibc
import LinuxSystem
import Testing

@testable import SeccompProfiles

@Suite struct DefaultProfileTests {
    private enum Answer: Equatable {
        case allow
        case fail(UInt32)
    }

    /// Does what the kernel does with a classic BPF program, on struct seccomp_data.
    private func answer(_ filter: [UInt8], call: Int, arguments: [UInt64] = []) throws -> Answer {
        func word(_ offset: Int) -> UInt32 {
            let all = arguments + [UInt64](repeating: 0, count: 6 - arguments.count)
            switch offset {
            case 0: return UInt32(call)
            case 4: return 0xc000_003e
            case 8, 12: return 0
            default:
                let value = all[(offset - 16) / 8]
                return UInt32(truncatingIfNeeded: offset % 8 == 0 ? value : value >> 32)
            }
        }
        var accumulator: UInt32 = 0
        var position = 0
        for _ in 0..<5_000 {
            let bytes = filter[(position * 8)..<(position * 8 + 8)].map { UInt32($0) }
            let code = bytes[0] | bytes[1] << 8
            let constant = bytes[4] | bytes[5] << 8 | bytes[6] << 16 | bytes[7] << 24
            position += 1
            func jump(_ condition: Bool) { position += Int(condition ? bytes[2] : bytes[3]) }
            switch code {
            case 0x20: accumulator = word(Int(constant))
            case 0x54: accumulator &= constant
            case 0x05: position += Int(constant)
            case 0x15: jump(accumulator == constant)
            case 0x25: jump(accumulator > constant)
            case 0x35: jump(accumulator >= constant)
            case 0x45: jump(accumulator & constant != 0)
            case 0x06: return constant == 0x7fff_0000 ? .allow : .fail(constant & 0xffff)
            default: try #require(Bool(false), "unknown instruction \(code)")
            }
        }
        try #require(Bool(false), "the filter does not end")
        return .allow
    }

    #if arch(x86_64)
        @Test func whatDockerAllowsIsAllowedAndTheRestRefused() throws {
            let names = Set(Capabilities.containerDefault.memberNames)
            let filter = try SeccompProfile.containerDefault(capabilities: names).compiled()
            let (read, mount, unshare, keyctl, chroot, personality, socket, clone, clone3) =
                (0, 165, 272, 250, 161, 135, 41, 56, 435)
            let refused = Answer.fail(UInt32(EPERM))
            #expect(try answer(filter, call: read) == .allow)
            #expect(try answer(filter, call: chroot) == .allow)
            for call in [mount, unshare, keyctl, 9_999] { #expect(try answer(filter, call: call) == refused) }
            #expect(try answer(filter, call: personality, arguments: [0]) == .allow)
            #expect(try answer(filter, call: personality, arguments: [0xffff_ffff]) == .allow)
            #expect(try answer(filter, call: personality, arguments: [0x40000]) == refused)
            #expect(try answer(filter, call: socket, arguments: [2, 1, 0]) == .allow)
            #expect(try answer(filter, call: socket, arguments: [40, 1, 0]) == refused)
            #expect(try answer(filter, call: clone, arguments: [17]) == .allow)
            #expect(try answer(filter, call: clone, arguments: [0x1000_0000 | 17]) == refused)
            #expect(try answer(filter, call: clone3) == .fail(UInt32(ENOSYS)))
        }

        @Test func aCapabilityBringsItsCalls() throws {
            let filter = try SeccompProfile.containerDefault(capabilities: ["CAP_SYS_ADMIN"]).compiled()
            for call in [165, 272, 56, 435] { #expect(try answer(filter, call: call) == .allow) }
            #expect(try answer(filter, call: 161) == .fail(UInt32(EPERM)))
        }
    #endif

    @Test func aFilterIsCompiledOnce() async throws {
        let filters = SeccompFilters()
        let first = try await filters.containerDefault(["CAP_KILL"])
        #expect(try await filters.containerDefault(["CAP_KILL"]) == first)
        #expect(first.count % 8 == 0 && !first.isEmpty)
    }
}
