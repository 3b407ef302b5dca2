import FoundationEssentials
import Glibc
import SSHTransport

/// Runs a command on every host of a list, WIDTH at a time, and prints its cost in the format of `floor.c`, which takes
/// the same arguments.
@main
struct FanOut {
    struct Usage: Error, CustomStringConvertible {
        let description: String
    }

    static func main() async {
        do {
            try await run(CommandLine.arguments)
        } catch {
            let line = "lockflight-bench: \(error)\n"
            write(STDERR_FILENO, line, line.utf8.count)
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) async throws {
        guard (6...8).contains(arguments.count), let width = Int(arguments[5]), width > 0 else {
            throw Usage(description: "usage: lockflight-bench TARGETS USER KEY HOSTKEY WIDTH [COMMAND [RESULTS]]")
        }
        let command = arguments.count > 6 ? arguments[6] : "true"
        let begin = ContinuousClock.now
        let targets = try targets(arguments)
        let client = SSHClient()
        let failures = await visit(targets, command, width: width, client)
        await client.shutdown()
        let wall = ContinuousClock.now - begin

        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let microseconds =
            (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000 + usage.ru_utime.tv_usec
            + usage.ru_stime.tv_usec
        print(
            targets.count, targets.count - failures.count, Int(wall / .milliseconds(1)), microseconds / targets.count,
            usage.ru_maxrss)
        if arguments.count > 7 {
            let failed = Set(failures.map(\.host))
            let good = targets.filter { !failed.contains($0.host) }.map { $0.address + "\n" }.joined()
            try good.write(toFile: arguments[7], atomically: true, encoding: .utf8)
        } else if let first = failures.first {
            throw first
        }
    }

    private static func targets(_ arguments: [String]) throws -> [SSHTarget] {
        let identity = try SSHIdentity.load(path: arguments[3])
        guard let pinned = SSHHostKey(openSSH: try String(contentsOfFile: arguments[4], encoding: .utf8)) else {
            throw Usage(description: "\(arguments[4]) has no public key")
        }
        let patience = SSHDeadlines(
            connect: .seconds(55), handshake: .seconds(55), authentication: .seconds(55), exec: .seconds(55))
        return try String(contentsOfFile: arguments[1], encoding: .utf8).split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let port = Int(words[1]) else { throw Usage(description: "not a target: \(line)") }
            return SSHTarget(
                host: String(line), address: String(words[0]), port: port, user: arguments[2], hostKeys: [pinned],
                identities: [identity], deadlines: patience)
        }
    }

    private static func visit(
        _ targets: [SSHTarget], _ command: String, width: Int, _ client: SSHClient
    ) async -> [SSHError] {
        await withTaskGroup(of: SSHError?.self) { group in
            var failures: [SSHError] = []
            for (index, target) in targets.enumerated() {
                if index >= width, let failure = await group.next() ?? nil { failures.append(failure) }
                group.addTask(executorPreference: client.executor) { await visit(target, command, client) }
            }
            for await failure in group { if let failure { failures.append(failure) } }
            return failures
        }
    }

    private static func visit(_ target: SSHTarget, _ command: String, _ client: SSHClient) async -> SSHError? {
        do throws(SSHError) {
            let connection = try await client.connect(to: target)
            let output = try await connection.run(command)
            await connection.close()
            guard output.exit == SSHExit(status: 0, signal: nil) else {
                return SSHError(code: .closed, host: target.host, message: "\(target.host) ended with \(output.exit)")
            }
            return nil
        } catch {
            return error
        }
    }
}
