import FoundationEssentials
public import Primitives

/// Reads and writes JSON as Docker does.
public enum DockerJSON {
    /// How an error begins that names no field.
    static let invalid = "the body is not valid JSON"

    /// Keys are sorted, so that equal values are equal bytes.
    public static func encode(_ value: some Encodable, pretty: Bool = false) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
        return [UInt8](try encoder.encode(value))
    }

    /// The same as ``encode(_:pretty:)`` as text.
    public static func text(_ value: some Encodable, pretty: Bool = false) throws -> String {
        String(decoding: try encode(value, pretty: pretty), as: UTF8.self)
    }

    /// - Throws: ``Failure`` with code `invalidArgument`, naming the field and what it should be.
    public static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: some Sequence<UInt8>
    ) throws(Failure) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw Failure(.invalidArgument, explanation(of: error))
        } catch {
            throw Failure(.invalidArgument, invalid, cause: error)
        }
    }

    /// Reads base64 in the standard or the URL alphabet, padded or not; nil for anything else.
    public static func bytes(base64 text: String) -> [UInt8]? {
        var standard = Array(text.utf8)
        for position in standard.indices {
            switch standard[position] {
            case UInt8(ascii: "-"): standard[position] = UInt8(ascii: "+")
            case UInt8(ascii: "_"): standard[position] = UInt8(ascii: "/")
            default: continue
            }
        }
        while !standard.count.isMultiple(of: 4) { standard.append(UInt8(ascii: "=")) }
        return Data(base64Encoded: Data(standard)).map([UInt8].init)
    }

    public static func base64(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString()
    }

    /// The path of the first number that the type cannot hold: Foundation's error for it names no field.
    static func unfitNumber<Value: Decodable>(in raw: JSONValue, for type: Value.Type) -> String? {
        raw.numberPaths.prefix(SchemaLimits.checkedNumbers).first { path in
            guard let bytes = try? encode(raw.zeroingNumbers(except: path)) else { return false }
            return (try? JSONDecoder().decode(type, from: Data(bytes))) == nil
        }
    }

    private static func explanation(of error: DecodingError) -> String {
        func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
            let keys = context.codingPath + (last.map { [$0] } ?? [])
            return keys.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
                .replacing(".[", with: "[")
        }
        switch error {
        case .typeMismatch(let type, let context): return "\(path(context)): expected \(name(of: type))"
        case .valueNotFound(let type, let context): return "\(path(context)): null where \(name(of: type)) is expected"
        case .keyNotFound(let key, let context): return "\(path(context, key)) is missing"
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty
                ? "\(invalid): \(context.debugDescription)"
                : "\(path(context)): \(context.debugDescription)"
        @unknown default: return invalid
        }
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is Double.Type, is Float.Type: "a number"
        case is any FixedWidthInteger.Type: "a whole number in the range of \(type)"
        case is any JSONListMarker.Type: "a list"
        default: "an object"
        }
    }
}

private protocol JSONListMarker {}
extension Array: JSONListMarker {}

/// A decoded request, and the paths of what it set that the cluster cannot hold.
public struct RequestBody<Value: Codable & Sendable>: Sendable {
    public var value: Value
    private let bytes: [UInt8]

    /// - Throws: ``Failure`` with code `invalidArgument`, naming the malformed field.
    public init(decoding bytes: some Sequence<UInt8>, as type: Value.Type = Value.self) throws(Failure) {
        self.bytes = Array(bytes)
        do throws(Failure) {
            value = try DockerJSON.decode(type, from: self.bytes)
        } catch {
            guard error.message.hasPrefix(DockerJSON.invalid),
                let raw = try? DockerJSON.decode(JSONValue.self, from: self.bytes),
                let field = DockerJSON.unfitNumber(in: raw, for: type)
            else { throw error }
            throw Failure(.invalidArgument, "\(field): the number is out of range")
        }
    }

    /// Ordered; `TaskTemplate.ContainerSpec.Privileges.SELinuxContext`.
    public func unsupported() throws(Failure) -> [String] {
        let raw = try DockerJSON.decode(JSONValue.self, from: bytes)
        do {
            let known = try DockerJSON.decode(JSONValue.self, from: try DockerJSON.encode(value))
            return raw.paths(absentIn: known)
        } catch {
            throw Failure(.internal, "the request cannot be written again", cause: error)
        }
    }

    /// One line for each path.
    public func warnings() throws(Failure) -> [String] {
        try unsupported().map { "\($0) is not supported and was ignored" }
    }
}
