/// Every bound of this module.
enum CommandLimits {
    /// A whole answer that is not a stream.
    static let answerBytes = 64 << 20
    static let connectSeconds: Int64 = 10
    /// How often a service is asked about while a command waits for it.
    static let pollMilliseconds = 200
    /// How long a new service must keep running before the command calls it done.
    static let settleMilliseconds = 1000
    /// How long a command waits unless `--timeout` says otherwise.
    static let waitSeconds = 300
    /// A column is not cut below this.
    static let columnCharacters = 8
    static let shortIDCharacters = 12
    /// A piece of an uploaded file.
    static let uploadPieceBytes = 1 << 18
}
