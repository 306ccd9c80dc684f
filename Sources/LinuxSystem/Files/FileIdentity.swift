import Glibc

/// Which file an open descriptor is, whatever its names.
public struct FileIdentity: Hashable, Sendable {
    /// Of the file system.
    public var device: UInt64
    public var inode: UInt64

    public init(_ descriptor: borrowing OwnedDescriptor) throws(Errno) {
        var status = stat()
        try checked(fstat(descriptor.number, &status))
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}
