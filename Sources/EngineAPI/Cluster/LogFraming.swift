import ClusterModel
import Primitives

/// Docker's multiplexed stream: each piece has a header of one byte for the stream, three zeros, and its length in
/// four bytes, big-endian.
struct LogFraming {
    var timestamps: Bool
    var details: Bool
    /// Where the client asks for one terminal's bytes, there are no headers.
    var isRaw: Bool
    var serviceID: (TaskID) -> ServiceID?

    func frame(_ line: LogLine) -> [UInt8] {
        var payload: [UInt8] = []
        if timestamps { payload += Array((line.time.rfc3339 + " ").utf8) }
        if details { payload += Array((attributes(of: line) + " ").utf8) }
        payload += line.text
        // Clients split at newlines; a line without one would swallow the next line's details.
        if details || timestamps, payload.last != UInt8(ascii: "\n") { payload.append(UInt8(ascii: "\n")) }
        if isRaw { return payload }
        var writer = ByteWriter(reserving: payload.count + 8)
        writer.write(line.stream == .stdout ? UInt8(1) : UInt8(2))
        writer.write(bytes: [0, 0, 0])
        writer.write(UInt32(payload.count))
        writer.write(bytes: payload)
        return writer.bytes
    }

    /// What `docker service logs` names the task and node by; it refuses a line without.
    private func attributes(of line: LogLine) -> String {
        [
            "com.docker.swarm.node.id=\(line.node?.description ?? "")",
            "com.docker.swarm.service.id=\(serviceID(line.task)?.description ?? "")",
            "com.docker.swarm.task.id=\(line.task)",
        ].joined(separator: ",")
    }
}
