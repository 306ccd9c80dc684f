import Glibc
import LinuxSystem
import Primitives

/// The node's own network namespace, held by a bind mount so that the next run of the daemon finds it.
enum NodeNamespace {
    private static let bind: UInt = 4096
    private static let detach: Int32 = 2

    static func path(in folder: String) -> String { folder + "/node.netns" }

    /// Finds the namespace or makes it. Called on the network thread, which is back in the host's namespace afterwards.
    static func open(in folder: String, thread: NamespaceThread) throws -> SharedDescriptor {
        let path = path(in: folder)
        if let existing = try existing(path, host: thread.host) { return existing }
        _ = try File.open(path, O_RDONLY | O_CREAT)
        try Namespaces.network.unshare()
        defer { try? Namespaces.network.enter(thread.host.descriptor) }
        let namespace = SharedDescriptor(try File.open("/proc/thread-self/ns/net", O_RDONLY))
        guard mount(namespace.descriptor.path, path, nil, bind, nil) == 0 else {
            throw Failure(.internal, "holding the node's network namespace at \(path)", cause: Errno.current)
        }
        return namespace
    }

    /// Nil where the file is none, or is no namespace any more but the empty file below the mount.
    private static func existing(_ path: String, host: SharedDescriptor) throws -> SharedDescriptor? {
        guard File.exists(path) else { return nil }
        let file = SharedDescriptor(try File.open(path, O_RDONLY))
        do throws(Errno) {
            try Namespaces.network.enter(file.descriptor)
            try Namespaces.network.enter(host.descriptor)
            return file
        } catch {
            return nil
        }
    }

    static func remove(in folder: String) {
        _ = umount2(path(in: folder), detach)
        try? File.remove(path(in: folder))
    }
}
