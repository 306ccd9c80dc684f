import Glibc

/// Network order.
func socketAddress(_ address: String, _ port: UInt16) -> sockaddr_in {
    var result = sockaddr_in()
    result.sin_family = sa_family_t(AF_INET)
    result.sin_port = port.bigEndian
    inet_pton(AF_INET, address, &result.sin_addr)
    return result
}

func withSocketAddress<R>(_ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}

func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// A line on standard output, at once: the reader waits for it.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(1, bytes, bytes.count)
}

private func contains(_ wanted: [UInt8], in buffer: [UInt8], _ length: Int) -> Bool {
    guard let first = wanted.first, length >= wanted.count else { return false }
    return buffer.withUnsafeBufferPointer { bytes in
        (0...length - wanted.count).contains { start in
            bytes[start] == first && wanted.indices.allSatisfy { bytes[start + $0] == wanted[$0] }
        }
    }
}

func fail(_ what: String) -> Never {
    say("\(what): \(String(cString: strerror(errno)))")
    exit(1)
}

private let chunkBytes = 128 * 1024
private let stream = Int32(SOCK_STREAM.rawValue)
private let datagram = Int32(SOCK_DGRAM.rawValue)
private let raw = Int32(SOCK_RAW.rawValue)

/// Takes one TCP connection to its end and prints its rate.
func runSink(port: UInt16) {
    let listener = socket(AF_INET, stream, 0)
    var one: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
    guard withSocketAddress(socketAddress("0.0.0.0", port), { bind(listener, $0, $1) }) == 0, listen(listener, 1) == 0
    else { fail("listen") }
    say("ready")
    let connection = accept(listener, nil, nil)
    guard connection >= 0 else { fail("accept") }
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: chunkBytes, alignment: 64)
    let start = seconds()
    var total = 0
    while true {
        let count = read(connection, buffer, chunkBytes)
        if count <= 0 { break }
        total += count
    }
    let elapsed = seconds() - start
    let gigabits = Double(total) * 8 / elapsed / 1e9
    say("received \(total) bytes \(Int(gigabits * 1000)) Mb/s")
}

/// Sends over one TCP connection for a time.
func runSource(address: String, port: UInt16, seconds duration: Int) {
    let connection = socket(AF_INET, stream, 0)
    guard withSocketAddress(socketAddress(address, port), { connect(connection, $0, $1) }) == 0 else { fail("connect") }
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: chunkBytes, alignment: 64)
    buffer.initializeMemory(as: UInt8.self, repeating: 0x5a, count: chunkBytes)
    let end = seconds() + Double(duration)
    var total = 0
    while seconds() < end {
        let count = write(connection, buffer, chunkBytes)
        if count < 0 { fail("write") }
        total += count
    }
    close(connection)
    say("sent \(total) bytes")
}

/// ICMP echo requests, one after the other, each waited for at most a second.
func runPing(address: String, count: Int) {
    let descriptor = socket(AF_INET, raw, Int32(IPPROTO_ICMP))
    guard descriptor >= 0 else { fail("raw socket") }
    var timeout = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    let identifier = UInt16(truncatingIfNeeded: getpid())
    var times: [Double] = []
    for sequence in 0..<UInt16(count) {
        var message: [UInt8] = [8, 0, 0, 0]
        for word in [identifier, sequence] { message += [UInt8(word >> 8), UInt8(word & 0xff)] }
        message += [UInt8](repeating: 0, count: 48)
        let words = stride(from: 0, to: message.count, by: 2).map { UInt32(message[$0]) << 8 | UInt32(message[$0 + 1]) }
        let sum = words.reduce(0, +)
        let checksum = ~UInt16(truncatingIfNeeded: (sum & 0xffff) + (sum >> 16))
        message[2] = UInt8(checksum >> 8)
        message[3] = UInt8(checksum & 0xff)
        let start = seconds()
        _ = withSocketAddress(socketAddress(address, 0)) { sendto(descriptor, message, message.count, 0, $0, $1) }
        var answer = [UInt8](repeating: 0, count: 1_500)
        while true {
            let length = recv(descriptor, &answer, answer.count, 0)
            if length < 0 { break }
            let isReply = length >= 28 && answer[20] == 0
            if isReply, Array(answer[24..<28]) == Array(message[4..<8]) {
                times.append(seconds() - start)
                break
            }
        }
    }
    let median = times.sorted().dropFirst(times.count / 2).first ?? 0
    say("ping \(times.count) of \(count) median \(Int(median * 1e6)) us")
    exit(times.isEmpty ? 1 : 0)
}

/// Reads every packet of this network namespace until a file appears and counts those that hold the marker.
func runCapture(marker: String, until stop: String) {
    // AF_PACKET with every protocol (ETH_P_ALL), both directions.
    let descriptor = socket(17, raw, Int32(UInt16(3).bigEndian))
    guard descriptor >= 0 else { fail("packet socket") }
    var size: Int32 = 32 << 20
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4)
    say("ready")
    let wanted = Array(marker.utf8)
    var buffer = [UInt8](repeating: 0, count: 128 * 1024)
    var frames = 0
    var matches = 0
    while true {
        // Looked for first: whatever was captured before the file appeared is still read.
        let isEnding = access(stop, F_OK) == 0
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, 20) > 0 else {
            if isEnding { break }
            continue
        }
        let length = recv(descriptor, &buffer, buffer.count, 0)
        guard length > 0 else { continue }
        frames += 1
        if contains(wanted, in: buffer, length) { matches += 1 }
    }
    say("captured \(frames) matches \(matches)")
}

/// Sends the marker by UDP and by TCP.
func sendMarker(address: String, port: UInt16, marker: String) {
    let bytes = Array(marker.utf8)
    let unconnected = socket(AF_INET, datagram, 0)
    for _ in 0..<5 {
        _ = withSocketAddress(socketAddress(address, port)) { sendto(unconnected, bytes, bytes.count, 0, $0, $1) }
    }
    let connection = socket(AF_INET, stream, 0)
    guard withSocketAddress(socketAddress(address, port), { connect(connection, $0, $1) }) == 0 else { fail("connect") }
    for _ in 0..<200 { _ = write(connection, bytes, bytes.count) }
    close(connection)
    say("sent")
}
