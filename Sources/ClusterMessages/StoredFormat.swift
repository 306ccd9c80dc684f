public import ClusterModel
import SwiftProtobuf

extension Transaction {
    /// The bytes of a log entry: the format version, then the message. Equal transactions have equal bytes, whatever
    /// the order in which their dictionaries were filled. Durations are kept to the nanosecond.
    public func encoded() -> [UInt8] {
        versioned(wire, MessageLimits.transactionFormatVersion)
    }

    /// - Throws: ``MessageError`` for a newer format (naming both versions), damage, or a field that is not what it
    ///   should be.
    public init(encoded bytes: [UInt8]) throws(MessageError) {
        try self.init(wire: unversioned(bytes, MessageLimits.transactionFormatVersion, what: "transaction"))
    }
}

extension ClusterObject {
    /// The format version, then the message; see ``Transaction/encoded()``.
    public func encoded() -> [UInt8] {
        versioned(wire, MessageLimits.objectFormatVersion)
    }

    /// - Throws: ``MessageError`` as ``Transaction/init(encoded:)``.
    public init(encoded bytes: [UInt8]) throws(MessageError) {
        try self.init(wire: unversioned(bytes, MessageLimits.objectFormatVersion, what: "object"))
    }
}

private func versioned(_ message: some Message, _ version: UInt8) -> [UInt8] {
    [version] + serialized(message)
}

private func unversioned<M: Message>(_ bytes: [UInt8], _ version: UInt8, what: String) throws(MessageError) -> M {
    guard let found = bytes.first else { throw MessageError(what, "no bytes") }
    try checkVersion(found, newest: version, what: what)
    return try parsed(Array(bytes.dropFirst()), what: what)
}

func checkVersion<Number: FixedWidthInteger>(
    _ found: Number, newest: Number, what: String
) throws(MessageError) {
    guard found <= newest else {
        throw MessageError(
            what, "format version \(found) is newer than \(newest), the newest this program reads: upgrade it")
    }
    guard found > 0 else { throw MessageError(what, "format version 0 does not exist: damaged") }
}

func serialized(_ message: some Message) -> [UInt8] {
    do {
        return try message.serializedBytes()
    } catch {
        // proto3 has no required fields and these messages no Any, so the one cause left is a size above 2 GiB: a
        // thousand times the limit of a transaction, hence a broken caller.
        preconditionFailure("\(type(of: message).protoMessageName): \(error)")
    }
}

func parsed<M: Message>(_ bytes: [UInt8], what: String) throws(MessageError) -> M {
    do {
        return try M(serializedBytes: bytes)
    } catch {
        throw MessageError(what, "damaged: \(error)")
    }
}
