import ClusterModel
import ClusterState
import Primitives
import Testing

@testable import ManagerNode

struct ReplicaTests {
    @Test func aReaderKeepsTheStateOfTheMomentThatItLooked() {
        let replica = Replica()
        let config = Config(id: ConfigID(value: 1), name: "first", data: [1])
        replica.change { _ = $0.apply(Transaction([.create(.config(config))], time: .zero), at: 1) }
        let before = replica.tables
        replica.change { _ = $0.apply(Transaction([.delete(.config(config.id), version: nil)], time: .zero), at: 2) }
        #expect(before.index == 1 && before.configs[config.id] != nil && before.config(named: "first") != nil)
        let after = replica.tables
        #expect(after.index == 2 && after.configs.count == 0 && after.config(named: "first") == nil)
    }
}
