import ArgumentParser

struct LabCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "A fleet on this machine to try things on: real sshd hosts with stacks.",
        discussion: "Example: lockflight lab up --hosts 8",
        subcommands: [LabUp.self, LabStatusCommand.self, LabBreak.self, LabMend.self, LabDown.self])
}
