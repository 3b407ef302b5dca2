import AgentProtocol
import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Ledger
import OperatorCommands
import RolloutEngine
import SafeText
import UpgradeDomain

struct LedgerWitness: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "witness", abstract: "Compare a run's record with the chain heads that its hosts keep.",
        discussion: """
            Each operation, and each capture at a gate, sends the head of the run's chain to its host. Somebody who \
            can write to the ledger can not change it there. A head that is not in the record shows that the record \
            was rewritten, or is an older copy. The hosts' answers are stored, and `evidence export` includes them.
            Example: lockflight ledger witness r-7k3fq2
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let (ledger, run) = (control.ledger, control.run)
        let hosts = RunHosts(try await ledger.readableEvents(of: run)).hosts.values.sorted { $0.name < $1.name }
        guard !hosts.isEmpty else {
            throw CommandError(
                .refused, "the record of \(run) does not list its hosts", next: .verifyLedger(file: nil))
        }
        let connection = try await context.connection(to: hosts, of: ledger)
        let answers = await FleetJournals(connector: connection.connector, ledger: ledger.id, clock: Context.clock)
            .memories(of: hosts)
        await connection.close()
        let hashes = try await ledger.chainHashes(of: run)
        let found = zip(hosts, answers).map { host, answer in Found(host.name, answer, of: run, hashes) }
        try await ledger.keep(found.flatMap(\.witnesses), of: run, by: context.user, at: Context.clock.wall())
        return result(run, found, context)
    }

    /// The heads that one host keeps.
    private struct Found: Encodable {
        enum Verdict: String, Encodable { case agrees, contradicts, silent, unreachable }
        var host: HostName
        var verdict: Verdict
        var detail: String
        var witnesses: [Witness]

        init(
            _ host: HostName, _ answer: Result<FleetJournals.Memory, ContactFailure>, of run: RunID,
            _ hashes: [Digest: UInt64]
        ) {
            self.host = host
            switch answer {
            case .failure(let failure): (verdict, detail, witnesses) = (.unreachable, failure.message, [])
            case .success(let memory):
                witnesses = memory.entries.filter { $0.operation.belongs(to: run) }.compactMap { entry in
                    entry.chainHead.map { Witness(host: host, operation: entry.operation, head: $0) }
                }
                witnesses += memory.heads.filter { $0.run == run }.map {
                    Witness(host: host, operation: nil, head: $0.chainHead)
                }
                if let stray = witnesses.first(where: { hashes[$0.head] == nil }) {
                    verdict = .contradicts
                    detail =
                        "keeps the head \(stray.head.short) of \(stray.origin), which no event of this record has"
                } else if let newest = witnesses.compactMap({ hashes[$0.head] }).max() {
                    (verdict, detail) = (
                        .agrees, "keeps \(counted(witnesses.count, "head")), the newest that of event \(newest)"
                    )
                } else {
                    (verdict, detail) = (.silent, "keeps no head of this run")
                }
            }
        }
    }

    private func result(_ run: RunID, _ found: [Found], _ context: Context) -> CommandResult {
        let rows = found.map { found -> [TerminalText] in
            let word: TerminalText =
                switch found.verdict {
                case .agrees: context.style.green("agrees")
                case .contradicts: context.style.red("contradicts")
                case .silent: "silent"
                case .unreachable: context.style.yellow("not asked")
                }
            return ["\(found.host)", word, "\(found.detail)"]
        }
        let verdicts = Set(found.map(\.verdict))
        let status: ExitStatus =
            verdicts.contains(.contradicts) ? .failure : verdicts.contains(.unreachable) ? .unreachable : .verified
        let remark: TerminalText =
            switch status {
            case .failure:
                "this record is not the original: it was rewritten, or is an older copy; find the right one"
            case .unreachable: "not every host could be asked; repeat the command once they answer"
            default:
                "heads are sent with operations and at gates; only an exported bundle can witness events after the last head"
            }
        return CommandResult(
            lines: TextTable(headers: ["HOST", "RECORD", "WHAT IT KEEPS"], rows: rows)
                .lines(width: context.width, style: context.style), document: found, status: status,
            remarks: [remark])
    }
}
