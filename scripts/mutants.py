#!/usr/bin/env python3
"""Tests the simulation: each known way to break a promise must be caught within a given number of seeds.

usage: mutants.py FOLDER [--only NAME]...

Puts every mutant of MUTANTS into copies of its targets, in FOLDER, each behind its own switch. Builds the simulator once with
these copies in place of the targets, in the build folder of the other optimised products, so that only these targets and their
importers are compiled. Then runs seeds with one mutant after the other switched on. Exits with 1 if one survives, and with 70 if
the source text of a mutant has changed.
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent

# name, seeds within which it must be caught, file, the original text, the text with the mutant; $ON is true while it is
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
     "if state.phase == .soaked, stage != .complete {", "if state.phase == .soaked, stage != .complete, !$ON {"),
    ("time in which the driver stood still counts", 1000, "coordinator/CoordinatorRuntime/RunDriver.swift",
     "        guard gap > RunDriver.longestTurn, state", "        guard !$ON, gap > RunDriver.longestTurn, state"),
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
     "let seen = takeOver ? 0 : highestEpoch\n", "let seen: Epoch = takeOver || $ON ? 0 : highestEpoch\n"),
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
    ("a deposed driver goes on writing", 2500, "Sources/Ledger/Lease.swift",
     "        guard last?.epoch != epoch else { return }\n", "        guard !$ON, last?.epoch != epoch else { return }\n"),
    ("a capture is recorded without its evidence", 100, "Sources/Ledger/Ledger+Events.swift",
     "            try db.keep(kept, at: time)\n", "            if !$ON { try db.keep(kept, at: time) }\n"),
    ("a coordinator drives whatever host answers", 1000, "coordinator/CoordinatorRuntime/DrivingHello.swift",
     "        guard isOurs else {\n", "        guard isOurs || $ON else {\n"),
    ("a quarantine frees a host that is at work", 2500, "coordinator/CoordinatorRuntime/FleetSettlement.swift",
     "isSettled: Bool { running.isEmpty }", "isSettled: Bool { running.isEmpty || $ON }"),
    ("a quarantine asks hosts without claiming them", 400, "coordinator/CoordinatorRuntime/FleetSettlement.swift",
     "            _ = try await hello.claim(session, seen: seen, on: host.name)\n",
     "            if !$ON { _ = try await hello.claim(session, seen: seen, on: host.name) }\n"),
    ("a rollback runs the new version's script", 200, "Sources/RolloutEngine/PreflightNeeds.swift",
     "guardrails: own.rollbackGuardrails, usesPreserved: true)",
     "guardrails: own.rollbackGuardrails, usesPreserved: !$ON)"),
    ("the next boundary does not wait for the last host", 200, "Sources/RolloutEngine/RolloutState+Advance.swift",
     "        while pending.isEmpty, !isHeld", "        while pending.count <= ($ON ? 1 : 0), !isHeld"),
    ("one person is enough where it takes two", 200, "Sources/Approvals/Authority+Permission.swift",
     "counted.intersection(group.people).count >= group.threshold {",
     "counted.intersection(group.people).count >= ($ON ? 1 : group.threshold) {"),
    ("a signature for any purpose counts", 200, "Sources/Approvals/SignatureFindings.swift",
     "namespace: purpose.namespace, rules: asked", "namespace: $ON ? signature.namespace : purpose.namespace, rules: asked"),
    ("the attempts of an approval are never used up", 400, "Sources/Approvals/Authority+Permission.swift",
     "if ask.attempts.count(where: { $0 >= statement.issuedAt.time }) >= attempts {",
     "if ask.attempts.count(where: { $0 >= statement.issuedAt.time }) >= attempts, !$ON {"),
    ("an approval counts after its end", 100, "Sources/Approvals/Authority+Permission.swift",
     "        if wall >= end.time { return", "        if wall >= end.time, !$ON { return"),
    ("a hold point needs no approval that names it", 100, "Sources/Approvals/Authority+Permission.swift",
     "if let point = ask.holdPoint, !statement", "if let point = ask.holdPoint, !$ON, !statement"),
    ("an approval covers whatever would run on a host", 200, "Sources/Approvals/Authority+Permission.swift",
     "guard let own, given.signed.leaves?[ask.placement.host] == own else {",
     "guard let own, $ON || given.signed.leaves?[ask.placement.host] == own else {"),
    ("a decision is recorded with a later time than its own", 2500, "coordinator/CoordinatorRuntime/RunDriver.swift",
     "(decided ?? clock.wall(), clock.monotonic())", "($ON ? clock.wall() : decided ?? clock.wall(), clock.monotonic())"),
    ("a rollback counts as no attempt", 2500, "Sources/RolloutEngine/RolloutState+Authority.swift",
     "            case .rollback, .breakGlass: state", "            case .rollback where $ON: []\n            case .rollback, .breakGlass: state"),
    ("a recovery of a signed run needs no statement", 100, "Sources/RolloutEngine/RolloutState+Authority.swift",
     "        let asks = asks(of: action)\n        var people", "        let asks = $ON ? [] : asks(of: action)\n        var people"),
]

SWITCH = """
/// Which mutant is switched on; made by scripts/mutants.py.
internal import Glibc

let activeMutant = getenv("LOCKFLIGHT_MUTANT").flatMap { Int(String(cString: $0)) } ?? -1
"""


def targets():
    """The folders of the targets that have mutants."""
    return sorted({str(pathlib.Path(*pathlib.Path(file).parts[:2])) for _, _, file, _, _ in MUTANTS})


def mutate(copy):
    """Writes the targets with their mutants. An unchanged file keeps its time, so that it is not compiled again."""
    texts = {}
    for target in targets():
        for path in (REPOSITORY / target).rglob("*.swift"):
            texts[path.relative_to(REPOSITORY)] = path.read_text()
        texts[pathlib.Path(target, "ActiveMutant.swift")] = SWITCH
    for number, (name, _, file, text, mutated) in enumerate(MUTANTS):
        source = texts[pathlib.Path(file)]
        if source.count(text) != 1:
            print(f"{file} has {source.count(text)} places for the mutant '{name}'; give it another text", file=sys.stderr)
            sys.exit(70)
        texts[pathlib.Path(file)] = source.replace(text, mutated.replace("$ON", f"(activeMutant == {number})"))
    for stale in [path for path in copy.rglob("*.swift") if path.relative_to(copy) not in texts]:
        stale.unlink()
    for place, text in texts.items():
        path = copy / place
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def build(copy):
    """The simulator with the mutants, copied so that the next build of the real one does not replace it."""
    environment = {**os.environ, "LOCKFLIGHT_MUTANTS": f"{copy.name}:{','.join(targets())}"}
    flags = os.environ.get("SWIFT_RELEASE_FLAGS") or sys.exit("run this with `make mutants`, which sets the build flags")
    command = ["swift", "build", *flags.split(), "--product", "lockflight-simulate"]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    return shutil.copy2(REPOSITORY / ".build" / "release" / "lockflight-simulate", copy / "lockflight-simulate")


def caught(simulator, number, seeds):
    """The output of the first seed that catches a mutant; None if none does."""
    run = subprocess.run(
        [simulator, "--seeds", str(seeds), "--no-shrink"], env={**os.environ, "LOCKFLIGHT_MUTANT": str(number)},
        capture_output=True, text=True)
    if run.returncode in (0, 2):
        return None
    return next((line for line in run.stdout.splitlines() if line.startswith("seed ")), "the simulator itself stopped")


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    copy = REPOSITORY / sys.argv[1]
    only = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "--only"]
    chosen = [(number, name, seeds) for number, (name, seeds, *_) in enumerate(MUTANTS) if not only or name in only]
    if not chosen:
        sys.exit(f"there is no mutant with the name {', '.join(only)}")
    mutate(copy)
    simulator = build(copy)
    survivors = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as jobs:
        for (_, name, seeds), first in zip(chosen, jobs.map(lambda mutant: caught(simulator, mutant[0], mutant[2]), chosen)):
            survivors += first is None
            print(f"SURVIVED {seeds} seeds: {name}" if first is None else f"caught: {name}\n    {first}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants caught")
    sys.exit(1 if survivors else 0)


main()
