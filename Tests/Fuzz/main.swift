import CLibFuzzer
import Foundation

// usage: lockflight-fuzz --ENTRY [libFuzzer's options] [CORPUS FOLDER...] | --ENTRY INPUT FILE
//
// Runs one entry point for untrusted bytes under libFuzzer, or replays one input. libFuzzer itself ignores options that
// begin with two dashes, so its child processes (-merge=1, -jobs=N) get the entry as well. scripts/fuzz.sh runs all.

var argumentCount = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv

let entry = CommandLine.arguments.lazy.compactMap { Entry(option: $0) }.first
guard let entry else {
    print("name an entry: \(Entry.allCases.map { "--\($0)" }.joined(separator: ", "))")
    exit(64)
}
Entry.chosen = entry

let status = LLVMFuzzerRunDriver(&argumentCount, &arguments) { bytes, count in
    Entry.chosen.check(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
exit(status)
