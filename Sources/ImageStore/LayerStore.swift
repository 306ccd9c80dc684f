import Glibc
import Primitives

/// Unpacked layers by diff id: `layers/<hex>/diff`, one for all images that have the layer.
///
/// Whiteouts are in overlayfs' form, so a layer does not depend on those below it. Every method blocks.
struct LayerStore: Sendable {
    private let folder: String
    private static let temporaryPrefix = ".unpacking-"
    private static let removalPrefix = ".removing-"

    /// Makes the folder and removes what an earlier process left half-done.
    init(folder: String) throws(FileError) {
        self.folder = folder + "/layers"
        try Files.makeFolder(self.folder)
        for name in try Files.names(in: self.folder) where name.hasPrefix(".") {
            try Files.removeTree(self.folder + "/" + name)
        }
    }

    /// What overlayfs gets as a lower folder.
    func diffPath(_ diffID: ContentDigest) -> String { folder + "/" + diffID.hex + "/diff" }

    func contains(_ diffID: ContentDigest) -> Bool { Files.exists(diffPath(diffID)) }

    /// Unpacks a layer aside and puts it in place, durably; throws `dataLoss` if its diff id is not the expected one.
    func unpack(
        _ file: OpenFile, expecting expected: ContentDigest?
    ) throws -> (diffID: ContentDigest, compression: Compression) {
        let temporary = folder + "/" + Self.temporaryPrefix + String(UInt64.random(in: 0 ... .max), radix: 36)
        do {
            // 0700 above, so that no user of the host reaches a set-user-id program of an image.
            try Files.makeFolder(temporary)
            try Files.makeFolder(temporary + "/diff", mode: 0o755)
            let diff = try OpenFile(temporary + "/diff", O_RDONLY | O_DIRECTORY)
            // Whatever the umask: it is the container's root folder, which every user in it must enter.
            guard fchmod(diff.descriptor, 0o755) == 0 else { throw FileError("chmod", temporary + "/diff") }
            let result = try LayerUnpacker.unpack(file, into: diff, mode: .layer)
            if let expected, expected != result.diffID {
                throw Failure(.dataLoss, "the layer unpacks to \(result.diffID), but the image says \(expected)")
            }
            if contains(result.diffID) {
                try Files.removeTree(temporary)
            } else {
                try diff.syncFileSystem(path: temporary)
                try Files.rename(temporary, folder + "/" + result.diffID.hex)
                try Files.syncFolder(folder)
            }
            return (result.diffID, result.compression)
        } catch {
            try? Files.removeTree(temporary)
            throw error
        }
    }

    func diffIDs() throws(FileError) -> [ContentDigest] {
        try Files.names(in: folder).compactMap(ContentDigest.init(hex:))
    }

    /// Renamed first: a layer is there as a whole or not at all.
    func remove(_ diffID: ContentDigest) throws(FileError) {
        let aside = folder + "/" + Self.removalPrefix + diffID.hex
        try Files.rename(folder + "/" + diffID.hex, aside)
        try Files.removeTree(aside)
    }
}
