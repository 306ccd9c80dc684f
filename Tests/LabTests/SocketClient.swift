import Foundation

/// Requests to a node's API over its socket, one connection each: what went wrong is told apart.
struct SocketClient: Sendable {
    enum Answer {
        case status(Int, body: Data)
        /// Nobody was asked.
        case notSent
        /// It was asked, and nobody knows what came of it.
        case lost
    }

    let path: String
    /// A paused daemon is not waited for.
    var timeoutMilliseconds = 2000

    func request(_ method: String, _ target: String, body: Data = Data()) -> Answer {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return .notSent }
        defer { close(descriptor) }
        var timeout = timeval(
            tv_sec: timeoutMilliseconds / 1000, tv_usec: timeoutMilliseconds % 1000 * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
        guard connect(descriptor) else { return .notSent }
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: swarm\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.count)\r\n\r\n"
        let message = Data(head.utf8) + body
        let sent = message.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == message.count else { return .lost }
        return answer(from: descriptor)
    }

    private func connect(_ descriptor: Int32) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Foundation.connect(descriptor, $0, size) == 0 }
        }
    }

    /// Up to the end of the connection: half an answer is none.
    private func answer(from descriptor: Int32) -> Answer {
        var received = Data()
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &part, part.count, 0)
            if count < 0 { return .lost }
            if count == 0 { break }
            received.append(contentsOf: part[..<count])
        }
        guard let end = received.range(of: Data("\r\n\r\n".utf8)) else { return .lost }
        let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
        let words = head.split(separator: " ", maxSplits: 2)
        guard words.count > 1, let status = Int(words[1]) else { return .lost }
        let body = received[end.upperBound...]
        let length = head.lowercased().components(separatedBy: "content-length: ").dropFirst().first?
            .prefix { $0.isNumber }
        if let length, Int(length) != body.count { return .lost }
        return .status(status, body: Data(body))
    }

    /// The object at a path, where there is an answer.
    func object(_ target: String) -> Any? {
        guard case .status(200, let body) = request("GET", target) else { return nil }
        return try? JSONSerialization.jsonObject(with: body)
    }
}
