/// Which system calls a container's programs may make: everything that no rule allows fails with EPERM.
public struct SeccompProfile: Hashable, Sendable {
    /// A condition on one argument of a call.
    public struct Condition: Hashable, Sendable {
        public enum Comparison: Hashable, Sendable {
            case equal(UInt64)
            case notEqual(UInt64)
            /// The bits of the mask have this value.
            case masked(mask: UInt64, value: UInt64)
        }

        /// 0…5.
        public var argument: UInt32
        public var comparison: Comparison

        public init(argument: UInt32, _ comparison: Comparison) {
            self.argument = argument
            self.comparison = comparison
        }
    }

    public enum Action: Hashable, Sendable {
        case allow
        case fail(errno: UInt32)
    }

    public struct Rule: Hashable, Sendable {
        /// Names that this architecture or the library does not know are left out.
        public var calls: [String]
        public var action: Action
        /// All of them must hold.
        public var conditions: [Condition]

        public init(_ calls: [String], _ action: Action = .allow, _ conditions: [Condition] = []) {
            self.calls = calls
            self.action = action
            self.conditions = conditions
        }
    }

    public var rules: [Rule]

    public init(rules: [Rule]) {
        self.rules = rules
    }
}
