package import FileReading
import SafeText
package import UpgradeDomain

extension InventoryDraft {
    /// The inventory, with the settings that its entries leave out filled in as OpenSSH would.
    /// - Throws: all problems at once, including those of the text.
    package func resolved(by answers: SSHConfigAnswers) throws(FileProblems) -> FleetInventory {
        let reader = FileReader(file: file, problems: problems, unlisted: unlistedProblems)
        let hosts = SSHResolution(entries: entries, answers: answers, reader: reader).hosts()
        let placed = zip(hosts, entries).map { (host: $0, line: $1.line, hasWholeLayers: $1.hasWholeLayers) }
        HostRules(hosts: placed, reader: reader).check()
        try reader.finish()
        return FleetInventory(layers: layers, hosts: hosts)
    }
}

/// Fills in the settings that entries leave out.
private struct SSHResolution {
    let entries: [InventoryDraft.Entry]
    let answers: SSHConfigAnswers
    let reader: FileReader

    /// In the order of the entries.
    func hosts() -> [Host] {
        reportFailures()
        var hosts = entries.map(settled)
        let ways = SSHJumpWays(among: hosts)
        for (index, entry) in entries.enumerated() {
            guard let text = hosts[index].ssh?.proxyJump else { continue }
            hosts[index].jump = jump(of: hosts[index], over: ways.way(text), entry.line)
        }
        let jumps = Dictionary(hosts.map { ($0.name, $0.jump) }) { first, _ in first }
        for (host, entry) in zip(hosts, entries) {
            guard let text = host.ssh?.proxyJump else { continue }
            checkFirstHops(of: host, ways.way(text), jumps, entry.line)
        }
        return hosts
    }

    /// A broken ssh_config fails for every host with the same message, which is reported once.
    private func reportFailures() {
        var reported: Set<String> = []
        for entry in entries {
            guard let words = answers.failures[entry.host.name], reported.insert(words).inserted else { continue }
            let others = answers.failures.values.count { $0 == words } - 1
            let also = others > 0 ? ", and for \(others) more" : ""
            reader.report(
                entry.line, "ssh -G gives no answer for host \(entry.host.name)\(also): \(words)",
                "correct ssh_config, or do not use it: 'sshConfig: none'")
        }
    }

    // MARK: A host by itself

    private func settled(_ entry: InventoryDraft.Entry) -> Host {
        var host = entry.host
        let answer = answers.hosts[host.name] ?? answers.defaults
        var ssh = SSHSettings(configFile: answers.configFile)
        let name = answers.hosts[host.name] == nil ? nil : answer.first("HostName")
        if let name, !name.isSpelled(host.address), HostAddress(name) == nil {
            reader.report(
                entry.line, "ssh_config gives host \(host.name) the HostName '\(name)', which is not a valid address",
                "correct ssh_config, or do not use it: 'sshConfig: none'")
        } else if let name, HostAddress(name) != HostAddress(host.address) {
            ssh.alias = host.address
            host.address = name
        } else if HostAddress.isHarmless(host.address), HostAddress(host.address) == nil,
            !HostAddress.isOvercomplete(host.address)
        {
            reader.report(
                entry.line,
                "'\(host.address)' of host \(host.name) is not a valid address, and ssh_config has no HostName for it",
                HostAddress.remedy(for: host.address))
        }
        host.port = entry.said.port ?? answer.first("Port").flatMap { Int($0) } ?? host.port
        host.user = entry.said.user ?? answer.first("User") ?? ""
        if entry.said.user == nil, !host.user.isEmpty {
            if !NameGrammar.login.accepts(host.user) {
                reader.report(
                    entry.line, "ssh_config gives host \(host.name) the User '\(host.user)'", NameGrammar.login.words)
            }
        }
        ssh.hostKeyAlias = answer.first("HostKeyAlias")
        if entry.said.jump == nil, !entry.said.isDirect { ssh.proxyJump = answer.first("ProxyJump") }
        ssh.notHonoured = notHonoured(of: entry, answer)
        let files = answer.all("IdentityFile")
        if entry.said.identityFile == nil, files != answers.defaults.all("IdentityFile") {
            ssh.identityFiles = identityFiles(files, of: host, ssh, entry.line)
            host.identityFile = ssh.identityFiles.first
            if files.contains("none"), host.transport != .openssh { ssh.notHonoured.append("IdentityFile") }
        }
        host.ssh = ssh == SSHSettings() ? nil : ssh
        return filled(host, entry.line)
    }

    /// The host with the placeholders in its directories, key file and URLs replaced. Variables and labels are not
    /// changed.
    private func filled(_ host: Host, _ line: Int) -> Host {
        var host = host
        func fill(_ text: String, _ values: PlaceholderValues) -> String {
            reader.filled(text, line, of: host.name, values) ?? text
        }
        let values = PlaceholderValues(host: host.name, address: host.address, variables: host.variables)
        host.identityFile = host.identityFile.map { fill($0, values) }
        // Nothing runs in the folder of a host that others only pass; what gives it to all has no value there.
        let isPassed = host.placements.isEmpty && !values.unknownNames(in: host.workingDirectory).isEmpty
        host.workingDirectory = isPassed ? "" : fill(host.workingDirectory, values)
        host.agentDirectory = host.agentDirectory.map { fill($0, values) }
        checkAbsolute(host.workingDirectory, "workingDirectory", "host \(host.name)", line)
        checkAbsolute(host.agentDirectory ?? "", "agentDirectory", "host \(host.name)", line)
        for index in host.placements.indices {
            let layer = host.placements[index].layer
            let values = PlaceholderValues(
                host: host.name, address: host.address, variables: host.variables(in: layer), layer: layer)
            if let written = host.placements[index].baseURL {
                let inURL = PlaceholderValues(
                    host: host.name, address: ServiceURL.address(host.address, in: written),
                    variables: host.variables(in: layer), layer: layer)
                let (url, isFilled) = reader.whole { fill(written, inURL) }
                if url != written, isFilled { _ = reader.baseURL(url, line, of: host.name) }
                host.placements[index].baseURL = url
            }
            guard let folder = host.placements[index].workingDirectory.map({ fill($0, values) }) else { continue }
            checkAbsolute(folder, "workingDirectory", "layer \(layer) of host \(host.name)", line)
            host.placements[index].workingDirectory = folder
        }
        return host
    }

    private func checkAbsolute(_ folder: String, _ key: String, _ whose: String, _ line: Int) {
        if folder.isEmpty || folder.utf8.first == 0x2f { return }
        reader.report(line, "\(key) '\(folder)' of \(whose) is not absolute", "start it with '/'")
    }

    /// The options that are set but not honoured; reports those without which the host can not be reached.
    private func notHonoured(of entry: InventoryDraft.Entry, _ answer: SSHConfigAnswer) -> [String] {
        let host = entry.host
        var names: [String] = []
        for option in SSHOption.all where answer.all(option.name) != answers.defaults.all(option.name) {
            switch option.effect {
            case .replaced: names.append(option.name)
            case .missed: if host.transport != .openssh { names.append(option.name) }
            case .needed(let why):
                guard host.transport != .openssh else { continue }
                if let own = own(insteadOf: option, entry), own.isSaid {
                    names.append(option.name)
                } else {
                    let other = own(insteadOf: option, entry).map { ", or '\($0.key)'" } ?? ""
                    reader.report(
                        entry.line,
                        "ssh_config gives host \(host.name) the option \(option.name), and \(why)",
                        "write 'transport: openssh' in its entry\(other)")
                }
            }
        }
        return names
    }

    /// The inventory key that replaces an option of ssh_config, and whether the entry has it.
    private func own(
        insteadOf option: SSHOption, _ entry: InventoryDraft.Entry
    ) -> (key: String, isSaid: Bool)? {
        switch option.name {
        case "ProxyCommand": ("jump: HOST", entry.said.jump != nil || entry.said.isDirect)
        case "CertificateFile", "PKCS11Provider": ("identityFile: PATH", entry.said.identityFile != nil)
        default: nil
        }
    }

    private func identityFiles(_ files: [String], of host: Host, _ ssh: SSHSettings, _ line: Int) -> [String] {
        let alias = ssh.alias ?? host.address
        let tokens: [Unicode.Scalar: String] = [
            "%": "%", "d": "~", "h": host.address, "k": ssh.hostKeyAlias ?? alias, "n": alias, "p": "\(host.port)",
            "r": host.user, "u": answers.defaults.first("User") ?? "",
        ]
        return files.filter { $0 != "none" }.compactMap { file in
            if let path = expanded(file, tokens) { return path }
            if host.transport != .openssh {
                reader.report(
                    line,
                    "ssh_config's IdentityFile \(file) of host \(host.name) has a token or variable that is not supported here",
                    "write 'identityFile: PATH' in its entry, or 'transport: openssh'")
            }
            return nil
        }
    }

    /// A path with its tokens replaced (ssh_config(5), TOKENS); nil if a token is unknown, or the path has a variable.
    private func expanded(_ path: String, _ tokens: [Unicode.Scalar: String]) -> String? {
        if path.holds("${") { return nil }
        var text = String.UnicodeScalarView()
        var rest = path.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar != "%" {
                text.append(scalar)
            } else if let token = rest.popFirst(), let value = tokens[token] {
                text.append(contentsOf: value.unicodeScalars)
            } else {
                return nil
            }
        }
        return String(text)
    }

    // MARK: The ways between hosts

    /// The host of the inventory that ProxyJump names last: the one directly in front.
    private func jump(of host: Host, over way: [SSHJumpWays.Hop], _ line: Int) -> HostName? {
        guard let last = way.last else { return nil }
        if last.matches.count == 1 { return last.matches[0] }
        let names = last.matches.map(\.rawValue).joined(separator: ", ")
        reader.report(
            line,
            "ssh_config reaches host \(host.name) through \(last.text), which "
                + (last.matches.isEmpty ? "is not a host of this file" : "may be any of \(names)"),
            (last.matches.isEmpty ? "add a host entry for it, and " : "")
                + "write 'jump: NAME' in the entry of \(host.name)")
        return nil
    }

    /// The earlier hosts of ProxyJump must be the jump hosts of the last one, because a host has only one path.
    private func checkFirstHops(
        of host: Host, _ way: [SSHJumpWays.Hop], _ jumps: [HostName: HostName?], _ line: Int
    ) {
        guard var behind = host.jump else { return }
        for hop in way.dropLast().reversed() {
            let jump = jumps[behind] ?? nil
            guard let jump, hop.matches.contains(jump) else {
                reader.report(
                    line,
                    "ssh_config reaches host \(host.name) through \(hop.text) and then \(behind), but the path to "
                        + "\(behind) is \(jump.map { "through \($0)" } ?? "direct")",
                    "write 'jump: NAME' in the entry of \(behind), with the host that \(hop.text) is")
                return
            }
            behind = jump
        }
    }
}
