public import ClusterModel
public import Primitives

/// `SWMTKN-1-DIGEST-SECRET[-ADDRESSES]`: all that a machine needs to join.
///
/// The digest pins the cluster's root certificate, the secret stands for the role; the addresses are a hint where
/// managers may be found, never trusted.
public struct JoinToken: Hashable, Sendable, CustomStringConvertible {
    /// 50 base-36 digits: SHA-256 of the root certificate.
    public var rootDigest: String
    /// 25 base-36 digits.
    public var secret: String
    /// `HOST:PORT`, at most ``IdentityLimits/tokenAddresses``.
    public var addresses: [String]

    public init(rootDigest: String, secret: String, addresses: [String]) {
        self.rootDigest = rootDigest
        self.secret = secret
        self.addresses = Array(addresses.prefix(IdentityLimits.tokenAddresses))
    }

    public var description: String {
        let hint = addresses.isEmpty ? "" : "-" + addresses.joined(separator: ",")
        return "SWMTKN-1-\(rootDigest)-\(secret)\(hint)"
    }

    /// - Throws: ``Failure`` `invalidArgument` saying what is wrong, without repeating the secret.
    public init(parsing text: String) throws(Failure) {
        let parts = text.split(separator: "-", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 4, parts[0] == "SWMTKN" else {
            throw Failure(
                .invalidArgument,
                "this is not a join token: it has the form SWMTKN-1-DIGEST-SECRET-ADDRESSES; copy the whole line that "
                    + "`swarmctl token worker` prints")
        }
        guard parts[1] == "1" else {
            throw Failure(
                .invalidArgument,
                "join token of version \(parts[1]), but this swarmctl reads version 1: upgrade it on this machine")
        }
        guard JoinToken.isBaseThirtySix(parts[2], count: 50), JoinToken.isBaseThirtySix(parts[3], count: 25) else {
            throw Failure(
                .invalidArgument,
                "the join token is truncated or damaged: a part of it does not have its full length; copy the whole "
                    + "line that `swarmctl token worker` prints")
        }
        rootDigest = parts[2]
        secret = parts[3]
        addresses = parts.count > 4 ? parts[4].split(separator: ",").map(String.init) : []
    }

    private static func isBaseThirtySix(_ text: String, count: Int) -> Bool {
        text.utf8.count == count && text.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0) }
    }
}

extension JoinTokens {
    /// Fresh secrets for both roles.
    public init(using random: inout some RandomNumberGenerator) {
        self.init(workerSecret: "", managerSecret: "")
        workerSecret = JoinTokens.secret(using: &random)
        managerSecret = JoinTokens.secret(using: &random)
    }

    public static func secret(using random: inout some RandomNumberGenerator) -> String {
        Identifier<ClusterTag>(using: &random).description
    }

    /// The role that a secret stands for; compared in time that does not depend on where they differ.
    public func role(of secret: String) -> NodeRole? {
        let isWorker = JoinTokens.equal(secret, workerSecret)
        let isManager = JoinTokens.equal(secret, managerSecret)
        return isManager ? .manager : isWorker ? .worker : nil
    }

    private static func equal(_ a: String, _ b: String) -> Bool {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        guard a.count == b.count, !a.isEmpty else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
