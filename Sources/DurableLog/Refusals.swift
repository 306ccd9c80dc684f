import Primitives

/// What can be done about files that are not to be read: a cluster with a quorum has all that they held.
let remedy =
    "`swarmctl join --renew TOKEN`, with the token of `swarmctl token manager`, makes this node a manager again with its "
    + "containers while the other managers have a majority; if it was the only one, `swarmctl leave --force`, then "
    + "`swarmctl restore BACKUP`"

func damage(_ path: String, _ offset: Int) -> Failure {
    Failure(.dataLoss, "\(path) is damaged at byte \(offset), before its end: \(remedy)")
}

/// Checksums are right, so no disk did that.
func notSealedHere(_ path: String, _ offset: Int) -> Failure {
    Failure(
        .dataLoss,
        "\(path) holds at byte \(offset) what was not sealed for this place with this node's key, or a part is missing: "
            + remedy)
}

func requireVersion(_ version: UInt16, path: String) throws(Failure) {
    let ours = LogLimits.formatVersion
    if version == ours { return }
    let what = version > ours ? "upgrade it" : "start the release that wrote it, or \(remedy)"
    throw Failure(
        .failedPrecondition, "\(path) has format version \(version), this swarmd reads version \(ours): \(what)")
}

func requireKey(_ fingerprint: [UInt8], _ found: some Sequence<UInt8>, path: String) throws(Failure) {
    if found.elementsEqual(fingerprint) { return }
    throw Failure(
        .failedPrecondition,
        "\(path) is sealed with another key than this node's: put this state folder's own key back, or \(remedy)")
}
