public import ClusterModel
public import Primitives

/// A closed set of choices with the strings that Docker writes for them.
public protocol DockerNamed: CaseIterable, Sendable {
    var dockerName: String { get }
}

extension DockerNamed {
    /// Reads Docker's string; nil and an empty one are the default.
    ///
    /// - Throws: ``Failure`` with code `invalidArgument`, naming the field and the choices.
    public init(dockerName text: String?, default: Self, field: String) throws(Failure) {
        guard let text, !text.isEmpty else {
            self = `default`
            return
        }
        guard let value = Self.allCases.first(where: { $0.dockerName == text }) else {
            let choices = Self.allCases.map(\.dockerName).joined(separator: ", ")
            throw Failure(.invalidArgument, "\(field): \"\(text)\" is not one of \(choices)")
        }
        self = value
    }
}

extension NodeRole: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

extension NodeAvailability: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

extension NodeState: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

extension TaskState: DockerNamed {
    public var dockerName: String { name }
}

extension HealthState: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

extension UpdateOrder: DockerNamed {
    public var dockerName: String {
        switch self {
        case .stopFirst: "stop-first"
        case .startFirst: "start-first"
        }
    }
}

extension UpdateFailureAction: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

extension UpdateState: DockerNamed {
    public var dockerName: String {
        switch self {
        case .updating: "updating"
        case .paused: "paused"
        case .completed: "completed"
        case .rollbackStarted: "rollback_started"
        case .rollbackPaused: "rollback_paused"
        case .rollbackCompleted: "rollback_completed"
        }
    }
}

extension EndpointMode: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

extension PortProtocol: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

extension PublishMode: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

extension RestartCondition: DockerNamed {
    public var dockerName: String {
        switch self {
        case .none: "none"
        case .onFailure: "on-failure"
        case .any: "any"
        }
    }
}

extension BindPropagation: DockerNamed {
    public var dockerName: String { String(describing: self) }
}

/// Checks of single fields, whose errors name the field.
enum Field {
    static func duration(_ nanoseconds: Int64?, default: Duration, _ field: String) throws(Failure) -> Duration {
        guard let nanoseconds else { return `default` }
        guard nanoseconds >= 0 else {
            throw Failure(.invalidArgument, "\(field): \(nanoseconds) ns is negative")
        }
        return .nanoseconds(nanoseconds)
    }

    static func notNegative<Number: SignedInteger>(_ value: Number?, _ field: String) throws(Failure) -> Number {
        guard let value else { return 0 }
        guard value >= 0 else { throw Failure(.invalidArgument, "\(field): \(value) is negative") }
        return value
    }

    static func identifier<Tag>(_ text: String?, _ field: String) throws(Failure) -> Identifier<Tag> {
        guard let id = Identifier<Tag>(text ?? "") else {
            throw Failure(.invalidArgument, "\(field): \"\(text ?? "")\" is not an id")
        }
        return id
    }

    static func userID(_ text: String?, _ field: String) throws(Failure) -> UInt32 {
        guard let text, !text.isEmpty else { return 0 }
        guard let id = UInt32(text) else {
            throw Failure(.invalidArgument, "\(field): \"\(text)\" is not a numeric id")
        }
        return id
    }
}

extension String {
    var nonEmpty: String? { isEmpty ? nil : self }
}

extension Collection {
    var nonEmpty: Self? { isEmpty ? nil : self }
}

extension Duration {
    /// Nanoseconds, nil for zero.
    var nonZeroNanoseconds: Int64? { self == .zero ? nil : wholeNanoseconds }
}

extension Numeric {
    var nonZero: Self? { self == .zero ? nil : self }
}

extension Bool {
    var ifTrue: Bool? { self ? true : nil }
}
