import Crypto
import Glibc
import NIOCore
import Primitives
import Synchronization

/// Blobs by digest: `blobs/sha256/<hex>`, written aside in `ingest/`, renamed when whole and verified.
///
/// Every method blocks: call it on the store's own threads.
struct BlobStore: Sendable {
    let folder: String
    private var blobs: String { folder + "/blobs/sha256" }
    private var ingest: String { folder + "/ingest" }

    /// Makes the folders and drops what an earlier process left half-written.
    init(folder: String) throws(FileError) {
        self.folder = folder
        try Files.makeFolder(blobs)
        try Files.makeFolder(ingest)
        for name in try Files.names(in: ingest) { try Files.removeTree(ingest + "/" + name) }
    }

    func path(_ digest: ContentDigest) -> String { blobs + "/" + digest.hex }

    func contains(_ digest: ContentDigest) -> Bool { Files.exists(path(digest)) }

    /// The size in bytes, nil where there is no such blob.
    func size(_ digest: ContentDigest) -> Int64? {
        var status = stat()
        return stat(path(digest), &status) == 0 ? Int64(status.st_size) : nil
    }

    /// A small blob as a whole, its digest checked again: a disk may have damaged it.
    func read(_ digest: ContentDigest, limit: Int) throws -> [UInt8] {
        guard contains(digest) else { throw Failure(.notFound, "blob \(digest) is not in \(folder)") }
        let bytes = try OpenFile(path(digest), O_RDONLY).readAll(limit: limit, path: path(digest))
        guard ContentDigest(hashing: bytes) == digest else {
            throw Failure(.dataLoss, "\(path(digest)) is damaged: its digest is not its name; remove it and pull again")
        }
        return bytes
    }

    /// Stores bytes that are at hand.
    @discardableResult
    func add(_ bytes: [UInt8], mediaType: String) throws -> ContentDescriptor {
        let digest = ContentDigest(hashing: bytes)
        if !contains(digest) {
            let writer = try self.writer()
            try bytes.withUnsafeBytes { try writer.write($0) }
            try writer.commit(expecting: digest)
        }
        return ContentDescriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
    }

    func writer() throws(FileError) -> BlobWriter { try BlobWriter(temporary: temporaryPath(), blobs: blobs) }

    /// A path in `ingest/` that nobody else has; what lies there is swept at the next start.
    func temporaryPath() -> String { ingest + "/" + String(UInt64.random(in: 0 ... .max), radix: 36) }

    func digests() throws(FileError) -> [ContentDigest] {
        try Files.names(in: blobs).compactMap(ContentDigest.init(hex:))
    }

    func remove(_ digest: ContentDigest) throws(FileError) { try Files.removeTree(path(digest)) }
}

/// A blob that is being written: hashed on the way, dropped unless committed.
final class BlobWriter: Sendable {
    private struct State: ~Copyable {
        var hash = SHA256()
        var count: Int64 = 0
        var isCommitted = false
    }

    let temporary: String
    private let blobs: String
    private let file: OpenFile
    // One thread writes at a time, so the lock is never waited for, although writes block in it.
    private let state = Mutex(State())

    init(temporary: String, blobs: String) throws(FileError) {
        self.temporary = temporary
        self.blobs = blobs
        file = try OpenFile(temporary, O_RDWR | O_CREAT | O_EXCL)
    }

    deinit {
        if !state.withLock({ $0.isCommitted }) { unlink(temporary) }
    }

    var count: Int64 { state.withLock { $0.count } }

    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try state.withLock { state throws(FileError) in
            try file.requireSpace(for: bytes.count, path: temporary)
            try file.write(bytes, at: state.count, path: temporary)
            state.hash.update(bufferPointer: bytes)
            state.count += Int64(bytes.count)
        }
    }

    func write(_ buffers: [ByteBuffer]) throws(FileError) {
        for buffer in buffers {
            try buffer.withUnsafeReadableBytes { bytes throws(FileError) in try write(bytes) }
        }
    }

    /// Forgets what was written: the source starts again from its beginning.
    func restart() throws(FileError) {
        try state.withLock { state throws(FileError) in
            guard ftruncate(file.descriptor, 0) == 0 else { throw FileError("truncate", temporary) }
            state.hash = SHA256()
            state.count = 0
        }
    }

    /// A second descriptor at the file's start, to read what was written.
    func reopen() throws(FileError) -> OpenFile { try OpenFile(temporary, O_RDONLY) }

    /// Makes it a blob under its digest, durably; throws `dataLoss` if that is not the expected one.
    @discardableResult
    func commit(expecting expected: ContentDigest? = nil) throws -> (digest: ContentDigest, size: Int64) {
        try state.withLock { state in
            let digest = ContentDigest(state.hash.finalize())
            if let expected, expected != digest {
                throw Failure(.dataLoss, "\(state.count) bytes have the digest \(digest), not \(expected)")
            }
            try file.sync(path: temporary)
            try Files.rename(temporary, blobs + "/" + digest.hex)
            state.isCommitted = true
            try Files.syncFolder(blobs)
            return (digest, state.count)
        }
    }
}
