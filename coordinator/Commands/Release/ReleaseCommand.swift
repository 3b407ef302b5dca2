import ArgumentParser

struct ReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Sign the list of a release's files.",
        discussion: """
            Owners say what is done, where and when; whoever builds a release says what it is made of. A plan names the list
            and its signatures with `release`, and preflight compares the list with the hosts.
            Example: lockflight release sign releases/1.5.0.sha256 --key ~/.ssh/id_ed25519
            """,
        subcommands: [ReleaseSign.self])
}
