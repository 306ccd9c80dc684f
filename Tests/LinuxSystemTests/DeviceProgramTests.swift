import Testing

@testable import LinuxSystem

@Suite struct DeviceProgramTests {
    /// Does what the kernel would do with the few instructions that the programs use.
    private func allows(
        _ rules: [DeviceRule], _ kind: DeviceRule.Kind, _ major: UInt32, _ minor: UInt32, _ access: DeviceRule.Access
    ) throws -> Bool {
        let program = DeviceProgram.instructions(for: rules)
        let context = [(kind == .block ? 1 : 2) | UInt32(access.rawValue) << 16, major, minor]
        var registers = [UInt64](repeating: 0xdead, count: 11)
        var position = 0
        for _ in 0..<10_000 {
            let instruction = program[position]
            let destination = Int(instruction.registers & 0xf)
            let source = Int(instruction.registers >> 4)
            let immediate = UInt64(UInt32(bitPattern: instruction.immediate))
            position += 1
            switch instruction.code {
            case 0x61: registers[destination] = UInt64(context[Int(instruction.offset) / 4])
            case 0x54: registers[destination] = registers[destination] & 0xffff_ffff & immediate
            case 0x74: registers[destination] = (registers[destination] & 0xffff_ffff) >> immediate
            case 0xbf: registers[destination] = registers[source]
            case 0xb7: registers[destination] = immediate
            case 0x55:
                let wanted = UInt64(bitPattern: Int64(instruction.immediate))
                if registers[destination] != wanted { position += Int(instruction.offset) }
            case 0x95: return registers[0] == 1
            default: try #require(Bool(false), "unknown instruction \(instruction.code)")
            }
        }
        try #require(Bool(false), "the program does not end")
        return false
    }

    @Test func dockersListAllowsItsDevicesAndRefusesTheRest() throws {
        let rules = DeviceRule.containerDefault
        #expect(try allows(rules, .character, 1, 3, [.read, .write]))
        #expect(try allows(rules, .character, 136, 7, .read))
        #expect(try allows(rules, .character, 5, 2, .all))
        #expect(try allows(rules, .character, 1, 11, .makeNode))
        #expect(try allows(rules, .block, 8, 0, .makeNode))
        #expect(try !allows(rules, .character, 1, 11, .read))
        #expect(try !allows(rules, .character, 1, 11, [.makeNode, .read]))
        #expect(try !allows(rules, .block, 1, 3, .read))
        #expect(try !allows(rules, .block, 8, 0, .write))
    }

    @Test func withoutRulesNothingIsAllowed() throws {
        #expect(try !allows([], .character, 1, 3, .read))
    }

    @Test func accessMustBeInOneRuleAltogether() throws {
        let rules = [DeviceRule(.block, 8, nil, .read), DeviceRule(.block, 8, 1, .write)]
        #expect(try allows(rules, .block, 8, 1, .write))
        #expect(try !allows(rules, .block, 8, 1, [.read, .write]))
        #expect(try allows(rules, .block, 8, 2, .read))
    }

    @Test func rulesReadAsTheLegacyControllerWantsThem() {
        #expect(DeviceRule(.character, nil, nil, .makeNode).description == "c *:* m")
        #expect(DeviceRule(.block, 8, nil, [.read, .write]).description == "b 8:* rw")
    }
}
