import ClusterModel
import ClusterState
import Primitives
import Testing

@Suite struct TransactionPackerTests {
    private func config(_ number: Int, bytes: Int = 10) -> Change {
        .create(
            .config(
                Config(
                    id: ConfigID(value: UInt128(number)), name: "config \(number)",
                    data: [UInt8](repeating: 7, count: bytes))))
    }

    @Test func transactionsKeepOrderUnitsAndTheLimitOfChanges() {
        let units = (0..<300).map { unit in (0..<1 + unit % 3).map { config(10 * unit + $0) } }
        let transactions = TransactionPacker.transactions(of: units, at: .zero)
        #expect(transactions.flatMap(\.changes) == units.flatMap { $0 })
        #expect(transactions.count == 4)
        var rest = units[...]
        for transaction in transactions {
            #expect(transaction.changes.count <= StateLimits.changesPerTransaction)
            var left = transaction.changes.count
            while left > 0 { left -= rest.popFirst()?.count ?? left + 1 }
            #expect(left == 0, "a unit was torn")
        }
    }

    @Test func transactionsKeepTheLimitOfBytes() {
        let units = (0..<12).map { [config($0, bytes: 300_000)] }
        let transactions = TransactionPacker.transactions(of: units, at: .zero)
        #expect(transactions.map(\.changes.count) == [2, 2, 2, 2, 2, 2])
    }

    /// It is refused where it is proposed, with a reason; it must not stop what comes behind it.
    @Test func whatIsTooLargeByItselfGoesAlone() {
        let large = (0..<StateLimits.changesPerTransaction + 1).map { config($0) }
        let units = [[config(1_000)], large, [config(1_001)]]
        let transactions = TransactionPacker.transactions(of: units, at: .zero)
        #expect(transactions.map(\.changes) == units)
        var tables = ClusterTables()
        let outcomes = transactions.map { transaction in
            if case .success = tables.apply(transaction, at: 1) { true } else { false }
        }
        #expect(outcomes == [true, false, true])
    }

    @Test func nothingIsNoTransaction() {
        #expect(TransactionPacker.transactions(of: [], at: .zero).isEmpty)
        var packer = TransactionPacker()
        #expect(packer.isEmpty && packer.add([config(1)]) && packer.count == 1)
        #expect(packer.take() == [config(1)] && packer.isEmpty)
    }
}
