public import ClusterModel
import Glibc
import LinuxSystem
public import Primitives

/// Who of the host listens on a port.
public enum PortOwner {
    /// A process by name and number, `nginx (pid 812)`; nil where nobody has the port.
    ///
    /// Reads /proc of the calling thread's network namespace. `address` nil means any; a wildcard socket has them all.
    public static func of(_ port: UInt16, protocol: PortProtocol = .tcp, address: IPv4Address? = nil) -> String? {
        var inodes: Set<String> = []
        for table in [`protocol`.word, `protocol`.word + "6"] {
            guard let text = try? File.readText("/proc/thread-self/net/\(table)", maximumBytes: 64 << 20) else {
                continue
            }
            inodes.formUnion(sockets(text, port: port, isTCP: `protocol` == .tcp, address: address))
        }
        if inodes.isEmpty { return nil }
        return owner(ofSockets: Set(inodes.map { "socket:[\($0)]" })) ?? "a process of another namespace"
    }

    /// The inodes of the sockets that have the port, from a table of proc_pid_net(5).
    static func sockets(_ table: String, port: UInt16, isTCP: Bool, address: IPv4Address?) -> [String] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, !isTCP || fields[3] == "0A" else { return nil }
            let local = fields[1].split(separator: ":")
            guard local.count == 2, UInt16(local[1], radix: 16) == port else { return nil }
            if let address, local[0].count == 8, let bound = UInt32(local[0], radix: 16) {
                // The kernel prints the address in network order as if it were a number of the machine's order.
                let value = UInt32(bigEndian: bound)
                guard value == 0 || value == address.value else { return nil }
            }
            return String(fields[9])
        }
    }

    private static func owner(ofSockets sockets: Set<String>) -> String? {
        for name in (try? File.names(in: "/proc")) ?? [] {
            guard let pid = Int32(name), let descriptors = try? File.names(in: "/proc/\(pid)/fd") else { continue }
            for descriptor in descriptors {
                guard let target = readLink("/proc/\(pid)/fd/\(descriptor)"), sockets.contains(target) else { continue }
                let command = (try? File.readText("/proc/\(pid)/comm"))?.split(separator: "\n").first ?? "process"
                return "\(command) (pid \(pid))"
            }
        }
        return nil
    }

    private static func readLink(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }
}
