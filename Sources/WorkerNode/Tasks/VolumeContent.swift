import ClusterModel
import Glibc
import LinuxSystem
import Primitives
import Synchronization

/// A volume that gets what the image has at its mount point, as long as it is empty (Docker's rule).
struct VolumeFilling: Hashable, Sendable {
    /// The volume's folder on this node.
    var folder: String
    /// The mount point in the container.
    var target: String

    /// Stands beside the folder while content is copied: what is there then is not all of it.
    var marker: String { folder + ".copying" }

    /// Whether there is something to do.
    var isWanted: Bool {
        get throws(Errno) { File.exists(marker) ? true : try File.names(in: folder).isEmpty }
    }
}

/// Copies images' content into volumes.
///
/// The image is looked at through an overlay mount in a mount namespace of the copying thread's own: nothing of it
/// appears elsewhere, and it goes with the thread.
final class VolumeContent: Sendable {
    private let mountPoint: String
    /// One at a time: two tasks that begin with the same empty volume fill it once.
    private let turn = Mutex<Void>(())

    /// - Parameter mountPoint: an empty folder.
    init(mountPoint: String) {
        self.mountPoint = mountPoint
    }

    /// - Parameter layers: the image's, topmost first.
    /// - Throws: ``Failure`` naming the volume's mount point and the file that could not be copied.
    func fill(_ fillings: [VolumeFilling], from layers: [String]) async throws {
        guard try fillings.contains(where: { try $0.isWanted }), !layers.isEmpty else { return }
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            do {
                try SystemThread.start(name: "volumes") { [self] in
                    done.resume(with: Result { try turn.withLock { _ in try fillHere(fillings, layers) } })
                }
            } catch { done.resume(throwing: Failure(.resourceExhausted, "cannot start a thread: \(error)")) }
        }
    }

    /// For a thread that ends after it.
    private func fillHere(_ fillings: [VolumeFilling], _ layers: [String]) throws {
        let image: AnchoredFolder
        do {
            try File.createFolders(mountPoint, mode: 0o700)
            try Namespaces.mount.unshare()
            try MountTree.makePrivate()
            try MountTree.mountOverlay(lower: layers, at: mountPoint)
            image = try AnchoredFolder(path: mountPoint)
        } catch { throw Failure(.internal, "cannot look into the image to fill volumes: \(error)") }
        for filling in fillings where try filling.isWanted {
            do {
                try VolumeContent.copy(filling, from: image)
            } catch {
                throw Failure(
                    .internal, "cannot copy what the image has at \(filling.target) into its volume: \(error)")
            }
        }
    }

    /// Not in the loop above: a descriptor that is set inside of two `do` there makes the compiler run for ever
    /// (Swift 6.3, fixing stack nesting).
    private static func copy(_ filling: VolumeFilling, from image: borrowing AnchoredFolder) throws {
        let source: OwnedDescriptor
        do throws(Errno) {
            source = try image.open(filling.target, O_RDONLY | O_DIRECTORY)
        } catch {
            if error == .noSuchFile || error == .notDirectory { return }
            throw error
        }
        let target = try File.open(filling.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try File.replace(filling.marker, with: [])
        try TreeCopy.copyContent(of: source, to: target)
        try File.remove(filling.marker)
    }
}
