import ArgumentParser

struct LabCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab", abstract: "Run a test fleet on this machine: real sshd hosts with stacks.",
        discussion: "Example: lockflight lab up --hosts 8",
        subcommands: [LabUp.self, LabStatusCommand.self, LabBreak.self, LabMend.self, LabDown.self])
}
