/// Every bound of this module.
enum ComposeLimits {
    /// One compose file or env_file.
    static let fileBytes = 4 << 20
    static let files = 64
    /// Lists and maps inside each other, aliases followed.
    static let nestingLevels = 100
    /// Values of one file with every alias written out, so that a few lines cannot grow into gigabytes.
    static let fileValues = 200_000
    /// All text of one file after interpolation.
    static let interpolatedBytes = 16 << 20
    /// `${A:-${B:-…}}`.
    static let nestedVariables = 16
    /// What the engine keeps of a secret.
    static let secretBytes = 500 << 10
    /// What the engine keeps of a config.
    static let configBytes = 1000 << 10
    static let serviceNameCharacters = 63
    static let objectNameCharacters = 64
    /// Hexadecimal digits of a content's hash in an object's name.
    static let versionDigits = 8
    /// Ports of one service, ranges counted out.
    static let servicePorts = 4096
}
