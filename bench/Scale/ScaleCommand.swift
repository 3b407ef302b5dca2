import Glibc

/// The measurements of `make bench` for the engine and the ledger, without a network; prints one line of JSON.
@main
struct ScaleCommand {
    private static let usage = """
        usage: lockflight-bench-scale engine HOSTS
               lockflight-bench-scale fill LEDGER HOSTS EVENTS
               lockflight-bench-scale append LEDGER GROUP SECONDS
               lockflight-bench-scale json SECONDS
        """

    static func main() async {
        do {
            print(try await answer(Array(CommandLine.arguments.dropFirst())))
        } catch {
            let line = "lockflight-bench-scale: \(error)\n"
            write(STDERR_FILENO, line, line.utf8.count)
            exit(1)
        }
    }

    private static func answer(_ arguments: [String]) async throws -> String {
        let numbers = arguments.compactMap { Int($0) }.filter { $0 > 0 }
        switch (arguments.first, arguments.count, numbers.count) {
        case ("engine", 2, 1): return try EngineScale.run(hosts: numbers[0])
        case ("fill", 4, 2): return try await LedgerScale.fill(arguments[1], hosts: numbers[0], events: numbers[1])
        case ("json", 2, 1): return try JSONScale.run(seconds: numbers[0])
        case ("append", 4, 2): return try await LedgerScale.append(arguments[1], group: numbers[0], seconds: numbers[1])
        default: throw BenchFailure(usage)
        }
    }
}

struct BenchFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
