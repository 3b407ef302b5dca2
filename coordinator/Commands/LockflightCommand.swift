import Approvals
import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import FileReading
import FleetAccess
import Foundation
import Glibc
import LabFleet
import Ledger
import Logging
import OperatorCommands
import RolloutEngine
import SafeText
import UpgradeDomain

/// The options of every command.
struct GlobalOptions: ParsableArguments {
    @Option(name: .long, help: "The ledger's database. (default: $LOCKFLIGHT_LEDGER, else .lockflight/ledger.sqlite)")
    var ledger: String?

    @Flag(name: .long, help: "Print the result as JSON.")
    var json = false

    @Flag(name: .long, help: "No colours. NO_COLOR does the same.")
    var noColor = false

    @Flag(name: .shortAndLong, help: "Print which ledger is used.")
    var verbose = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            """
            Log what the command does internally, at this level and above: trace, debug, info, notice, warning, error or critical. \
            (default: nothing; info with --log-file)
            """, valueName: "level"),
        completion: .list(Logger.Level.allCases.map(\.rawValue)), transform: Logger.Level.named)
    var logLevel: Logger.Level?

    @Option(
        name: .long, help: "Append the log to this file instead of standard error.", completion: .file())
    var logFile: String?

    /// Where the log goes; nil if none was requested.
    func logWriter(_ context: Context) throws -> LogWriter? {
        if let logFile { return try .file(logFile, besides: context.ledgerPath) }
        return logLevel.map { _ in .standardError() }
    }

    func context() -> Context {
        let environment = ProcessInfo.processInfo.environment
        let columns = Renderer.terminalColumns
        let isTerminal = columns > 0 && !json && environment["TERM"] != "dumb"
        let asked = environment["COLUMNS"].flatMap { Int($0) }
        let isColourless = noColor || environment["NO_COLOR"].map { !$0.isEmpty } == true
        return Context(
            commandLines: CommandLines(ledger: ledger),
            ledgerPath: ledger ?? environment["LOCKFLIGHT_LEDGER"] ?? ".lockflight/ledger.sqlite", isJSON: json,
            style: Style(isEnabled: isTerminal && !isColourless),
            width: max(40, isTerminal ? columns : asked ?? 200),
            isTerminal: isTerminal && (logLevel == nil || logFile != nil), environment: environment)
    }
}

/// A command that returns a value; the renderer prints it and the exit-code table ends the process.
protocol LockflightCommand: AsyncParsableCommand {
    var options: GlobalOptions { get }
    func perform(_ context: Context) async throws -> CommandResult
}

extension LockflightCommand {
    func run() async throws {
        var context = options.context()
        if options.verbose { Renderer.remark("ledger \(URL(fileURLWithPath: context.ledgerPath).standardized.path)") }
        do {
            let log = try options.logWriter(context)
            if let log { context.logger = log.logger(from: options.logLevel) }
            let result = try await Self.logged(to: log) { try await perform(context) }
            Renderer.deliver(result, context)
            if let problem = Renderer.outputProblem(instead: result.status) { throw problem }
            if result.status != .verified { throw ExitCode(result.status.rawValue) }
        } catch let code as ExitCode {
            throw code
        } catch {
            let reported = CommandError(reporting: error)
            Renderer.deliver(reported, context)
            throw ExitCode(reported.status.rawValue)
        }
    }
}

extension LockflightCommand {
    /// Runs the command and flushes its log before its result is printed.
    private static func logged(
        to log: LogWriter?, _ work: () async throws -> CommandResult
    ) async throws -> CommandResult {
        defer { log?.flush() }
        return try await work()
    }
}

extension CommandError {
    /// Turns any module's error into a message and an exit code.
    init(reporting error: any Error) {
        switch error {
        case let error as CommandError: self = error
        case let error as FileProblems: self.init(.refused, error.description, consequence: "Nothing was stored.")
        case let error as LedgerError: self.init(error.exitStatus, error.description, next: error.next)
        case let error as LabError: self.init(.failure, error.description, next: error.next)
        case let error as RuntimeError: self.init(.refused, error.description, next: error.next)
        case let error as FleetAccessError:
            self.init(
                error.isRefusal ? .refused : .failure, error.message, consequence: error.consequence, next: error.next)
        case let error as StatementProblem: self.init(.refused, error.words, consequence: "Nothing was recorded.")
        case let error as PolicyProblem:
            self.init(.refused, error.words, consequence: "Nothing was recorded.", next: .showPolicy(version: nil))
        case let error as ContactFailure: self.init(.unreachable, error.message, next: error.next)
        default: self.init(.failure, error.documentWords)
        }
    }
}

extension LedgerError {
    fileprivate var exitStatus: ExitStatus {
        switch code {
        case .absent, .fileExists, .notALedger, .untrusted, .newerSchema, .olderSchema, .unknownPlan, .unknownRun,
            .unknownStatement, .ambiguous,
            .conflict,
            .leaseRequired,
            .leaseHeld, .deposed, .runClosed, .hostClaimed, .contradiction, .tooLarge:
            .refused
        case .cannotOpen, .busy, .diskFull, .readOnly, .storageFailed, .damaged: .failure
        case .commitUnknown: .unreachable
        }
    }
}

extension Context {
    /// The ledger; created with its folder if it does not exist.
    func ledgerForImport() async throws -> Ledger { await logged(try await Ledger.openMakingFolders(at: ledgerPath)) }

    /// The ledger; throws if it does not exist, so that a command in the wrong folder does not create an empty one.
    func ledger() async throws -> Ledger { await logged(try await Ledger.openExisting(at: ledgerPath)) }

    /// The ledger for reading; throws an error that says how to create one if it does not exist.
    func existingLedger() async throws -> Ledger { await logged(try await Ledger.openReadOnly(at: ledgerPath)) }

    private func logged(_ ledger: Ledger) async -> Ledger {
        logger.debug("opened the ledger", metadata: ["ledger": "\(ledger.id)", "path": "\(ledgerPath)"])
        await ledger.log(to: logger)
        return ledger
    }

    func inventory(of ledger: Ledger) async throws -> FleetInventory {
        guard let inventory = try await ledger.currentInventory() else {
            throw CommandError(.refused, "the ledger has no inventory", next: .importInventory(file: nil))
        }
        return inventory
    }

    static var clock: RuntimeClock { RuntimeClock.system }

    /// Prepares connections to hosts without opening them; asks for the passphrases of their keys on the terminal.
    func connection(to hosts: [UpgradeDomain.Host], of ledger: Ledger) async throws -> FleetConnection {
        try await FleetConnection.open(
            to: hosts, among: try await ledger.currentInventory(), environment: environment, logger: logger)
    }
}

extension RuntimeClock {
    /// This machine's clocks.
    static var system: RuntimeClock {
        let start = ContinuousClock().now
        return RuntimeClock(
            monotonic: { MonotonicTime(sinceStart: ContinuousClock().now - start) },
            wall: { WallTime(clamping: Int64(Date().timeIntervalSince1970 * 1_000)) })
    }
}
