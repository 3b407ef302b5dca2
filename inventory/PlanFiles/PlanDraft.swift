import SafeText
package import UpgradeDomain

/// What a first plan file says, before a person edits it: one set of surfaces, steps and checks for every layer.
package struct PlanDraft: Sendable {
    /// A surface, and what a host answered when it was tried.
    package struct Surface: Sendable {
        package var name: String
        /// The kind and its value as a plan file has them, such as `http: {url: "..."}`.
        package var source: String

        private init(_ name: String, _ source: String) { (self.name, self.source) = (name, source) }

        package static func http(_ name: String, url: String) -> Surface {
            Surface(name, "http: {url: \(quoted(url))}")
        }

        package static func tcp(port: Int) -> Surface { Surface("port-\(port)", "tcp: {port: \(port)}") }

        /// - Parameter unit: as systemctl shows it.
        package static func unit(_ unit: String) -> Surface {
            let name = unit.cut(atLast: ".").map { String($0.before) } ?? unit
            let valid = String(
                decoding: name.utf8.map { NameGrammar.word.accepts(String(UnicodeScalar($0))) ? $0 : 0x2d },
                as: UTF8.self)
            return Surface("unit-\(valid)", "unit: \(quoted(unit))")
        }
    }

    /// What stands for the reference of a review until a person writes it.
    static let unwritten = "TO BE WRITTEN"

    package var name: String
    /// What is captured on every host, before and after.
    package var evidence: [Surface]
    /// Where the running version is read: a URL and the pointer to it, or a command line.
    package var version: VersionPlace
    package var path: Surface
    /// Command lines.
    package var redeploy: String
    package var rollback: String
    package var check: String
    package var guardrail: String
    package var layers: [LayerName]

    /// Where the running version is read.
    package enum VersionPlace: Sendable {
        case url(String, pointer: String)
        case command(String)
    }

    package init(
        name: String, evidence: [Surface], version: VersionPlace, path: Surface, redeploy: String, rollback: String,
        check: String, guardrail: String, layers: [LayerName]
    ) {
        (self.name, self.evidence, self.version, self.path) = (name, evidence, version, path)
        (self.redeploy, self.rollback, self.check, self.guardrail) = (redeploy, rollback, check, guardrail)
        self.layers = layers
    }

    /// YAML. The versions are left out, so that the file serves for one upgrade after the other.
    ///
    /// - Parameter seen: what was seen of a surface, by its name; written beside it as a comment.
    package func text(seen: [String: String] = [:]) -> String {
        func line(_ surface: Surface) -> String {
            let comment = seen[surface.name].map { "   # seen: \(PlanDraft.comment($0))" } ?? ""
            return "{name: \(surface.name), \(surface.source)}\(comment)"
        }
        var lines = [
            "# One kind of upgrade, for every pair of versions; --from and --to say which. docs/reference.md has every key.",
            "# ${...} is filled in for each host: host, address, layer, from, to, baseURL, workingDirectory, var.NAME.",
            "version: 1", "name: \(PlanDraft.quoted("\(name)-${to}"))",
            "changeClass: minor                        # patch, minor, major, configuration or emergency",
            "reviews:                                  # what was read and agreed before",
            "  - {title: Release notes, reference: \(PlanDraft.unwritten)}",
            "evidence:                                 # compared before and after, on every host",
        ]
        lines += evidence.map { "  - \(line($0))" }
        lines += [
            "materialization: \(PlanDraft.run(check))   # exits 0 if what is on disk is what runs, before and after",
            "guardrails:                               # run right before every change; any exit code but 0 stops it",
            "  - \(PlanDraft.run(guardrail))",
            "representativePath:                       # one path that a user really takes", "  \(line(path))",
            "layerDefaults:                            # what each layer has unless it says otherwise",
            "  components:                             # the version that runs, not the one on disk",
            "    - {name: app, \(versionSource)}"
                + (seen["version"].map { "   # seen: \(PlanDraft.comment($0))" } ?? ""),
            "  steps:",
            "    - {name: redeploy, \(PlanDraft.members(redeploy)), idempotent: false}   # true: it may run twice",
            "  rollback: {boundary: untilFinalize, \(PlanDraft.members(rollback))}",
            "  batches: [1, 100%]                      # first one host, then all",
            "  soakSeconds: 60                         # how long a host must stay healthy before the next batch",
            "layers:                                   # the first one changes first",
        ]
        return (lines + layers.map { "  - {name: \($0)}" }).joined(separator: "\n") + "\n"
    }

    private var versionSource: String {
        switch version {
        case .url(let url, let pointer): "http: {url: \(PlanDraft.quoted(url))}, pointer: \(PlanDraft.quoted(pointer))"
        case .command(let command): "command: \(PlanDraft.run(command))"
        }
    }

    // MARK: Forms

    private static func run(_ command: String) -> String { "{\(members(command))}" }

    /// The words of a command line; a shell reads one that needs a shell.
    private static func members(_ command: String) -> String {
        let words = command.fields(separatedBy: " \t").map(String.init)
        let first = words.first ?? ""
        let needsShell =
            command.replacing("${", with: "").holds(anyOf: "\"'`\\|&;<>()*?[]#~$") || first.holds(anyOf: "=!")
        let run = needsShell ? ["sh", "-c", command] : words
        return "run: [\(run.map(quoted).joined(separator: ", "))]"
    }

    /// A YAML text in double quotes.
    private static func quoted(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped.replacing("\n", with: "\\n").replacing("\t", with: "\\t"))\""
    }

    /// On one line, whatever a host has answered.
    private static func comment(_ text: String) -> String {
        let first = text.lines.first ?? ""
        let shown = first.unicodeScalars.prefix(80).filter { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
            default: true
            }
        }
        return String(String.UnicodeScalarView(shown))
    }
}
