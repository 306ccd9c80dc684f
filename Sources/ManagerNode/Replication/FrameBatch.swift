extension RangeReplaceableCollection {
    /// Takes out what fits into one frame of a link, in order: so many elements as have `ManagerLimits.frameBytes` together,
    /// at least one where there is one.
    mutating func takeFrame(_ bytes: (Element) -> Int) -> [Element] {
        var total = 0
        let end = indices.first { index in
            total += bytes(self[index])
            return total > ManagerLimits.frameBytes && index != startIndex
        }
        let taken = Array(self[..<(end ?? endIndex)])
        removeFirst(taken.count)
        return taken
    }
}
