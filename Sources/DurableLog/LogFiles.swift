public import Primitives

/// The files of one folder, as the log needs them. Every call blocks until it is done.
///
/// Only ``sync(_:)`` and ``syncFolder()`` make anything durable: bytes and names written before may be lost, in part
/// and out of order, when the machine loses power.
public protocol LogFiles {
    /// Names in the folder, in any order.
    func list() throws(Failure) -> [String]
    func read(_ name: String) throws(Failure) -> [UInt8]
    /// Up to `count` bytes from `offset` on: fewer only at the file's end. A file that was read once can be read on by the
    /// same handle after it was removed, until another one is used.
    mutating func read(_ name: String, at offset: Int, count: Int) throws(Failure) -> [UInt8]
    /// Makes an empty file with room for `bytes` zeros; one that exists is emptied.
    mutating func create(_ name: String, bytes: Int) throws(Failure)
    mutating func write(_ name: String, _ bytes: [UInt8], at offset: Int) throws(Failure)
    /// Makes the file's bytes durable (fdatasync).
    mutating func sync(_ name: String) throws(Failure)
    /// Cuts the file off.
    mutating func truncate(_ name: String, to bytes: Int) throws(Failure)
    mutating func rename(_ name: String, to other: String) throws(Failure)
    mutating func remove(_ name: String) throws(Failure)
    /// Makes names durable: creations, renames and removals (fsync of the folder).
    mutating func syncFolder() throws(Failure)
    /// For messages.
    func path(of name: String) -> String
    /// Another handle on the same folder.
    func another() -> Self
    /// Lets go of what is open; the next use opens it again.
    mutating func close()
}

/// Files that a second thread can write beside the first, each by a handle of its own.
public protocol SharedLogFiles: LogFiles, Sendable {}
