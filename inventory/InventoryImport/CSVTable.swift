import SafeText

/// The rows of a text with separated values (RFC 4180), with the line that each begins in.
struct CSVTable {
    struct Cell: Hashable {
        var text: String
        /// An empty text in quotation marks is a value; without them there is none.
        var isQuoted: Bool

        var value: String? { text.isEmpty && !isQuoted ? nil : text }
    }

    struct Row {
        var cells: [Cell]
        var line: Int
    }

    private(set) var rows: [Row] = []
    /// The line of a quotation mark that nothing ends.
    private(set) var openMark: Int?
    /// The lines of texts that follow a closing quotation mark within their cell.
    private(set) var strayTexts: [Int] = []

    private var cells: [Cell] = []
    private var text: [UInt8] = []
    private var isQuoted = false

    init(_ csv: String) {
        var bytes = Array(csv.utf8)[...]
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes = bytes.dropFirst(3) }
        let separator = CSVTable.separator(in: bytes.prefix { $0 != 0x0a })
        var (line, first, mark) = (1, 1, 0)
        var isInside = false
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            if byte == 0x0a { line += 1 }
            if isInside {
                if byte != 0x22 {
                    text.append(byte)
                } else if index < bytes.endIndex, bytes[index] == 0x22 {
                    text.append(byte)
                    index += 1
                } else {
                    isInside = false
                }
            } else if byte == 0x22, text.isEmpty, !isQuoted {
                (isInside, isQuoted, mark) = (true, true, line)
            } else if byte == separator {
                endCell()
            } else if byte == 0x0a {
                endRow(first)
                first = line
            } else if byte != 0x0d || (index < bytes.endIndex && bytes[index] != 0x0a) {
                if !isQuoted {
                    text.append(byte)
                } else if byte != 0x20, strayTexts.last != line {
                    strayTexts.append(line)
                }
            }
        }
        endRow(first)
        openMark = isInside ? mark : nil
    }

    /// Tables are also separated by semicolons and tabs, where a comma is a decimal point.
    private static func separator(in header: ArraySlice<UInt8>) -> UInt8 {
        let marks: [UInt8] = [0x2c, 0x3b, 0x09]
        return marks.max { one, two in header.count { $0 == one } < header.count { $0 == two } } ?? 0x2c
    }

    private mutating func endCell() {
        let whole = String(decoding: text, as: UTF8.self)
        cells.append(Cell(text: isQuoted ? whole : String(whole.trimmed), isQuoted: isQuoted))
        (text, isQuoted) = ([], false)
    }

    private mutating func endRow(_ line: Int) {
        endCell()
        if cells.contains(where: { $0.value != nil }) { rows.append(Row(cells: cells, line: line)) }
        cells = []
    }
}
