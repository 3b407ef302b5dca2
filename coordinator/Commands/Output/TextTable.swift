import SafeText

/// Rows in aligned columns; where they do not fit the width, the last column is wrapped.
struct TextTable {
    static let gap = 2
    static let narrowestLastColumn = 16

    var headers: [String]
    var rows: [[String]]

    func lines(width: Int, style: Style) -> [String] {
        let columns = headers.indices.map { column in
            ([headers[column]] + rows.map { $0[column] }).map(TerminalText.width).max() ?? 0
        }
        let before = columns.dropLast().reduce(0) { $0 + $1 + TextTable.gap }
        let room = max(TextTable.narrowestLastColumn, width - before)
        var lines = [style.bold(line(headers, columns))]
        for row in rows {
            let last = row.last ?? ""
            let parts = TerminalText.width(last) > room ? TerminalText.wrapped(last, to: room) : [last]
            lines.append(line(row.dropLast() + [parts[0]], columns))
            for part in parts.dropFirst() { lines.append(String(repeating: " ", count: before) + part) }
        }
        return lines
    }

    private func line(_ cells: [String], _ columns: [Int]) -> String {
        var text = ""
        for (index, cell) in cells.enumerated() {
            text += cell
            if index < cells.count - 1 {
                text += String(repeating: " ", count: columns[index] - TerminalText.width(cell) + TextTable.gap)
            }
        }
        return text
    }
}
