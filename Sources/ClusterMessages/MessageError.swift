/// Why a message is not what it should be: which field, and what is wrong with it.
public struct MessageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The path from the message that was decoded, as in the protocol files: `changes[2].create.service.spec.mode`.
    public var field: String
    public var problem: String

    public init(_ field: String, _ problem: String) {
        self.field = field
        self.problem = problem
    }

    public var description: String { "\(field): \(problem)" }

    func inside(_ name: String) -> MessageError {
        if field.isEmpty { return MessageError(name, problem) }
        return MessageError(field.utf8.first == UInt8(ascii: "[") ? name + field : "\(name).\(field)", problem)
    }
}
