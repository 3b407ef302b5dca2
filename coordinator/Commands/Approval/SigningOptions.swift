import ArgumentParser

/// With which key a person signs.
struct KeyOption: ParsableArguments {
    @Option(
        name: .long,
        help: "The file with the key that signs, where a policy asks for signatures. (default: a key of the ssh-agent)",
        completion: .file())
    var key: String?
}

/// How a recovery is signed.
struct RecoverySigning: ParsableArguments {
    @OptionGroup var keyOption: KeyOption
    @Option(name: .long, help: "For how many hours a signed approval is valid; break-glass for one at most.")
    var validHours = 24

    func validate() throws {
        guard (1...168).contains(validHours) else { throw ValidationError("--valid-hours takes 1 to 168") }
    }

    var key: String? { keyOption.key }
    var hours: Int { validHours }
}
