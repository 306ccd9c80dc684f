public import ClusterModel
public import Primitives
public import SwiftProtobuf

// What the conversions of every message are made of. Each reading function names its field in the error.

func required<T>(
    _ name: String, _ isPresent: Bool, _ value: @autoclosure () throws(MessageError) -> T
) throws(MessageError) -> T {
    guard isPresent else { throw MessageError(name, "missing") }
    return try inField(name, value())
}

func optional<T>(
    _ name: String, _ isPresent: Bool, _ value: @autoclosure () throws(MessageError) -> T
) throws(MessageError) -> T? {
    isPresent ? try inField(name, value()) : nil
}

func inField<T>(_ name: String, _ value: @autoclosure () throws(MessageError) -> T) throws(MessageError) -> T {
    do {
        return try value()
    } catch {
        throw error.inside(name)
    }
}

func list<Wire, T>(
    _ name: String, _ messages: [Wire], _ convert: (Wire) throws(MessageError) -> T
) throws(MessageError) -> [T] {
    var result: [T] = []
    result.reserveCapacity(messages.count)
    for (index, message) in messages.enumerated() {
        do {
            result.append(try convert(message))
        } catch {
            throw error.inside("[\(index)]").inside(name)
        }
    }
    return result
}

/// The model's case of the same number.
func known<E: RawRepresentable>(_ name: String, _ wire: some SwiftProtobuf.Enum) throws(MessageError) -> E
where E.RawValue: FixedWidthInteger {
    guard let raw = E.RawValue(exactly: wire.rawValue), let value = E(rawValue: raw) else {
        throw MessageError(name, "\(wire.rawValue) is not a known \(E.self)")
    }
    return value
}

/// The message's case of the same number. An enum of proto3 is open: it has a value for every number.
func wireEnum<Wire: SwiftProtobuf.Enum>(_ value: some RawRepresentable<some FixedWidthInteger>) -> Wire {
    Wire(rawValue: Int(value.rawValue)) ?? Wire()
}

func narrowed<Narrow: FixedWidthInteger>(_ name: String, _ value: some BinaryInteger) throws(MessageError) -> Narrow {
    guard let result = Narrow(exactly: value) else {
        throw MessageError(name, "\(value) is outside of \(Narrow.min)...\(Narrow.max)")
    }
    return result
}

func dictionary(_ name: String, _ pairs: [WireKeyValue]) throws(MessageError) -> [String: String] {
    var result: [String: String] = [:]
    result.reserveCapacity(pairs.count)
    for pair in pairs where result.updateValue(pair.value, forKey: pair.key) != nil {
        throw MessageError(name, "key \"\(pair.key)\" twice")
    }
    return result
}

/// Sorted by bytes: `String`'s own order depends on the Unicode tables of the standard library, which managers of
/// different builds may not share.
func wirePairs(_ dictionary: [String: String]) -> [WireKeyValue] {
    dictionary.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { entry in
        .with {
            $0.key = entry.key
            $0.value = entry.value
        }
    }
}

extension Identifier {
    /// Reads 16 bytes, big-endian.
    ///
    /// - Throws: ``MessageError`` naming `field` for any other count.
    public init(wire bytes: some SwiftProtobufContiguousBytes, field: String) throws(MessageError) {
        guard bytes.count == MessageLimits.identifierBytes else {
            throw MessageError(field, "an id of \(bytes.count) bytes, not \(MessageLimits.identifierBytes)")
        }
        self.init(value: bytes.withUnsafeBytes { $0.reduce(UInt128(0)) { $0 << 8 | UInt128($1) } })
    }

    /// The id as 16 bytes, big-endian: `message.nodeID = id.wire()`.
    public func wire<Bytes: SwiftProtobufContiguousBytes>() -> Bytes {
        Bytes((0..<MessageLimits.identifierBytes).map { UInt8(truncatingIfNeeded: value >> UInt128(120 - 8 * $0)) })
    }
}

/// Bytes in the type of a generated field: `message.data = wireBytes(data)`.
public func wireBytes<Bytes: SwiftProtobufContiguousBytes>(_ bytes: [UInt8]) -> Bytes { Bytes(bytes) }

extension Meta {
    public init(wire: WireMeta) {
        self.init(
            version: wire.version, specVersion: wire.specVersion, createdAt: Timestamp(nanoseconds: wire.createdAt),
            updatedAt: Timestamp(nanoseconds: wire.updatedAt))
    }

    public var wire: WireMeta {
        .with {
            $0.version = version
            $0.specVersion = specVersion
            $0.createdAt = createdAt.nanoseconds
            $0.updatedAt = updatedAt.nanoseconds
        }
    }
}
