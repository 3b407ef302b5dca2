import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RolloutPause: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Start nothing new; keep sampling what has changed.",
        discussion: "Example: lockflight rollout pause")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.request(.pause)
        return CommandResult(
            lines: ["\(state.definition.run) is paused; \(try await control.driverSentence())"],
            document: RunDocument(state, at: Context.clock.wall(), context.commandLines),
            next: [.resume(run: control.run)])
    }
}

struct RolloutResume: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Go on: after a pause, a crash, or an answered failure.",
        discussion: """
            What was done is proved again instead of trusted. After a failed boundary this is refused until every failed
            host is rechecked, rerun or rolled back, and says what is missing.
            Example: lockflight rollout resume
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.state()
        let driver = try await control.ledger.currentDriver(of: control.run)
        let resumption = state.resumption(isDriven: driver != nil)
        switch resumption {
        case .closed: throw CommandError(.refused, "\(control.run) is \(state.status)", next: .status(run: control.run))
        case .decision: return try await control.requestAndFollow(.resume)
        case .underWay:
            throw CommandError(
                .refused, "\(control.run) is \(try await control.driverSentence())",
                consequence: "Nothing was recorded.",
                next: .watch(run: control.run))
        case .driver: return try await control.drive()
        }
    }
}

struct RolloutAbort: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort", abstract: "End forward work for good; change no host; leave rollback open.",
        discussion: "Example: lockflight rollout abort --reason 'wrong release'")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "Why; recorded.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).requestAndFollow(.abort, reason: reason)
    }
}

struct RolloutRebind: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebind", abstract: "Take a host's new address and key from the inventory into a live run.",
        discussion: "Example: lockflight rollout rebind r-7k3fq2 --host core-2 --reason 'new network card'")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The host.") var host: String
    @Option(name: .long, help: "Why; recorded. Asked for where it is left out.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let inventory = try await context.inventory(of: control.ledger)
        guard let entry = inventory.hosts.first(where: { $0.name.rawValue == host }) else {
            throw CommandError(.refused, "the inventory has no host '\(host)'", next: .listInventory)
        }
        let action = RequestedAction.rebind(
            host: entry.name, address: entry.address, port: entry.port, hostKeys: entry.hostKeys)
        let state = try await control.request(
            action, reason: reason, needsReason: "to reach \(host) in another way")
        return CommandResult(
            lines: ["\(host) is now reached at \(entry.address):\(entry.port) in \(control.run)"],
            document: RunDocument(state, at: Context.clock.wall(), context.commandLines),
            next: state.nextCommands(at: Context.clock.wall()).map(\.command))
    }
}

struct RolloutRetire: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Take a host out of a run; its end then reads 'verified except'.",
        discussion: "Example: lockflight rollout retire r-7k3fq2 --host edge-3 --as ana --reason 'machine is gone'")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The host.") var host: String
    @Option(name: .customLong("as"), help: "The owner who decides it.") var owner: String
    @Option(name: .long, help: "Why; recorded. Asked for where it is left out.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.request(
            .retire(host: HostName(host), owner: Owner(owner)),
            reason: reason, needsReason: "to take \(host) out of \(control.run)")
        return CommandResult(
            lines: ["\(host) is retired from \(control.run)"],
            document: RunDocument(state, at: Context.clock.wall(), context.commandLines),
            next: state.nextCommands(at: Context.clock.wall()).map(\.command))
    }
}

struct RolloutFinalize: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "finalize", abstract: "End the rollback window of a verified or wholly rolled back run.",
        discussion: "Example: lockflight rollout finalize r-7k3fq2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.request(.finalize)
        let final = state.plan.layers.filter { $0.rollback.boundary == .untilFinalize }.map(\.name.rawValue)
        var lines: [TerminalText] = ["\(control.run) is finalized"]
        if !final.isEmpty { lines.append("no way back: \(final.joined(separator: ", "))") }
        return CommandResult(lines: lines, document: RunDocument(state, at: Context.clock.wall(), context.commandLines))
    }
}

struct RolloutCancel: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End a run that has changed nothing; frees its hosts.",
        discussion: """
            For a run that is held in preflight or at its baseline, or was aborted before any step ran. Once a step may have run, \
            roll back and finalize instead.
            Example: lockflight rollout cancel --reason 'another window'
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "Why; recorded.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.request(.cancel, reason: reason)
        return CommandResult(
            lines: ["\(control.run) is cancelled: it changed nothing, and its hosts are free"],
            document: RunDocument(state, at: Context.clock.wall(), context.commandLines), next: [.status(run: nil)])
    }
}
