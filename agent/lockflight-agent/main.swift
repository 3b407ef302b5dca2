import AgentRuntime
import Glibc

exit(AgentProgram.run(arguments: CommandLine.arguments))
