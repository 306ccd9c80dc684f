public import ClusterModel

extension ClusterTables {
    /// Whether the state is as the transaction would have left it: for a proposer who did not hear what became of it.
    ///
    /// An object of a new id is the proposer's own, since ids are drawn at random. An updated one counts when it has the
    /// proposed content, whoever wrote that; one that was to be deleted, when it is gone.
    public func reflects(_ transaction: Transaction) -> Bool {
        transaction.changes.allSatisfy { change in
            switch change {
            case .create(let object): self[object.key] != nil
            case .update(let object, _):
                self[object.key].map { stored in
                    var wanted = object
                    wanted.keepObservations(of: stored)
                    wanted.meta = stored.meta
                    return wanted == stored
                } ?? false
            case .delete(let key, _): self[key] == nil
            case .observeTask, .observeNode: true
            }
        }
    }
}
