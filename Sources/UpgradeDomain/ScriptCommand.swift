import SafeText

/// A command that runs on a host: an argument array, never a shell line.
///
/// Arguments, environment values and the working directory may hold placeholders (``Placeholder``).
package struct ScriptCommand: Codable, Hashable, Sendable {
    /// The executable and its arguments; never empty.
    package var arguments: [String]
    /// Relative to the host's working directory unless absolute; nil means the working directory itself.
    package var workingDirectory: String?
    package var environment: [String: String]
    package var timeoutSeconds: Int
    /// The script whose content is the instrument: its SHA-256 is recorded with each execution. Nil means the first
    /// argument that looks like a path (a slash, no white space), or the executable.
    package var script: String?

    package init(
        arguments: [String], workingDirectory: String? = nil, environment: [String: String] = [:],
        timeoutSeconds: Int, script: String? = nil
    ) {
        self.arguments = arguments
        self.workingDirectory = workingDirectory
        self.environment = environment
        self.timeoutSeconds = timeoutSeconds
        self.script = script
    }

    /// Every text that may hold placeholders.
    package var texts: [String] {
        arguments + environment.values.sorted() + [workingDirectory, script].compactMap(\.self)
    }

    /// The command with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> ScriptCommand {
        var command = self
        command.arguments = arguments.map(replace)
        command.environment = environment.mapValues(replace)
        command.workingDirectory = workingDirectory.map(replace)
        command.script = script.map(replace)
        return command
    }

    /// The path of the script that this command executes, as written in the plan.
    package var scriptPath: String {
        script ?? arguments.first { $0.holds(anyOf: "/") && !$0.begins(with: "-") && !$0.holds(anyOf: " \t\r\n") }
            ?? arguments[0]
    }

    /// The arguments that may be the script of a rollback, the most likely first. The host checks its files to find
    /// which one it is. ``scriptPath`` takes the first with a slash, which is the interpreter in `/bin/bash
    /// ./rollback.sh`. It must not change, because its digest is recorded.
    package var wayBackWords: [String] {
        if let script { return [script] }
        let words = arguments.filter { !$0.begins(with: "-") && !$0.holds(anyOf: " \t\r\n") }
        return words.filter { $0.holds(anyOf: "/") } + words.filter { !$0.holds(anyOf: "/") }
    }

    /// Whether a shell takes its code from an argument, so that no file can be identified as the script: `bash -c
    /// '...'`, also after another program: `sudo -n bash -c '...'`.
    package var isShellText: Bool {
        guard script == nil, let shell = arguments.firstIndex(where: ScriptCommand.isShell) else { return false }
        return arguments[(shell + 1)...].contains {
            $0.begins(with: "-") && !$0.begins(with: "--") && $0.ends(with: "c")
        }
    }

    private static func isShell(_ word: String) -> Bool {
        let program = word.cut(atLast: "/")?.after ?? word[...]
        return ["sh", "bash", "dash", "ksh", "zsh"].contains { program.isSpelled($0) }
    }
}

/// What to keep for one command of the rollback, so that it can run whatever the change does to its script.
package struct KeepOrder: Codable, Hashable, Sendable {
    package var command: ScriptCommand
    /// Files and folders that it needs, relative to the host's working directory; empty for its script's folder.
    package var paths: [String]
    /// If the script's folder is too large to keep, keeping the script alone is enough; nil means no.
    package var scriptWillDo: Bool?

    package init(command: ScriptCommand, paths: [String] = [], scriptWillDo: Bool? = nil) {
        self.command = command
        self.paths = paths
        self.scriptWillDo = scriptWillDo
    }
}

/// The values of `${...}` in a plan's commands and URLs, for one placement, and in an inventory's texts, for one host.
package struct PlaceholderValues: Hashable, Sendable {
    private let values: [String: String]
    /// Whether `${run}` stays, and texts are expanded to ``OpenText``.
    private let leavesRunOpen: Bool

    /// The placeholders that the texts of a plan may use for a host in one of its layers.
    ///
    /// - Parameters:
    ///   - host: with its address, variables and working directory.
    ///   - layer: of the plan.
    ///   - plan: with the files that it carries.
    ///   - run: nil before there is one; texts are expanded to ``OpenText`` then.
    package init(host: Host, layer: PlanLayer, of plan: Plan, run: RunID?) {
        var values = [
            "host": host.name.rawValue, "address": host.address, "layer": layer.name.rawValue,
            "from": layer.version.from.rawValue, "to": layer.version.to.rawValue,
            "workingDirectory": host.workingDirectory(in: layer.name),
        ]
        values["run"] = run?.rawValue
        leavesRunOpen = run == nil
        values["baseURL"] = host.baseURL(in: layer.name)
        values["authority"] = values["baseURL"].flatMap(PlaceholderValues.authority)
        for (name, value) in host.variables(in: layer.name) { values["var.\(name)"] = value }
        for file in plan.files ?? [] { values["file.\(file.name)"] = file.mark }
        self.values = values
    }

    /// The placeholders that an inventory's texts may use for their host; `layer` if the text is for one layer.
    package init(host: HostName, address: String, variables: [String: String], layer: LayerName? = nil) {
        var values = ["host": host.rawValue, "address": address]
        values["layer"] = layer?.rawValue
        for (name, value) in variables { values["var.\(name)"] = value }
        self.values = values
        leavesRunOpen = false
    }

    /// The host and port of an `http` or `https` URL (RFC 3986, 3.2), with the scheme's default port if it names none.
    static func authority(of url: String) -> String? {
        let plain = url.rest(after: "http://")
        guard let rest = plain ?? url.rest(after: "https://") else { return nil }
        let authority = rest.prefix(upToAnyOf: "/?#")
        let afterAddress = authority.cut(atLast: "]")?.after ?? authority
        if afterAddress.holds(anyOf: ":") { return String(authority) }
        return authority + (plain == nil ? ":443" : ":80")
    }

    /// The names that are defined, sorted.
    package var names: [String] { (values.keys + (leavesRunOpen ? ["run"] : [])).sorted() }

    /// The names that a text uses but that are not defined, in order of appearance.
    package func unknownNames(in text: String) -> [String] {
        Placeholder.names(in: text).filter { values[$0] == nil && !(leavesRunOpen && $0 == "run") }
    }

    /// The text with every known placeholder replaced once. A replaced value is not expanded again.
    package func expand(_ text: String) -> String {
        leavesRunOpen ? OpenText.open(text) { values[$0] } : Placeholder.replace(in: text) { values[$0] }
    }

    /// The command with every placeholder replaced.
    package func expand(_ command: ScriptCommand) -> ScriptCommand { command.mapTexts(expand) }
}
