import ContentDigest
import Foundation
import RunViews
import SafeText
import UpgradeDomain

extension ChangeRecord {
    /// Markdown that reads well as plain text.
    var markdown: MarkdownText {
        var lines: [MarkdownText] = ["# \(title)", "", "**\(verdict)**", "", "| | |", "|---|---|"]
        lines += facts.map { row([$0.name, $0.value]) }
        lines += ["", "## Timeline", "", "| from | until | for | status |", "|---|---|---|---|"]
        lines += stretches.map { row([$0.from.rfc3339, $0.until.rfc3339, $0.duration, $0.words]) }
        for table in tables {
            lines += ["", "## \(table.title)", ""]
            guard !table.rows.isEmpty else {
                lines.append("\(table.empty)")
                continue
            }
            lines += [row(table.headers), "|" + MarkdownText(repeating: "---|", count: table.headers.count)]
            lines += table.rows.map(row)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func row(_ cells: [String]) -> MarkdownText { .row(cells) }

    // MARK: HTML

    /// One self-contained page for wide and narrow screens, light and dark mode, and print.
    var html: HTMLText {
        let sections = tables.map { table -> HTMLText in
            let body: HTMLText =
                table.rows.isEmpty
                ? "<p class=\"none\">\(table.empty)</p>"
                : "<div class=\"scroll\"><table><thead>\(cells(table.headers, "th"))</thead><tbody>"
                    + table.rows.map { cells($0, "td") }.joined(separator: "\n") + "</tbody></table></div>"
            return "<section><h2>\(table.title)</h2>\(body)</section>"
        }
        let list = facts.map { "<div><dt>\($0.name)</dt><dd>\($0.value)</dd></div>" as HTMLText }
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="\(ChangeRecord.policy)">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(title)</title>
            <style>\(ChangeRecord.style)</style>
            </head>
            <body>
            <header><h1>\(title)</h1><p class="\(isGood ? "good" : "open")">\(verdict)</p></header>
            <dl>\(list.joined(separator: "\n"))</dl>
            <section><h2>Timeline</h2>\(drawing)\(legend)</section>
            \(sections.joined(separator: "\n"))
            </body>
            </html>

            """
    }

    /// The stretches as bars in one row, with widths proportional to their duration.
    private var drawing: HTMLText {
        let total = max(1, stretches.reduce(0) { $0 + $1.width })
        var left = 0
        let bars = stretches.map { stretch -> HTMLText in
            defer { left += stretch.width }
            let (x, width) = (left * 1_000 / total, max(2, stretch.width * 1_000 / total))
            return """
                <rect class="\(stretch.kind.rawValue)" x="\(x)" y="0" width="\(width)" height="40">\
                <title>\(stretch.words), \(stretch.duration)</title></rect>
                """
        }
        return """
            <svg viewBox="0 0 1000 40" preserveAspectRatio="none" role="img" aria-label="The run over time">\
            \(bars.joined(separator: "\n"))</svg>
            """
    }

    private var legend: HTMLText {
        let rows = stretches.map { stretch -> HTMLText in
            "<li class=\"\(stretch.kind.rawValue)\"><time>\(stretch.from.rfc3339)</time> "
                + "<span>\(stretch.words)</span> <em>\(stretch.duration)</em></li>"
        }
        return "<ol>\(rows.joined(separator: "\n"))</ol>"
    }

    private func cells(_ values: [String], _ tag: HTMLText) -> HTMLText {
        "<tr>" + values.map { "<\(tag)>\($0)</\(tag)>" as HTMLText }.joined() + "</tr>"
    }

    /// Whatever a value contains, nothing is loaded, run or sent. The only style is allowed by its hash (CSP Level 3).
    private static let policy: HTMLText =
        "default-src 'none'; style-src 'sha256-\(base64(of: Digest.sha256(of: Array(style.written.utf8))))'; "
        + "base-uri 'none'; form-action 'none'"

    private static func base64(of digest: Digest) -> String {
        let digits = Array(digest.rawValue.utf8.suffix(64))
        let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16)
        }
        return Data(bytes).base64EncodedString()
    }

    private static let style: HTMLText = """
        :root{--ink:#1b1f24;--paper:#fff;--line:#d5d9de;--dim:#5d6670;--forward:#2f6f9f;--held:#b3261e;--back:#a15c00;\
        --rest:#4d7c4d}
        @media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--paper:#14171a;--line:#343a40;--dim:#9aa3ac;\
        --forward:#6aa9d8;--held:#ff8a80;--back:#e5a24a;--rest:#86c386}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--paper);color:var(--ink);\
        font:16px/1.5 system-ui,sans-serif}
        h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
        .good,.open{display:inline-block;margin:0;padding:.1rem .6rem;border:2px solid;border-radius:1rem;font-weight:600}
        .good{color:var(--rest)}.open{color:var(--held)}
        dl div{display:flex;gap:1rem;border-bottom:1px solid var(--line);padding:.2rem 0}
        dt{flex:0 0 7rem;color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
        svg{width:100%;height:2.5rem;display:block}
        rect.forward{fill:var(--forward)}rect.held{fill:var(--held)}rect.back{fill:var(--back)}rect.rest{fill:var(--rest)}
        ol{list-style:none;margin:.5rem 0;padding:0}
        li{border-left:.4rem solid;padding:0 .6rem;margin:.2rem 0}
        li.forward{border-color:var(--forward)}li.held{border-color:var(--held)}li.back{border-color:var(--back)}
        li.rest{border-color:var(--rest)}
        time,em,.none{color:var(--dim);font-style:normal}
        .scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%;font-size:.9rem}
        th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
        th{color:var(--dim);font-weight:600}
        @media print{body{max-width:none}}
        """
}

extension ChangeRecord.Stretch {
    /// `0.4 s`, `73 s`: tenths of a second for short durations.
    var duration: String {
        let milliseconds = max(0, until.milliseconds(since: from))
        return milliseconds < 10_000
            ? "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100) s" : "\(milliseconds / 1_000) s"
    }

    /// Its share of the drawing; the shortest stays visible.
    fileprivate var width: Int { Int(clamping: max(200, until.milliseconds(since: from))) }
}

extension MarkdownText {
    /// A row of a table.
    static func row(_ cells: [String]) -> MarkdownText {
        "| " + cells.map(MarkdownText.init(escaping:)).joined(separator: " | ") + " |"
    }
}
