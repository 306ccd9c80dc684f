import CArchive
import Crypto
import Glibc
import Primitives

/// How a layer's bytes are compressed, detected from them.
enum Compression: Sendable {
    case none, gzip, zstd, bzip2, xz

    /// The suffix of an OCI layer's media type; nil where the spec has none, so the layer is stored uncompressed.
    var mediaTypeSuffix: String? {
        switch self {
        case .none: ""
        case .gzip: "+gzip"
        case .zstd: "+zstd"
        case .bzip2, .xz: nil
        }
    }
}

/// The uncompressed bytes of a file, hashed on the way: libarchive's filters without its formats.
///
/// Used on one thread.
final class DecompressedBytes {
    private let file: OpenFile
    private let archive: OpaquePointer
    private var hash = SHA256()
    private(set) var count: Int64 = 0
    private var isAtEnd = false
    let compression: Compression

    init(_ file: OpenFile) throws {
        guard let archive = archive_read_new() else { throw Failure(.resourceExhausted, "no memory for libarchive") }
        self.archive = archive
        self.file = file
        // Only filters that libarchive has built in: others would start programs found by PATH (ARCHIVE_WARN).
        let filters = [
            archive_read_support_filter_gzip, archive_read_support_filter_zstd, archive_read_support_filter_xz,
            archive_read_support_filter_bzip2,
        ]
        let isSupported = filters.allSatisfy { $0(archive) == ARCHIVE_OK }
        archive_read_support_format_raw(archive)
        archive_read_support_format_empty(archive)
        var entry: OpaquePointer?
        guard isSupported, archive_read_open_fd(archive, file.descriptor, Limits.archiveBlockBytes) == ARCHIVE_OK else {
            defer { archive_read_free(archive) }
            throw ArchiveProblem(archive)
        }
        let status = archive_read_next_header(archive, &entry)
        guard status == ARCHIVE_OK || status == ARCHIVE_EOF else {
            defer { archive_read_free(archive) }
            throw ArchiveProblem(archive)
        }
        isAtEnd = status == ARCHIVE_EOF
        compression =
            switch archive_filter_code(archive, 0) {
            case ARCHIVE_FILTER_GZIP: .gzip
            case ARCHIVE_FILTER_BZIP2: .bzip2
            case ARCHIVE_FILTER_XZ: .xz
            case ARCHIVE_FILTER_ZSTD: .zstd
            default: .none
            }
    }

    deinit { archive_read_free(archive) }

    /// The next block, valid until the next call; nil at the end.
    func next() throws -> UnsafeRawBufferPointer? {
        while !isAtEnd {
            var block: UnsafeRawPointer?
            var size = 0
            var offset: la_int64_t = 0
            let status = archive_read_data_block(archive, &block, &size, &offset)
            if status == ARCHIVE_EOF {
                isAtEnd = true
                return nil
            }
            guard status == ARCHIVE_OK else { throw ArchiveProblem(archive) }
            guard size > 0 else { continue }
            let bytes = UnsafeRawBufferPointer(start: block, count: size)
            count += Int64(size)
            guard count <= Limits.maximumLayerBytes else {
                throw Failure(.resourceExhausted, "the archive unpacks to more than \(Limits.maximumLayerBytes) bytes")
            }
            hash.update(bufferPointer: bytes)
            return bytes
        }
        return nil
    }

    /// Reads what is left and returns the digest of all: the layer's diff id.
    func finish() throws -> ContentDigest {
        while try next() != nil {}
        return ContentDigest(hash.finalize())
    }
}

/// What libarchive says went wrong.
struct ArchiveProblem: Error, CustomStringConvertible {
    let description: String

    init(_ archive: OpaquePointer) {
        description = archive_error_string(archive).map { String(cString: $0) } ?? "the archive cannot be read"
    }
}

/// One member of a tar archive. Names are bytes as the archive has them: nothing in them is trusted.
struct TarEntry {
    enum Kind {
        case file, directory, fifo
        case symbolicLink(target: [UInt8])
        case hardLink(target: [UInt8])
        case device(mode_t, major: UInt32, minor: UInt32)
        case unknown
    }

    var path: [UInt8]
    var kind: Kind
    var mode: mode_t
    var owner: uid_t
    var group: gid_t
    var size: Int64
    var modified: timespec
    /// Name (null-terminated) and value.
    var xattrs: [(name: [CChar], value: [UInt8])]
}

/// The members of a tar stream, compressed or not.
///
/// Used on one thread. libarchive converts names by the thread's locale, so that is UTF-8 while a reader lives.
final class TarReader {
    private let source: DecompressedBytes
    private let archive: OpaquePointer
    private let locale: locale_t?
    private let previousLocale: locale_t?
    private var sourceError: (any Error)?

    init(_ source: DecompressedBytes) throws {
        self.source = source
        guard let archive = archive_read_new() else { throw Failure(.resourceExhausted, "no memory for libarchive") }
        self.archive = archive
        locale = image_utf8_locale()
        previousLocale = locale.flatMap { uselocale($0) }
        archive_read_support_format_tar(archive)
        archive_read_support_format_empty(archive)
        let status = archive_read_open(
            archive, Unmanaged.passUnretained(self).toOpaque(), nil,
            { archive, context, block in
                guard let context, let block else { return -1 }
                return Unmanaged<TarReader>.fromOpaque(context).takeUnretainedValue().supply(block)
            }, nil)
        guard status == ARCHIVE_OK else { throw sourceError ?? ArchiveProblem(archive) }
    }

    deinit {
        archive_read_free(archive)
        if let locale {
            uselocale(previousLocale)
            freelocale(locale)
        }
    }

    private func supply(_ block: UnsafeMutablePointer<UnsafeRawPointer?>) -> la_ssize_t {
        do {
            guard let bytes = try source.next() else { return 0 }
            block.pointee = bytes.baseAddress
            return bytes.count
        } catch {
            sourceError = error
            return -1
        }
    }

    /// The next member; nil after the last.
    func next() throws -> TarEntry? {
        var entry: OpaquePointer?
        let status = archive_read_next_header(archive, &entry)
        if status == ARCHIVE_EOF { return nil }
        // A warning is a name in a foreign character set or an attribute that it does not know: the member is whole.
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
            throw sourceError ?? ArchiveProblem(archive)
        }
        guard let path = archive_entry_pathname(entry) else {
            throw Failure(.invalidArgument, "a member of the archive has no name")
        }
        guard let owner = uid_t(exactly: archive_entry_uid(entry)), let group = gid_t(exactly: archive_entry_gid(entry))
        else {
            throw Failure(.invalidArgument, "\(String(cString: path)): user or group id above 32 bits")
        }
        return TarEntry(
            path: bytes(path), kind: try kind(of: entry), mode: mode_t(archive_entry_mode(entry)) & 0o7777,
            owner: owner,
            group: group, size: archive_entry_size(entry),
            modified: timespec(tv_sec: archive_entry_mtime(entry), tv_nsec: archive_entry_mtime_nsec(entry)),
            xattrs: try xattrs(of: entry))
    }

    /// Calls `body` with each stretch of the member's content; holes of sparse files are left out.
    func content(_ body: (UnsafeRawBufferPointer, Int64) throws -> Void) throws {
        while true {
            var block: UnsafeRawPointer?
            var size = 0
            var offset: la_int64_t = 0
            let status = archive_read_data_block(archive, &block, &size, &offset)
            if status == ARCHIVE_EOF { return }
            guard status == ARCHIVE_OK else { throw sourceError ?? ArchiveProblem(archive) }
            if size > 0 { try body(UnsafeRawBufferPointer(start: block, count: size), offset) }
        }
    }

    private func kind(of entry: OpaquePointer) throws -> TarEntry.Kind {
        if let target = archive_entry_hardlink(entry) { return .hardLink(target: bytes(target)) }
        switch mode_t(archive_entry_filetype(entry)) {
        case S_IFREG: return .file
        case S_IFDIR: return .directory
        case S_IFIFO: return .fifo
        case S_IFLNK: return .symbolicLink(target: archive_entry_symlink(entry).map(bytes) ?? [])
        case S_IFCHR, S_IFBLK:
            guard let major = UInt32(exactly: archive_entry_rdevmajor(entry)),
                let minor = UInt32(exactly: archive_entry_rdevminor(entry))
            else { throw Failure(.invalidArgument, "a device number in the archive is above 32 bits") }
            return .device(mode_t(archive_entry_filetype(entry)), major: major, minor: minor)
        default: return .unknown
        }
    }

    private func xattrs(of entry: OpaquePointer) throws -> [(name: [CChar], value: [UInt8])] {
        guard archive_entry_xattr_reset(entry) > 0 else { return [] }
        var result: [(name: [CChar], value: [UInt8])] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            guard let name else { continue }
            guard size <= Limits.maximumXattrBytes else {
                throw Failure(
                    .resourceExhausted, "an extended attribute is longer than \(Limits.maximumXattrBytes) bytes")
            }
            result.append((nullTerminated(bytes(name)), [UInt8](UnsafeRawBufferPointer(start: value, count: size))))
        }
        return result
    }

    private func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }
}
