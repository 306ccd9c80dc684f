public import ClusterModel
import Primitives
import SwiftProtobuf

/// Writes a snapshot of the store as a series of byte chunks, so that it is never in memory whole.
///
/// Call ``header(index:term:membership:)``, ``append(_:)`` for each object in the order of kind and id, ``finish()``;
/// each returns bytes to be written, possibly none.
public struct SnapshotEncoder: Sendable {
    private var pending: [UInt8] = []
    private var objectCount: UInt64 = 0

    public init() {}

    public func header(index: UInt64, term: UInt64, membership: WireRaftMembership) -> [UInt8] {
        framed(
            .with {
                $0.header = .with {
                    $0.formatVersion = MessageLimits.snapshotFormatVersion
                    $0.index = index
                    $0.term = term
                    $0.membership = membership
                }
            })
    }

    public mutating func append(_ object: ClusterObject) -> [UInt8] {
        objectCount += 1
        pending += framed(.with { $0.objects = .with { $0.objects = [object.wire] } })
        return pending.count >= MessageLimits.snapshotBatchBytes ? flush() : []
    }

    public mutating func finish() -> [UInt8] {
        let count = objectCount
        return flush() + framed(.with { $0.trailer = .with { $0.objectCount = count } })
    }

    private mutating func flush() -> [UInt8] {
        defer { pending = [] }
        return pending
    }

    private func framed(_ record: WireSnapshotRecord) -> [UInt8] {
        var writer = ByteWriter()
        writer.writePrefixed(bytes: serialized(record))
        return writer.bytes
    }
}

/// A snapshot's pieces, each encoded when it is asked for: no more of it is in memory than one.
public struct SnapshotPieces<Objects: Sequence<ClusterObject>>: Sequence {
    private let header: [UInt8]
    private let objects: Objects

    /// - Parameter objects: in the order of kind and id.
    public init(index: UInt64, term: UInt64, membership: WireRaftMembership, objects: Objects) {
        header = SnapshotEncoder().header(index: index, term: term, membership: membership)
        self.objects = objects
    }

    public func makeIterator() -> Iterator { Iterator(header, objects.makeIterator()) }

    public struct Iterator: IteratorProtocol {
        private var header: [UInt8]?
        private var objects: Objects.Iterator
        private var encoder: SnapshotEncoder? = SnapshotEncoder()

        init(_ header: [UInt8], _ objects: Objects.Iterator) {
            self.header = header
            self.objects = objects
        }

        public mutating func next() -> [UInt8]? {
            if let header = header.take() { return header }
            while let object = objects.next() {
                if let piece = encoder?.append(object), !piece.isEmpty { return piece }
            }
            var encoder = encoder.take()
            return encoder?.finish()
        }
    }
}

extension SnapshotPieces: Sendable where Objects: Sendable {}

/// Reads what ``SnapshotEncoder`` writes, from chunks of any size.
public struct SnapshotDecoder: Sendable {
    public enum Element: Hashable, Sendable {
        case header(WireSnapshotHeader)
        case object(ClusterObject)
    }

    private enum Phase { case header, objects, ended }

    private var phase = Phase.header
    private var pending: [UInt8] = []
    private var objectCount: UInt64 = 0

    public init() {}

    /// What the bytes complete, in order.
    ///
    /// - Throws: ``MessageError`` for a newer format (naming both versions), damage, or bytes after the end.
    public mutating func append(_ bytes: some Sequence<UInt8>) throws(MessageError) -> [Element] {
        pending.append(contentsOf: bytes)
        var elements: [Element] = []
        var consumed = 0
        while let record = try nextRecord(at: &consumed) { elements += try on(record) }
        pending.removeFirst(consumed)
        return elements
    }

    /// Call after the last chunk.
    ///
    /// - Throws: ``MessageError`` where the snapshot is cut short.
    public func finish() throws(MessageError) {
        guard phase == .ended, pending.isEmpty else {
            throw MessageError("snapshot", "cut short after \(objectCount) objects")
        }
    }

    private func nextRecord(at position: inout Int) throws(MessageError) -> WireSnapshotRecord? {
        let prefixBytes = 4
        guard pending.count - position >= prefixBytes else { return nil }
        let length = pending[position..<position + prefixBytes].reduce(0) { $0 << 8 | Int($1) }
        guard length <= MessageLimits.snapshotRecordBytes else {
            throw MessageError(
                "snapshot", "a record of \(length) bytes is above the limit of \(MessageLimits.snapshotRecordBytes)")
        }
        guard pending.count - position - prefixBytes >= length else { return nil }
        let start = position + prefixBytes
        position = start + length
        return try parsed(Array(pending[start..<position]), what: "snapshot")
    }

    private mutating func on(_ record: WireSnapshotRecord) throws(MessageError) -> [Element] {
        switch (phase, record.record) {
        case (.header, .header(let header)):
            try checkVersion(header.formatVersion, newest: MessageLimits.snapshotFormatVersion, what: "snapshot")
            phase = .objects
            return [.header(header)]
        case (.objects, .objects(let batch)):
            let objects = try list("objects", batch.objects, ClusterObject.init(wire:))
            objectCount += UInt64(objects.count)
            return objects.map(Element.object)
        case (.objects, .trailer(let trailer)):
            guard trailer.objectCount == objectCount else {
                throw MessageError("snapshot", "\(objectCount) objects, but \(trailer.objectCount) were written")
            }
            phase = .ended
            return []
        case (.ended, _): throw MessageError("snapshot", "a record after the end")
        default: throw MessageError("snapshot", "a record out of its place or of an unknown kind")
        }
    }
}
