import ArgumentParser

struct ApprovalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approval", abstract: "What people sign: ask for it, take it, show it, revoke it.",
        discussion: "Example: lockflight approval list",
        subcommands: [
            ApprovalRequest.self, ApprovalAdd.self, ApprovalList.self, ApprovalShow.self, ApprovalRevoke.self,
            ApprovalAcknowledge.self,
        ],
        defaultSubcommand: ApprovalList.self)
}
