import SafeText

/// Command lines of OpenSSH's client, as pure functions. Lockflight's required options come before those of ssh_config,
/// because the first value of an option wins (ssh_config(5)).
struct OpenSSHOptions {
    let target: OpenSSHTarget
    /// The file with the pinned keys, under the host's label.
    let knownHostsPath: String
    /// Where the connection listens for its commands.
    let controlPath: String
    /// Where `ssh` writes its standard error, and the `ssh` for the jump host its log.
    var logPath: String { controlPath + ".log" }
    /// The control socket of the jump host before it; nil if there is none.
    let jumpControlPath: String?
    /// What stops `ssh` from doing the key exchange by GSSAPI; empty if its build does not support GSSAPI.
    var gssapiOptions: [String] = []

    /// How long a connection outlives its last command if it is not closed.
    static let idleSeconds = 60

    /// Logs in, goes into the background, and waits for commands.
    var logIn: [String] {
        ["-f", "-N", "-M", "-S", controlPath, "-o", "ControlPersist=\(OpenSSHOptions.idleSeconds)"]
            + common(logLevel: "DEBUG3") + destination
    }

    /// Runs one command over the existing connection, never over a new one.
    func run(_ command: String) -> [String] {
        ["-S", controlPath, "-o", "ControlMaster=no", "-o", "ProxyCommand=false"] + common(logLevel: "DEBUG2")
            + destination + [command]
    }

    /// Writes the key that the host presents to the known-hosts file, which does not exist yet; stops at the login.
    var showHostKey: [String] {
        let options = [
            "StrictHostKeyChecking=accept-new", "HashKnownHosts=no", "PreferredAuthentications=none",
            "ControlMaster=no", "ControlPath=none",
        ]
        return options.flatMap { ["-o", $0] } + common(logLevel: "DEBUG3") + destination + ["true"]
    }

    /// Ends the connection and its commands.
    var close: [String] { tell("exit") }

    /// Succeeds while the connection is open.
    var check: [String] { tell("check") }

    /// If no connection answers, `ssh` would log in instead.
    private func tell(_ word: String) -> [String] {
        ["-S", controlPath, "-o", "ProxyCommand=false", "-O", word] + common(logLevel: "ERROR") + destination
    }

    /// After `--`, so that no name is read as an option.
    private var destination: [String] { ["--", target.alias ?? target.place.address] }

    /// - Parameter logLevel: the level that `OpenSSHLog` and `OpenSSHCommandLog` need to follow what `ssh` does.
    private func common(logLevel: String) -> [String] {
        let place = target.place
        // The limit of `ssh` itself covers the banner too, and is only a fallback for Lockflight's own deadlines.
        let connectSeconds = (place.deadlines.connect + place.deadlines.handshake).components.seconds + 1
        let silence = max(1, place.deadlines.silence.components.seconds / 3)
        var words = target.configFile.map { ["-F", $0] } ?? []
        words += ["-T", "-a", "-x", "-p", "\(place.port)", "-l", place.user]
        let options = [
            "BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=\(quoted(knownHostsPath))",
            "GlobalKnownHostsFile=/dev/null", "HostKeyAlias=\(place.host)", "CheckHostIP=no", "UpdateHostKeys=no",
            "VerifyHostKeyDNS=no", "KnownHostsCommand=none", "RemoteCommand=none", "ConnectionAttempts=1",
            "ConnectTimeout=\(connectSeconds)", "ServerAliveInterval=\(silence)",
            "ServerAliveCountMax=2", "ClearAllForwardings=yes", "PermitLocalCommand=no", "EscapeChar=none",
            "LogLevel=\(logLevel)", "GSSAPIDelegateCredentials=no",
        ]
        for option in options + gssapiOptions { words += ["-o", option] }
        if target.alias != nil { words += ["-o", "HostName=\(doubled(place.address))"] }
        for file in target.identityFiles { words += ["-i", file] }
        if !target.identityFiles.isEmpty { words += ["-o", "IdentitiesOnly=yes"] }
        if let socket = target.agentSocket { words += ["-o", "IdentityAgent=\(quoted(socket))"] }
        if let jump = jumpCommand { words += ["-o", "ProxyCommand=\(jump)"] }
        return words
    }

    /// Forwards the connection over the one to the jump host. A persistent `ssh` passes it no standard error.
    private var jumpCommand: String? {
        guard let jumpControlPath, let jump = target.jumps.last else { return nil }
        let words = [
            "ssh", "-F", "none", "-S", jumpControlPath, "-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-o",
            "LogLevel=DEBUG1", "-E", doubled(logPath), "-W", "[%h]:%p", "--", jump.place.host,
        ]
        return ShellText.line(words)
    }

    /// As one word of an ssh_config value, with `%` made literal.
    private func quoted(_ path: String) -> String {
        "\"\(doubled(path))\""
    }

    private func doubled(_ text: String) -> String {
        var doubled = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "%" { doubled.append(scalar) }
            doubled.append(scalar)
        }
        return String(doubled)
    }
}
