import Glibc

/// Removes folders however deep and whatever their names' bytes: containers make both as they please.
///
/// A walk without recursion that has at most two folders open. Upwards it goes by `..`, and only into the folder that it
/// came from.
enum TreeRemoval {
    /// A folder that is being emptied: its name, and where that stands.
    private struct Level {
        var name: [CChar]
        var parent: FileIdentity
    }

    /// Removes the entry with all that is in it, following no symbolic link; one that is not there is fine.
    static func remove(_ name: [CChar], in parent: borrowing OwnedDescriptor) throws(Errno) {
        if try removeEntry(name, in: parent.number) { return }
        var levels = [Level(name: name, parent: try FileIdentity(parent))]
        var current = try openFolder(name, in: parent)
        while let level = levels.last {
            if let inner = try removeEntries(of: current) {
                levels.append(Level(name: inner, parent: try FileIdentity(current)))
                let next = try openFolder(inner, in: current)
                current = consume next
                continue
            }
            let above = try openFolder([46, 46, 0], in: current)
            // Somebody has moved the folder away: what it stands in now is not to be removed.
            guard try FileIdentity(above) == level.parent else { throw .busy }
            if unlinkat(above.number, level.name, AT_REMOVEDIR) == -1, Errno.current != .noSuchFile {
                throw Errno.current
            }
            levels.removeLast()
            current = consume above
        }
    }

    private static func openFolder(
        _ name: [CChar], in parent: borrowing OwnedDescriptor
    ) throws(Errno) -> OwnedDescriptor {
        let number = parent.number
        return OwnedDescriptor(
            adopting: try retrying { openat(number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) })
    }

    /// Whether the entry is gone; false for a folder that is not empty.
    private static func removeEntry(_ name: [CChar], in parent: Int32) throws(Errno) -> Bool {
        if unlinkat(parent, name, 0) == 0 { return true }
        let refusal = Errno.current
        if refusal == .noSuchFile { return true }
        guard refusal == .isDirectory || refusal == .operationNotPermitted else { throw refusal }
        if unlinkat(parent, name, AT_REMOVEDIR) == 0 { return true }
        switch Errno.current {
        case .noSuchFile: return true
        case .notEmpty, .exists: return false
        case .notDirectory: throw refusal
        case let error: throw error
        }
    }

    /// Removes what can be removed at once; returns the first folder that is not empty, nil when nothing is left.
    private static func removeEntries(of folder: borrowing OwnedDescriptor) throws(Errno) -> [CChar]? {
        let copy = try folder.duplicate()
        guard let stream = fdopendir(copy.number) else { throw Errno.current }
        _ = copy.release()
        defer { closedir(stream) }
        // Again until nothing is found: a removal may move entries that were not read yet (readdir(3p)).
        while true {
            rewinddir(stream)
            var count = 0
            while true {
                errno = 0
                guard let entry = readdir(stream) else {
                    if errno != 0 { throw Errno.current }
                    break
                }
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
                }
                if name == [46, 0] || name == [46, 46, 0] { continue }
                count += 1
                if try !removeEntry(name, in: folder.number) { return name }
            }
            if count == 0 { return nil }
        }
    }
}
