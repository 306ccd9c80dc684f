public import ClusterModel

extension ClusterTables {
    /// Whether the state is as the transaction would have left it: for a proposer who did not hear what became of it.
    ///
    /// An object of a new id is the proposer's own, since ids are drawn at random. An updated one counts when it has the
    /// content that was proposed, whoever wrote that; one that was to be deleted, when it is gone.
    public func reflects(_ transaction: Transaction) -> Bool {
        transaction.changes.allSatisfy { change in
            switch change {
            case .create(let object): self[object.key] != nil
            case .update(let object, let bySpec):
                self[object.key].map { stored in
                    stored.meta.version > object.meta.version
                        && (bySpec ? stored.hasSpec(of: object) : stored == object.kept(in: stored))
                } ?? false
            case .delete(let key, _): self[key] == nil
            case .observeTask, .observeNode: true
            }
        }
    }

    /// Whether somebody else's later change may hide that the transaction was made: an object that it updates has another
    /// content now, at a version above the one that the update is based on.
    public func mayHide(_ transaction: Transaction) -> Bool {
        transaction.changes.contains { change in
            guard case .update(let object, _) = change else { return false }
            return self[object.key].map { $0.meta.version > object.meta.version } ?? true
        }
    }
}

extension ClusterObject {
    /// Whether what users say of it is the same: what control loops note beside that may have changed since.
    fileprivate func hasSpec(of other: ClusterObject) -> Bool {
        switch (self, other) {
        case (.service(let stored), .service(let wanted)):
            stored.spec == wanted.spec && stored.taskVersion == wanted.taskVersion
        case (.node(let stored), .node(let wanted)): stored.spec == wanted.spec
        case (.network(let stored), .network(let wanted)): stored.spec == wanted.spec
        default: self == other.kept(in: self)
        }
    }

    /// As the store would have kept it in the place of `stored`.
    fileprivate func kept(in stored: ClusterObject) -> ClusterObject {
        var kept = self
        kept.keepObservations(of: stored)
        kept.meta = stored.meta
        return kept
    }
}
