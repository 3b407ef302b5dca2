import SafeText

/// Command lines of OpenSSH's client, as pure functions: what Lockflight insists on stands before what ssh_config says, because
/// the first value of an option wins (ssh_config(5)).
struct OpenSSHOptions {
    let target: OpenSSHTarget
    /// Holds the pinned keys under the host's label.
    let knownHostsPath: String
    /// Where the connection listens for its commands.
    let controlPath: String
    /// Where `ssh` is to write its standard error, and the one for the jump host its log.
    var logPath: String { controlPath + ".log" }
    /// The control socket of the jump host in front; nil when there is none.
    let jumpControlPath: String?
    /// What keeps `ssh` from agreeing on keys by GSSAPI; nothing where its build can not.
    var gssapiOptions: [String] = []

    /// How long a connection outlives its last command, should nobody end it.
    static let idleSeconds = 60

    /// Logs in, goes to the background, and waits for commands.
    var logIn: [String] {
        ["-f", "-N", "-M", "-S", controlPath, "-o", "ControlPersist=\(OpenSSHOptions.idleSeconds)"]
            + common(logLevel: "DEBUG3") + destination
    }

    /// Runs one command over the connection, and never over one of its own.
    func run(_ command: String) -> [String] {
        ["-S", controlPath, "-o", "ControlMaster=no", "-o", "ProxyCommand=false"] + common(logLevel: "DEBUG2")
            + destination + [command]
    }

    /// Writes the key that the host shows to the file of known hosts, which is not there yet; gives up at the login.
    var showHostKey: [String] {
        let options = [
            "StrictHostKeyChecking=accept-new", "HashKnownHosts=no", "PreferredAuthentications=none",
            "ControlMaster=no", "ControlPath=none",
        ]
        return options.flatMap { ["-o", $0] } + common(logLevel: "DEBUG3") + destination + ["true"]
    }

    /// Ends the connection and its commands.
    var close: [String] { tell("exit") }

    /// Succeeds while the connection stands.
    var check: [String] { tell("check") }

    /// Where nobody answers, `ssh` would log in instead.
    private func tell(_ word: String) -> [String] {
        ["-S", controlPath, "-o", "ProxyCommand=false", "-O", word] + common(logLevel: "ERROR") + destination
    }

    /// Behind `--`, so that no name is taken for an option.
    private var destination: [String] { ["--", target.alias ?? target.place.address] }

    /// - Parameter logLevel: as far as `OpenSSHLog` and `OpenSSHCommandLog` need it to follow what `ssh` does.
    private func common(logLevel: String) -> [String] {
        let place = target.place
        // Its own limit covers the banner too, and only stands in for ours.
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

    /// Passes the connection on over the one to the jump host. It gets no standard error from an `ssh` that is to persist.
    private var jumpCommand: String? {
        guard let jumpControlPath, let jump = target.jumps.last else { return nil }
        let words = [
            "ssh", "-F", "none", "-S", jumpControlPath, "-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-o",
            "LogLevel=DEBUG1", "-E", doubled(logPath), "-W", "[%h]:%p", "--", jump.place.host,
        ]
        return ShellText.line(words)
    }

    /// As one word of an ssh_config value, and without the meaning that `%` has there.
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
