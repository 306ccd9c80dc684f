/// Docker's JSON, as the Engine API 1.24 to 1.47 defines it.
///
/// The fields bear Docker's own names, so a struct is its schema; a nil one is left out. A field that the cluster
/// cannot hold is missing here, so a request that sets it gets a warning (``RequestBody``).
public enum Docker {
    /// The newest API version that is answered.
    public static let apiVersion = APIVersion(major: 1, minor: 47)
    /// The oldest one.
    public static let oldestAPIVersion = APIVersion(major: 1, minor: 24)
}

/// `1.47`: a version of the Engine API.
public struct APIVersion: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    public var major: Int
    public var minor: Int

    public init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    public init?(_ description: String) {
        let parts = description.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]), major >= 0, minor >= 0 else {
            return nil
        }
        self.init(major: major, minor: minor)
    }

    public var description: String { "\(major).\(minor)" }

    public static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
}
