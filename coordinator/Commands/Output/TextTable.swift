import SafeText

/// Rows in aligned columns. If they do not fit the width, the last column is wrapped.
struct TextTable {
    static let gap = 2
    static let narrowestLastColumn = 16

    var headers: [TerminalText]
    var rows: [[TerminalText]]

    func lines(width: Int, style: Style) -> [TerminalText] {
        let columns = headers.indices.map { column in
            ([headers[column]] + rows.map { $0[column] }).map(\.width).max() ?? 0
        }
        let before = columns.dropLast().reduce(0) { $0 + $1 + TextTable.gap }
        let room = max(TextTable.narrowestLastColumn, width - before)
        var lines = [style.bold(line(headers, columns))]
        for row in rows {
            let parts = row.last?.wrapped(to: room) ?? []
            lines.append(line(row.dropLast() + parts.prefix(1), columns))
            for part in parts.dropFirst() { lines.append(TerminalText(repeating: " ", count: before) + part) }
        }
        return lines
    }

    private func line(_ cells: [TerminalText], _ columns: [Int]) -> TerminalText {
        zip(cells, columns).dropLast().map { $0.padded(to: $1 + TextTable.gap) }.joined() + (cells.last ?? "")
    }
}
