/// One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
public struct MountInfo: Hashable, Sendable {
    /// The folder of the file system that is the mount's root.
    public var root: String
    public var mountPoint: String
    public var fileSystem: String
    /// The options of the file system itself, such as a v1 cgroup hierarchy's controllers.
    public var superOptions: [String]

    /// The mounts that the text lists; lines that are not understood are left out.
    public static func parse(_ text: String) -> [MountInfo] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count >= dash + 4 else { return nil }
            return MountInfo(
                root: unescaped(fields[3]), mountPoint: unescaped(fields[4]), fileSystem: String(fields[dash + 1]),
                superOptions: fields[dash + 3].split(separator: ",").map(String.init))
        }
    }

    /// Undoes `\040` and its like.
    private static func unescaped(_ field: Substring) -> String {
        guard field.utf8.contains(UInt8(ascii: "\\")) else { return String(field) }
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
