import ClusterModel
import ClusterState
import DockerSchema
import Hummingbird
import Primitives

extension EngineAPI {
    func answerSwarm(_ route: Route, _ exchange: Exchange) async throws -> Response {
        switch route {
        case .swarmInspect: try await swarmInspect()
        case .swarmInit: try await swarmInit(exchange)
        case .swarmJoin: try await swarmJoin(exchange)
        case .swarmLeave: try await swarmLeave(exchange)
        case .swarmUnlockKey: try await swarmUnlockKey()
        case .swarmUnlock: try await swarmUnlock(exchange)
        case .swarmRecover: try await swarmRecover(exchange)
        case .swarmBackup: try await swarmBackup(exchange)
        case .swarmRestore: try await swarmRestore(exchange)
        default: try await swarmUpdate(exchange)
        }
    }

    private func swarmInspect() async throws -> Response {
        guard let stored = try await managerTables().cluster else {
            throw Failure(.unavailable, "the cluster's settings are not here yet; try again in a moment")
        }
        let tokens = try await cluster.joinTokens()
        return try Reply.json(
            Docker.Swarm(
                stored, issuer: try cluster.issuer(of: stored),
                tokens: Docker.JoinTokens(Worker: tokens.worker, Manager: tokens.manager)))
    }

    private func swarmInit(_ exchange: Exchange) async throws -> Response {
        let docker = try await exchange.body(Docker.SwarmInit.self).value
        if docker.ForceNewCluster == true {
            let plan = try await cluster.recover(
                RecoveryRequest(
                    listenAddress: docker.ListenAddr ?? "", advertiseAddress: docker.AdvertiseAddr ?? "",
                    dataPathAddress: docker.DataPathAddr ?? ""))
            return try Reply.json(plan.node.description)
        }
        guard await cluster.membership().state == .inactive else { throw DockerTexts.alreadyInSwarm }
        var request = InitRequest(
            listenAddress: docker.ListenAddr ?? "", advertiseAddress: docker.AdvertiseAddr ?? "",
            dataPathAddress: docker.DataPathAddr ?? "",
            dataPathPort: docker.DataPathPort == 0 ? nil : docker.DataPathPort,
            subnetPrefixLength: docker.SubnetSize == 0 ? nil : docker.SubnetSize,
            availability: try NodeAvailability(
                dockerName: docker.Availability, default: .active, field: "Availability"))
        if let port = request.dataPathPort, !(1024...49151).contains(port) {
            throw Failure(.invalidArgument, "DataPathPort: \(port) is not between 1024 and 49151")
        }
        for (index, text) in (docker.DefaultAddrPool ?? []).enumerated() {
            guard let pool = IPv4Network(text) else {
                throw Failure(.invalidArgument, "DefaultAddrPool[\(index)]: \"\(text)\" is not an IPv4 network")
            }
            if let other = request.addressPools.first(where: { $0.overlaps(pool) }) {
                throw Failure(.invalidArgument, "DefaultAddrPool[\(index)]: \(pool) overlaps \(other)")
            }
            request.addressPools.append(pool)
        }
        if let length = request.subnetPrefixLength {
            guard length <= 29, request.addressPools.allSatisfy({ $0.prefixLength <= length }) else {
                throw Failure(.invalidArgument, "SubnetSize: \(length) does not fit the pools, or is above 29")
            }
        }
        if let spec = docker.Spec { try request.spec.merge(spec) }
        request.locksManagers =
            docker.AutoLockManagers ?? false || docker.Spec?.EncryptionConfig?.AutoLockManagers ?? false
        return try Reply.json(try await cluster.initialize(request).description)
    }

    private func swarmJoin(_ exchange: Exchange) async throws -> Response {
        let docker = try await exchange.body(Docker.SwarmJoin.self).value
        let isRenewal = docker.Renew ?? false
        try Self.checkJoin(docker, isRenewal, await cluster.membership())
        guard let token = docker.JoinToken, !token.isEmpty else {
            throw Failure(.invalidArgument, "JoinToken is missing")
        }
        try await cluster.join(
            JoinRequest(
                token: token, managers: docker.RemoteAddrs?.filter { !$0.isEmpty } ?? [],
                listenAddress: docker.ListenAddr ?? "", advertiseAddress: docker.AdvertiseAddr ?? "",
                dataPathAddress: docker.DataPathAddr ?? "",
                availability: try NodeAvailability(
                    dockerName: docker.Availability, default: .active, field: "Availability"),
                isRenewal: isRenewal))
        return Reply.empty()
    }

    private static func checkJoin(_ docker: Docker.SwarmJoin, _ isRenewal: Bool, _ membership: Membership) throws {
        guard isRenewal else {
            if membership.state == .inactive { return }
            throw membership.isExpired ? DockerTexts.expiredInSwarm : DockerTexts.alreadyInSwarm
        }
        if membership.state == .inactive { throw DockerTexts.notInSwarm }
        for (field, value) in [
            ("ListenAddr", docker.ListenAddr), ("AdvertiseAddr", docker.AdvertiseAddr),
            ("DataPathAddr", docker.DataPathAddr),
        ] where value?.isEmpty == false {
            throw Failure(.invalidArgument, "\(field): a node that comes back keeps its addresses; leave it out")
        }
    }

    private func swarmLeave(_ exchange: Exchange) async throws -> Response {
        guard await cluster.membership().state != .inactive else { throw DockerTexts.notInSwarm }
        try await cluster.leave(force: exchange.query.flag("force"))
        return Reply.empty()
    }

    private func swarmUnlockKey() async throws -> Response {
        if let refusal = DockerTexts.refusal(of: await cluster.membership()) { throw refusal }
        return try Reply.json(Docker.UnlockKey(UnlockKey: try await cluster.unlockKey() ?? ""))
    }

    private func swarmUnlock(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(Docker.UnlockKey.self).value
        try await cluster.unlock(key: body.UnlockKey)
        return Reply.empty()
    }

    private func swarmUpdate(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.body(Docker.SwarmSpec.self)
        let version = try exchange.query.version()
        try await write { tables in
            guard var stored = tables.cluster else { throw DockerTexts.notInSwarm }
            try Self.checkVersion(version, stored.meta, "the swarm")
            let before = stored.spec
            try stored.spec.merge(body.value)
            let lock = stored.unlockKey
            if let locks = body.value.EncryptionConfig?.AutoLockManagers, locks != (lock != nil) {
                stored.unlockKey = locks ? cluster.freshUnlockKey() : nil
            } else if lock != nil, exchange.query.flag("rotateManagerUnlockKey") {
                stored.unlockKey = cluster.freshUnlockKey()
            }
            let own = try Self.ownRoot(body.value.CAConfig)
            if stored.spec.forceRotate != before.forceRotate {
                stored.authority = try cluster.rotatedAuthority(of: stored, own: own)
            } else if own != nil {
                throw Failure(
                    .invalidArgument, "CAConfig: a root certificate of your own takes effect with a new ForceRotate")
            }
            return stored.spec == before && stored.unlockKey == lock ? [] : [.update(.cluster(stored), bySpec: true)]
        }
        if exchange.query.flag("rotateWorkerToken") { try await cluster.rotateToken(of: .worker) }
        if exchange.query.flag("rotateManagerToken") { try await cluster.rotateToken(of: .manager) }
        return Reply.empty()
    }

    private static func ownRoot(_ config: Docker.CAConfig?) throws -> (certificate: String, key: String)? {
        if config?.ExternalCAs?.isEmpty == false {
            throw Failure(.unimplemented, "CAConfig.ExternalCAs: authorities outside of the cluster are not supported")
        }
        let (certificate, key) = (config?.SigningCACert ?? "", config?.SigningCAKey ?? "")
        if certificate.isEmpty && key.isEmpty { return nil }
        guard !certificate.isEmpty, !key.isEmpty else {
            throw Failure(.invalidArgument, "CAConfig: SigningCACert and SigningCAKey go together")
        }
        return (certificate, key)
    }
}
