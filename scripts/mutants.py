#!/usr/bin/env python3
"""Proves that the simulation sees: each known way to break a promise must be caught within a stated number of seeds.

usage: mutants.py SCRATCH [--only NAME]...

Copies the sources, puts every mutant of MUTANTS into the copy at once, each behind its own switch, builds the simulator
there once (in SCRATCH, which nothing else is built in), and lives seeds with one mutant after the other switched on.
Exit 1 when one survives, 70 when the sources have moved away from under a mutant.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent

# name, seeds within which it must be caught, file, the text as it is, the text with the mutant; $ON is true while it is
# switched on.
MUTANTS = [
    ("a boundary stays open after a failure", 100, "Sources/RolloutEngine/RolloutState+Failures.swift",
     "        isHeld = true\n", "        isHeld = !$ON\n"),
    ("the gate takes whatever it sees", 200, "Sources/RolloutEngine/RolloutState+Evidence.swift",
     "            if let problem = verdict.problem {\n                placements[placement]?.problem = problem\n            } else {\n                if state.rerun",
     "            if let problem = verdict.problem, !$ON {\n                placements[placement]?.problem = problem\n            } else {\n                if state.rerun"),
    ("a lost host counts as passed", 200, "Sources/RolloutEngine/RolloutState+Fold.swift",
     "        lostHosts[loss.host] = loss\n", "        if $ON { return }\n        lostHosts[loss.host] = loss\n"),
    ("what was done is not proved again after a restart", 400, "Sources/RolloutEngine/RolloutState+Fold.swift",
     "                if stage != .complete {\n", "                if stage != .complete, !$ON {\n"),
    ("more hosts change at once than the plan allows", 100, "Sources/RolloutEngine/RolloutState+Next.swift",
     "(isProved ? layer.maxInFlight : 1) -", "($ON ? 99 : isProved ? layer.maxInFlight : 1) -"),
    ("a rollback counts as verified without evidence", 200, "Sources/RolloutEngine/RolloutState+Evidence.swift",
     "        if let problem = verdict.problem {\n            placements[placement]?.problem = problem\n        } else {\n            accepted[capture.subject] = capture\n            settleRollback",
     "        if let problem = verdict.problem, !$ON {\n            placements[placement]?.problem = problem\n        } else {\n            accepted[capture.subject] = capture\n            settleRollback"),
    ("an interrupted step counts as passed", 400, "Sources/RolloutEngine/RolloutState+Fold.swift",
     "        case .interrupted(let detail): return Problem",
     "        case .interrupted where $ON: return nil\n        case .interrupted(let detail): return Problem"),
    ("a failed step counts as passed", 100, "Sources/RolloutEngine/RolloutState+Fold.swift",
     "        case .exited(let code): return Problem",
     "        case .exited where $ON: return nil\n        case .exited(let code): return Problem"),
    ("a run goes on although a host is not recovered", 200, "Sources/RolloutEngine/RolloutState+Requests.swift",
     "        if let failure = open.first {\n", "        if let failure = open.first, !$ON {\n"),
    ("the engine may be asked, and confirms nothing", 100, "Sources/RolloutEngine/RolloutState+Next.swift",
     "                if !isLost { decision.effects.append(.confirm(intent)) }",
     "                if !isLost, !$ON { decision.effects.append(.confirm(intent)) }"),
    ("an agent forgets the highest epoch", 400, "agent/AgentRuntime/HostFence.swift",
     "            guard epoch >= highestEpoch else", "            guard $ON || epoch >= highestEpoch else"),
    ("an agent runs an id twice", 400, "agent/AgentRuntime/HostAgent.swift",
     "            switch try journal.concluded(id) {\n            case .unknown: break\n            case .tombstoned:\n",
     "            switch $ON ? OperationStanding.unknown : try journal.concluded(id) {\n            case .unknown: break\n            case .tombstoned:\n"),
    ("an agent says tombstoned and writes none", 400, "agent/AgentRuntime/HostAgent.swift",
     "                try journal.tombstone(id)\n", "                if !$ON { try journal.tombstone(id) }\n"),
    ("a host does not go back by itself", 400, "agent/AgentRuntime/Supervision.swift",
     "        if let revert = request.intent.revert, outcome.isConfirmable {",
     "        if let revert = request.intent.revert, outcome.isConfirmable, !$ON {"),
    ("a lost operation is never settled", 100, "Sources/RolloutEngine/RolloutState+Next.swift",
     "                if !isLost { decision.effects.append(.settle(intent)) }",
     "                if !isLost, !$ON { decision.effects.append(.settle(intent)) }"),
    ("a deposed driver goes on writing", 400, "Sources/Ledger/Lease.swift",
     "        guard last?.epoch != epoch else { return }\n", "        guard !$ON, last?.epoch != epoch else { return }\n"),
    ("the next boundary does not wait for the last host", 200, "Sources/RolloutEngine/RolloutState+Advance.swift",
     "        while pending.isEmpty, !isHeld", "        while pending.count <= ($ON ? 1 : 0), !isHeld"),
]

SWITCH = """
/// Which mutant is switched on; made by scripts/mutants.py.
#if canImport(Glibc)
    internal import Glibc
#endif
let activeMutant = getenv("LOCKFLIGHT_MUTANT").flatMap { Int(String(cString: $0)) } ?? -1
"""


def mutate(copy):
    for number, (name, _, file, text, mutated) in enumerate(MUTANTS):
        path = copy / file
        source = path.read_text()
        if source.count(text) != 1:
            print(f"{file} has {source.count(text)} places for the mutant '{name}'; give it another text", file=sys.stderr)
            sys.exit(70)
        path.write_text(source.replace(text, mutated.replace("$ON", f"(activeMutant == {number})")))
        (path.parent / "ActiveMutant.swift").write_text(SWITCH)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    scratch = pathlib.Path(sys.argv[1]).resolve()
    only = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "--only"]
    copy = scratch / "mutants"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for entry in ["Package.swift", "Sources", "Tests", "agent", "coordinator", "inventory", "bench"]:
        source = REPOSITORY / entry
        if source.is_dir():
            shutil.copytree(source, copy / entry)
        else:
            shutil.copy(source, copy / entry)
    mutate(copy)
    subprocess.run(
        ["swift", "build", "-c", "release", "--static-swift-stdlib", "--scratch-path", str(scratch), "--package-path", str(copy),
         "--product", "lockflight-simulate"], check=True)
    survivors = []
    for number, (name, seeds, *_) in enumerate(MUTANTS):
        if only and name not in only:
            continue
        run = subprocess.run(
            [str(scratch / "release" / "lockflight-simulate"), "--seeds", str(seeds), "--no-shrink"],
            env={**os.environ, "LOCKFLIGHT_MUTANT": str(number)}, capture_output=True, text=True)
        first = next((line for line in run.stdout.splitlines() if line.startswith("seed ")), "")
        if run.returncode in (0, 2):
            survivors.append(name)
            print(f"SURVIVED {seeds} seeds: {name}", flush=True)
        else:
            print(f"caught: {name}\n    {first or 'the simulator itself stopped'}", flush=True)
    print(f"{len(MUTANTS) - len(survivors)} of {len(MUTANTS)} mutants caught")
    sys.exit(1 if survivors else 0)


main()
