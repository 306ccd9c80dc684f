internal import HashTreeCollections
public import Primitives

/// One kind of object by id: a persistent map, so a copy costs O(1) and is a consistent snapshot.
///
/// Objects are boxed: a map of references takes changes twice as fast as one of inline structs.
public struct Table<Tag: Sendable, Object: Sendable>: Sendable {
    final class Entry: Sendable {
        let object: Object
        init(_ object: Object) { self.object = object }
    }

    private var entries: TreeDictionary<Identifier<Tag>, Entry> = [:]

    init() {}

    public var count: Int { entries.count }

    public subscript(id: Identifier<Tag>) -> Object? {
        get { entries[id]?.object }
    }

    /// Every object, ordered by id: the map's own order differs from process to process.
    public var sorted: [Object] {
        entries.sorted { $0.key < $1.key }.map(\.value.object)
    }

    /// Every id, ordered.
    var sortedIDs: [Identifier<Tag>] { entries.keys.sorted() }

    /// Every object in an unspecified order; only for what does not depend on it (counts, sets, lookups).
    public func forEachUnordered(_ body: (Object) throws -> Void) rethrows {
        for entry in entries { try body(entry.value.object) }
    }

    /// Ids that begin with the given text, ordered.
    public func ids(prefix: String) -> [Identifier<Tag>] {
        entries.keys.filter { $0.description.hasPrefix(prefix) }.sorted()
    }

    mutating func set(_ object: Object?, for id: Identifier<Tag>) {
        entries[id] = object.map(Entry.init)
    }
}
