#!/usr/bin/env python3
"""Runs the tests that are built, and says at the end what took longest.

usage: scripts/test.py [--quick | --filter REGEX | --loaded TIMES]

Three parts, one after the other: everything in memory or on files of its own; the transport, which holds a real sshd to
deadlines, so that nothing else may take the processors from it; and the end-to-end tests, several labs at once. --quick
runs the first part, 200 seeds of the simulation and one story in a lab. --filter takes what `swift test --filter` takes.
--loaded runs the end-to-end tests so many times in a row, beside a busy loop for each core. Exit status 1 when a test failed.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PARTS = {
    "units": ["--skip", "EndToEndTests", "--skip", "SSHTransportTests"],
    "transport": ["--filter", "SSHTransportTests"],
    "end to end": ["--filter", "EndToEndTests"],
}
STORY = ["--filter", "EndToEndTests.RolloutTests/aFailedHostIsRolledBackWithProofAndTheRunGoesOn"]
QUICK_SEEDS = 200
SLOWEST = 10
# As a lab's fixture prints it: how long it was held, and by whom; waiting for a free place does not count.
HELD = re.compile(r"^lab: ([0-9.]+) s held, [0-9.]+ s waited, (new|as found): (.*)$", re.MULTILINE)


class Part:
    """One run of `swift test`, and how long each of its tests took."""

    def __init__(self, name, selection, flags):
        self.name, self.selection, self.flags = name, selection, flags
        self.seconds, self.times, self.failed, self.labs = 0.0, [], set(), collections.Counter()

    def run(self):
        print(f"== tests: {self.name}", flush=True)
        began = time.monotonic()
        with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as events:
            command = ["swift", "test", *self.flags, "--skip-build", *self.selection, "--event-stream-output-path", events.name]
            process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, errors="replace")
            held = {}
            for line in process.stdout:
                if match := HELD.match(line):
                    held.setdefault(match[3], []).append(float(match[1]))
                    self.labs[match[2]] += 1
                elif not line.startswith("◇"):
                    print(line, end="", flush=True)
            self.times, self.failed = outcomes(events, held)
        self.seconds = time.monotonic() - began
        return process.wait() == 0


def outcomes(events, held):
    """Seconds and name of each test that ran, of one that had labs the longest that it held one; and the names of those that
    failed."""
    names, started, times, failed = {}, {}, [], set()
    for line in events:
        record = json.loads(line)
        payload = record["payload"]
        if record["kind"] == "test" and payload["kind"] == "function":
            names[payload["id"]] = payload["name"]
        elif payload.get("testID") in names:
            test, instant = payload["testID"], payload["instant"]["absolute"]
            if payload["kind"] == "testStarted":
                started[test] = instant
            elif payload["kind"] == "testEnded":
                times.append((max(held.get(names[test], [instant - started[test]])), short(test)))
            elif payload["kind"] == "issueRecorded" and not payload.get("issue", {}).get("isKnown"):
                failed.add(short(test))
    return times, failed


def short(test):
    """A test's id without its place in a file."""
    return re.sub(r"/[^/]*$", "", test)


def simulate(flags):
    print(f"== simulation: {QUICK_SEEDS} seeds", flush=True)
    folder = subprocess.run(
        ["swift", "build", *flags, "--show-bin-path"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
    command = [f"{folder}/lockflight-simulate", "--seeds", str(QUICK_SEEDS), "--jobs", str(os.cpu_count())]
    # 2: nothing was violated, and so few seeds do not meet every situation.
    return subprocess.run(command, cwd=REPOSITORY).returncode in (0, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--quick", action="store_true")
    choice.add_argument("--filter", metavar="REGEX")
    choice.add_argument("--loaded", type=int, metavar="TIMES")
    options = parser.parse_args()
    flags = os.environ.get("SWIFT_BUILD_FLAGS", "").split()
    if options.filter:
        parts = [Part("chosen", ["--filter", options.filter], flags)]
    elif options.quick:
        parts = [Part("units", PARTS["units"], flags), Part("a story", STORY, flags)]
    elif options.loaded:
        parts = [Part(f"run {number + 1}", PARTS["end to end"], flags) for number in range(options.loaded)]
    else:
        parts = [Part(name, selection, flags) for name, selection in PARTS.items()]
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() if options.loaded else 0)]
    try:
        passed = all([part.run() for part in parts]) and (not options.quick or simulate(flags))
    finally:
        for loop in busy:
            loop.kill()
    times = sorted((pair for part in parts for pair in part.times), reverse=True)
    failed = sorted(name for part in parts for name in part.failed)
    print(f"== tests: the slowest {min(SLOWEST, len(times))}")
    for seconds, name in times[:SLOWEST]:
        print(f"{seconds:8.1f} s  {name}")
    for part in parts:
        labs = f", in {part.labs['new']} labs and {part.labs['as found']} that a test left as it found them" if part.labs else ""
        print(f"{part.seconds:8.1f} s  all of {part.name}: {len(part.times)} tests{labs}")
    for name in failed:
        print(f"FAILED: {name}")
    print(f"{len(times) - len(failed)} passed, {len(failed)} failed", flush=True)
    return 0 if passed and times else 1


if __name__ == "__main__":
    sys.exit(main())
