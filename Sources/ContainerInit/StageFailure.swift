import LaunchProtocol
import LinuxSystem

/// Names what is being done, so that the kernel's error number reaches the user with its place.
func during<Result: ~Copyable>(
    _ stage: String, _ subject: String = "", _ body: () throws(Errno) -> Result
) throws(LaunchFailure) -> Result {
    do throws(Errno) {
        return try body()
    } catch {
        throw LaunchFailure(stage: stage, subject: subject, errno: error.rawValue, reason: error.description)
    }
}

/// The stage's end of the socket to its supervisor.
struct StageChannel: ~Copyable {
    let socket: MessageSocket

    init(_ socket: consuming MessageSocket) {
        self.socket = socket
    }

    func send(_ message: StageMessage) throws(Errno) {
        try socket.send(message.versionedBytes)
    }

    /// The next message; nil when the other end is gone or talks nonsense.
    func receive() -> StageMessage? {
        guard let message = try? socket.receive(maximumBytes: LaunchProtocol.Limits.messageBytesMax) else { return nil }
        return try? StageMessage(versionedBytes: message.bytes)
    }
}
