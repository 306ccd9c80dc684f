import Primitives

/// What Docker says when a node cannot answer for the cluster; clients look for these texts.
enum DockerTexts {
    static func refusal(of membership: Membership) -> Failure? {
        switch membership.state {
        case .inactive:
            Failure(
                .unavailable,
                "This node is not a swarm manager. Use \"swarmctl init\" or \"swarmctl join\" to connect this node to "
                    + "swarm and try again.")
        case .pending:
            Failure(
                .unavailable,
                "This node is joining a swarm and is not ready yet" + reason(membership) + ". Try again in a moment.")
        case .locked:
            Failure(
                .unavailable,
                "Swarm is encrypted and needs to be unlocked before it can be used. Please use \"swarmctl unlock\" to "
                    + "unlock it.")
        case .error:
            Failure(.unavailable, "This node's membership is broken" + reason(membership))
        case .active where !membership.isManager:
            Failure(
                .unavailable,
                "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please "
                    + "run this command on a manager node or promote the current node to a manager.")
        case .active: nil
        }
    }

    static let notInSwarm = Failure(.unavailable, "This node is not part of a swarm")
    static let alreadyInSwarm = Failure(
        .unavailable,
        "This node is already part of a swarm. Use \"swarmctl leave\" to leave this swarm and join another one.")

    static let expiredInSwarm = Failure(
        .unavailable,
        alreadyInSwarm.message
            + " Its certificate has expired: \"swarmctl join --renew TOKEN\" brings it back into this "
            + "one, with its tasks.")

    private static func reason(_ membership: Membership) -> String {
        membership.error.isEmpty ? "" : ": \(membership.error)"
    }
}
