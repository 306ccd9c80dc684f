/// Every bound of the module, with its unit in its name.
enum Limits {
    /// A repository name, registry included (distribution spec, as Docker's reference grammar).
    static let maximumNameCharacters = 255
    static let maximumTagCharacters = 128

    /// The distribution spec asks registries for at least 4 MiB; more is taken for an attack.
    static let maximumManifestBytes = 4 << 20
    static let maximumConfigBytes = 8 << 20
    static let maximumIndexFileBytes = 64 << 20
    /// What a registry may say in an error's body.
    static let maximumErrorBodyBytes = 64 << 10
    /// Docker's own limit is 127; overlayfs takes 500 lower folders.
    static let maximumLayersPerImage = 400
    static let maximumManifestsPerIndex = 1_000

    static let maximumLayerEntries = 4_000_000
    /// Of one layer, uncompressed; also the bound of one file, sparse ones included.
    static let maximumLayerBytes: Int64 = 128 << 30
    /// A compressed layer, as its descriptor says.
    static let maximumBlobBytes: Int64 = 64 << 30
    static let maximumPathBytes = 4_096
    /// The paths of a layer's folders, kept until all of it is written.
    static let maximumFolderTimesBytes = 64 << 20
    static let maximumPathDepthComponents = 256
    /// XATTR_SIZE_MAX of Linux.
    static let maximumXattrBytes = 64 << 10
    /// Symbolic links followed inside an archive of `docker save`.
    static let maximumArchiveLinkHops = 8

    /// What images leave free of the disk that they are on: 256 MiB, or a twentieth of a small one.
    static func reservedBytes(ofDisk bytes: UInt64) -> UInt64 { min(256 << 20, bytes / 20) }

    static let concurrentLayersPerPull = 3
    /// Unpacking and hashing run here, off the cooperative pool: one for each layer of a pull and one to spare.
    static let blockingThreads = 4
    static let fileChunkBytes = 1 << 20
    static let archiveBlockBytes = 256 << 10

    static let registryAttempts = 5
    static let firstRetryDelayMilliseconds: Int64 = 250
    static let maximumRetryDelayMilliseconds: Int64 = 5_000
    static let connectTimeoutSeconds: Int64 = 10
    /// Without a byte in this time the connection is given up.
    static let idleTimeoutSeconds: Int64 = 60
    static let responseHeadTimeoutSeconds: Int64 = 60
    /// The registry answers an upload only when it has all of it.
    static let uploadTimeoutHours: Int64 = 12
    /// A token without `expires_in` lives 60 s (distribution token spec); renewed this much earlier.
    static let defaultTokenLifetimeSeconds: Int64 = 60
    static let tokenRenewalMarginSeconds: Int64 = 10
    /// Fewest hexadecimal digits that name an image by its id.
    static let minimumIDPrefixDigits = 4
}
