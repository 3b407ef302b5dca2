package import SafeText
import UpgradeDomain

extension HostLeaf {
    /// The leaf in words, for an owner who signs it.
    package var lines: [TerminalText] {
        var lines: [TerminalText] = ["host       \(host), where everything runs as \(account)"]
        for placement in placements { lines += placement.lines }
        if let fleetEvidence {
            lines += ["", "fleet      captured here for the whole fleet"] + fleetEvidence.lines("evidence")
        }
        if lines.contains(where: { $0.written.holds("${run}") }) {
            lines += [
                "", "${run} is the run's id, which is not known before it starts; $${ is a ${ of the text itself",
            ]
        }
        return lines
    }
}

extension LeafPlacement {
    fileprivate var lines: [TerminalText] {
        var lines: [TerminalText] = ["", "layer      \(layer)  \(from) -> \(to), in \(directory)"]
        if let release { lines.append("  release    \(release)") }
        for guardrail in guardrails { lines += guardrail.lines("guardrail", in: directory) }
        for step in steps {
            let marks =
                (step.once ? ["once, on this host"] : []) + (step.idempotent ? ["idempotent"] : [])
                + (step.rebootWithinSeconds.map { ["reboots the host, back within \($0) s"] } ?? [])
            lines += step.command.lines("step", "\(step.name): ", marks, in: directory)
        }
        if let confirmWithinSeconds {
            lines.append("  confirm    rolls back by itself if not reached within \(confirmWithinSeconds) s of a step")
        }
        lines += rollback.lines(in: directory) + evidence.lines("evidence")
        if let layerEvidence { lines += layerEvidence.lines("for layer") }
        return lines
    }
}

extension LeafRollback {
    fileprivate func lines(in directory: String) -> [TerminalText] {
        guard let command else { return ["  rollback   never"] }
        let reach =
            switch boundary {
            case .reversible: "possible until the run is finalized, and later with a separate plan"
            case .untilFinalize: "possible until the run is finalized"
            case .untilNextLayer: "possible until the next layer starts"
            case .oneWay: "never"
            }
        var lines: [TerminalText] = ["  rollback   \(reach)"]
        for guardrail in guardrails { lines += guardrail.lines("  before it", in: directory) }
        lines += command.lines("  it runs", in: directory)
        for path in keeps ?? [] { lines.append("    keeps    \(path)") }
        for artifact in requires {
            lines.append("    requires \(artifact.path)\(artifact.sha256.map { ", \($0)" } ?? "")")
        }
        return lines
    }
}

extension LeafCommand {
    /// - Parameters:
    ///   - label: what it is.
    ///   - name: in front of the command line.
    ///   - marks: what else holds.
    ///   - usual: the directory that goes without saying.
    fileprivate func lines(
        _ label: String, _ name: String = "", _ marks: [String] = [], in usual: String
    ) -> [TerminalText] {
        let terms = ["at most \(timeoutSeconds) s"] + marks + (directory == usual ? [] : ["in \(directory)"])
        let blank = TerminalText(repeating: " ", count: 13)
        var lines: [TerminalText] = [
            TerminalText("  \(label)").padded(to: 13)
                + "\(name)\(ShellText.line(arguments))  (\(terms.joined(separator: "; ")))"
        ]
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) {
            lines.append(blank + "with \(variable)=\(ShellText.word(value))")
        }
        if let script { lines.append(blank + "its script is \(script)") }
        for (file, digest) in (files ?? [:]).sorted(by: { $0.key < $1.key }) {
            lines.append(blank + "\(file) is \(digest)")
        }
        return lines
    }
}

extension LeafCapture {
    fileprivate func lines(_ label: String) -> [TerminalText] {
        surfaces.flatMap { surface -> [TerminalText] in
            if let command = surface.command { return command.lines(label, "\(surface.name): ", in: directory) }
            return [TerminalText("  \(label)").padded(to: 13) + "\(surface.name): \(surface.words)"]
        }
    }
}

extension LeafSurface {
    /// What is asked, other than a command.
    fileprivate var words: String {
        if let http {
            let headers = http.headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            let secrets = http.secretHeaders.sorted { $0.key < $1.key }.map { "\($0.key) from \($0.value.file)" }
            return (["GET \(http.url)"] + headers + secrets + seconds(http.timeoutSeconds)).joined(separator: "; ")
        }
        if let runtime {
            let parts = [
                runtime.manifest.map { "manifest \($0)" }, runtime.checkout.map { "checkout \($0)" },
                runtime.pidFile.map { "pid file \($0)" }, runtime.unit.map { "unit \($0)" },
                runtime.container.map { "\($0.engine.rawValue) container \($0.name)" },
                runtime.ports.isEmpty ? nil : "ports \(runtime.ports.joined(separator: " "))",
            ].compactMap(\.self)
            return (["what runs"] + parts + seconds(runtime.timeoutSeconds)).joined(separator: "; ")
        }
        if let tcp {
            let tls = tcp.tls.map { ["with TLS for \($0.serverName)"] } ?? []
            return (["port \(tcp.port) of \(tcp.address)"] + tls + seconds(tcp.timeoutSeconds)).joined(separator: "; ")
        }
        if let unit { return (["unit \(unit.name)"] + seconds(unit.timeoutSeconds)).joined(separator: "; ") }
        if let container {
            let name = "\(container.engine.rawValue) container \(container.name)"
            return ([name] + seconds(container.timeoutSeconds)).joined(separator: "; ")
        }
        return "nothing"
    }

    private func seconds(_ count: Int) -> [String] { ["at most \(count) s"] }
}
