import Commands

await Lockflight.runFromCommandLine()
