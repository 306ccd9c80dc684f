/// Any JSON text.
public enum JSONValue: Hashable, Sendable, Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// Go's zero value: what a client means nothing by.
    public var isEmpty: Bool {
        switch self {
        case .null: true
        case .bool(let value): !value
        case .integer(let value): value == 0
        case .number(let value): value == 0
        case .string(let value): value.isEmpty
        case .array(let value): value.isEmpty
        case .object(let value): value.values.allSatisfy(\.isEmpty)
        }
    }

    public subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { return members[key] }
        return nil
    }

    /// The paths that hold a value here and are absent in `other`, ordered: `TaskTemplate.Runtime`.
    public func paths(absentIn other: JSONValue) -> [String] {
        switch (self, other) {
        case (.object(let mine), .object(let theirs)):
            mine.sorted { $0.key < $1.key }.flatMap { key, value -> [String] in
                guard !value.isEmpty else { return [] }
                guard let counterpart = theirs[key] else { return [key] }
                return value.paths(absentIn: counterpart).map { $0.hasPrefix("[") ? key + $0 : key + "." + $0 }
            }
        case (.array(let mine), .array(let theirs)):
            zip(mine, theirs).enumerated().flatMap { index, pair in
                pair.0.paths(absentIn: pair.1).map { "[\(index)].\($0)" }
            }
        default: []
        }
    }

    /// Where numbers are, ordered.
    var numberPaths: [String] {
        switch self {
        case .integer, .number: [""]
        case .array(let items):
            items.enumerated().flatMap { index, item in item.numberPaths.map { "[\(index)]" + JSONValue.joined($0) } }
        case .object(let members):
            members.sorted { $0.key < $1.key }.flatMap { key, value in
                value.numberPaths.map { key + JSONValue.joined($0) }
            }
        default: []
        }
    }

    /// The same value with every number but one replaced by 0.
    func zeroingNumbers(except kept: String, at path: String = "") -> JSONValue {
        switch self {
        case .integer, .number: path == kept ? self : .integer(0)
        case .array(let items):
            .array(items.enumerated().map { $1.zeroingNumbers(except: kept, at: path + "[\($0)]") })
        case .object(let members):
            .object(
                Dictionary(
                    uniqueKeysWithValues: members.map { key, value in
                        (key, value.zeroingNumbers(except: kept, at: path.isEmpty ? key : path + "." + key))
                    }))
        default: self
        }
    }

    private static func joined(_ rest: String) -> String {
        rest.isEmpty || rest.hasPrefix("[") ? rest : "." + rest
    }
}
