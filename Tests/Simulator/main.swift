import Foundation

/// `lockflight-simulate`: whole runs in virtual time, each from a seed.
///
/// usage: lockflight-simulate --seeds N [--from S] [--jobs J]     summary; exit 1 at the first seed that fails
///        lockflight-simulate --seed S [--trace] [--fault I]...    one seed, with all or only some of its faults

// Swift's hash tables are seeded anew in each process, unless told otherwise; a seed would not replay.
if getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
    setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", &arguments)
    fatalError("could not start again: \(String(cString: strerror(errno)))")
}

GlobalExecutorHook.install()
exit(SimulationCommand(CommandLine.arguments).run())
