import ArgumentParser
import Foundation

/// `lockflight-simulate`: whole runs in virtual time, each from a seed.

// Swift seeds its hash tables differently in each process by default, so that a seed would not replay.
if getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
    setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", &arguments)
    fatalError("could not start again: \(String(cString: strerror(errno)))")
}

GlobalExecutorHook.install()
SimulationCommand.main()
