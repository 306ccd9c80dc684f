import Primitives

/// What a node remembers of its membership, beside its certificate.
struct NodeMembership: Sendable {
    /// `HOST:PORT`.
    var listenAddress: String
    var advertiseAddress: String
    var dataPathAddress: String
    var dataPathPort: UInt16
    /// 0 on a worker.
    var raftID: UInt64
    /// Began the cluster.
    var isFounder: Bool
    var managers: [String]
    /// Where a joiner finds the other managers before the log has told it: raft ids with addresses.
    var peers: [UInt64: String]
    /// The interface of the machine that had the advertised address; empty where none had.
    var interface = ""

    var host: String { String(advertiseAddress[..<(advertiseAddress.lastIndex(of: ":") ?? advertiseAddress.endIndex)]) }

    var text: String {
        """
        listen=\(listenAddress)
        advertise=\(advertiseAddress)
        data-path=\(dataPathAddress)
        data-path-port=\(dataPathPort)
        raft-id=\(raftID)
        founder=\(isFounder)
        managers=\(managers.joined(separator: ","))
        peers=\(peers.sorted { $0.key < $1.key }.map { "\($0.key)@\($0.value)" }.joined(separator: ","))
        interface=\(interface)

        """
    }

    /// - Throws: ``Failure`` `dataLoss` naming what is missing.
    init(parsing text: String) throws(Failure) {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        guard let listen = values["listen"], let advertise = values["advertise"], let dataPath = values["data-path"],
            let port = values["data-path-port"].flatMap({ UInt16($0) }),
            let raftID = values["raft-id"].flatMap({ UInt64($0) }), let managers = values["managers"]
        else {
            throw Failure(
                .dataLoss,
                "identity/node.conf is damaged: move that folder aside (the key of the log is in it), start swarmd, and join "
                    + "the cluster again as a new node, or `swarmctl restore BACKUP` where this was the only manager")
        }
        self.init(
            listenAddress: listen, advertiseAddress: advertise, dataPathAddress: dataPath, dataPathPort: port,
            raftID: raftID, isFounder: values["founder"] == "true",
            managers: managers.split(separator: ",").map(String.init),
            peers: NodeMembership.peers(values["peers"] ?? ""))
        interface = values["interface"] ?? ""
    }

    init(
        listenAddress: String, advertiseAddress: String, dataPathAddress: String, dataPathPort: UInt16, raftID: UInt64,
        isFounder: Bool, managers: [String], peers: [UInt64: String]
    ) {
        self.listenAddress = listenAddress
        self.advertiseAddress = advertiseAddress
        self.dataPathAddress = dataPathAddress
        self.dataPathPort = dataPathPort
        self.raftID = raftID
        self.isFounder = isFounder
        self.managers = managers
        self.peers = peers
    }

    private static func peers(_ text: String) -> [UInt64: String] {
        var result: [UInt64: String] = [:]
        for peer in text.split(separator: ",") {
            let parts = peer.split(separator: "@", maxSplits: 1).map(String.init)
            if parts.count == 2, let id = UInt64(parts[0]) { result[id] = parts[1] }
        }
        return result
    }
}
