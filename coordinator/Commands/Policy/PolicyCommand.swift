import ArgumentParser

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Manage the policy: who may approve what, with which keys.",
        discussion: """
            Until a ledger has a policy, approvals are claims of an operating-system user. From its first version on, only
            signed approvals count, for every run that is started afterwards.
              1. `policy init` writes a file to edit. `policy check` says what is missing.
              2. `policy sign policy.yaml --key KEY` makes the text that is signed, policy-v1.json, and a signature beside it.
              3. Send policy-v1.json to the others who must sign. They need no ledger: `policy sign policy-v1.json` shows
                 what it says, and with `--key KEY` signs it. Put their .sig files beside policy-v1.json.
              4. `policy add policy-v1.json` verifies the signatures and stores it. Its fingerprint is what everybody compares.
            For the next version, edit the file (`policy init` writes the current one) and start again at 2.
            Example: lockflight policy check policy.yaml
            """,
        subcommands: [
            PolicyInit.self, PolicyCheck.self, PolicySign.self, PolicyAdd.self, PolicyShow.self, PolicyLog.self,
        ])
}
