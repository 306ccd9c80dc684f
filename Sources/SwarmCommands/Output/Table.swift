/// Text in columns.
struct Table {
    var rows: [[String]]

    /// - Parameter width: characters in a line; the widest columns are cut until it fits. nil cuts nothing.
    func lines(width: Int?) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], cell.count)
            }
        }
        if let width { widths = Table.fitted(widths, width: width) }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                let cut = cell.count > width ? cell.prefix(max(0, width - 1)) + "…" : cell[...]
                return cut + String(repeating: " ", count: width - cut.count)
            }
            var line = cells.joined(separator: Table.gap)
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    private static let gap = "   "

    private static func fitted(_ widths: [Int], width: Int) -> [Int] {
        var widths = widths
        while widths.reduce(0, +) + (widths.count - 1) * gap.count > width {
            guard let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
                widths[widest] > CommandLimits.columnCharacters
            else { break }
            widths[widest] -= 1
        }
        return widths
    }
}
