import CNftables
import Glibc
import LinuxSystem

/// nftables of the network namespace that the calling thread is in, through libnftables.
public enum Firewall {
    /// Why a ruleset was refused, in nft's words.
    public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        public var message: String

        public init(message: String) { self.message = message }

        public var description: String { message }
    }

    /// Runs commands in nft(8)'s language as one transaction: all of them take effect or none.
    public static func apply(_ ruleset: String) throws(Refusal) {
        _ = try run(ruleset, flags: 0)
    }

    /// The rules of a table as nft prints them, without counters and handles; nil where the table is not there.
    public static func listing(of table: String) -> String? {
        try? run("list table \(table)", flags: UInt32(NFT_CTX_OUTPUT_STATELESS))
    }

    /// All tables of the namespace, with handles.
    public static func ruleset() throws(Refusal) -> String {
        try run("list ruleset", flags: UInt32(NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS))
    }

    // A context belongs to one call: its netlink socket stays in the namespace that it was opened in.
    private static func run(_ commands: String, flags: UInt32) throws(Refusal) -> String {
        guard let context = nft_ctx_new(UInt32(NFT_CTX_DEFAULT)) else {
            throw Refusal(message: "opening nftables: \(Errno.current)")
        }
        defer { nft_ctx_free(context) }
        nft_ctx_output_set_flags(context, flags)
        nft_ctx_buffer_output(context)
        nft_ctx_buffer_error(context)
        let status = nft_run_cmd_from_buffer(context, commands)
        guard status == 0 else {
            let words = nft_ctx_get_error_buffer(context).map { String(cString: $0) } ?? ""
            let line = words.split(separator: "\n").first.map(String.init)
            throw Refusal(message: "nftables refused the rules: \(line ?? "no reason given")")
        }
        return nft_ctx_get_output_buffer(context).map { String(cString: $0) } ?? ""
    }
}
