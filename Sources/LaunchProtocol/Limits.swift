/// The limits of what daemon and supervisor say to each other.
public enum Limits {
    /// The version written by this code; a newer one is refused.
    public static let protocolVersion: UInt16 = 1
    /// Below the default buffer of a unix socket, 212,992 bytes.
    public static let messageBytesMax = 160 << 10
    /// A launch configuration: secrets and configs are up to 1000 KiB each.
    public static let configurationBytesMax = 256 << 20
    /// Entries of any list in a message.
    public static let listCountMax = 65_536
    /// A path, argument or variable; the kernel's own limit for an argument is 128 KiB.
    public static let textBytesMax = 128 << 10
    /// What an exec answers at most.
    public static let execOutputBytesMax = 64 << 10
    /// A state or exit record.
    public static let recordBytesMax = 256 << 10
    /// Descriptors that go with one message.
    public static let descriptorsMax = 16
}
