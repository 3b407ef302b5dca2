#!/usr/bin/env python3
"""Runs the built tests, and prints at the end which ones took longest.

usage: scripts/test.py [--quick | --filter REGEX | --loaded TIMES]

First come all tests in memory or with their own files, in three parallel processes, because tests that block their threads
would delay the others, and those on a faulty disk, which run one after the other, would be left over at the end. Then the
transport tests, alone, because they have deadlines with a real sshd. Then the end-to-end tests, in several labs at once.
--quick runs the tests in memory, 200 seeds of the simulation and one scenario in a lab. --filter takes the argument of
`swift test --filter`. --loaded runs the end-to-end tests TIMES times in a row, with a busy loop on each core. The exit
status is 1 if a test failed.
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
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
BLOCKING = "AgentRuntimeTests|LabFleetTests|SimulationTests"
DISK = "LedgerTests.DiskFaultTests"
UNITS = ["--skip", "EndToEndTests", "--skip", "SSHTransportTests", "--skip", BLOCKING, "--skip", DISK]
STORY = ["--filter", "EndToEndTests.RolloutTests/aFailedHostIsRolledBackWithProofAndTheRunGoesOn"]
END_TO_END = ["--filter", "EndToEndTests"]
QUICK_SEEDS = 200
SLOWEST = 10
# The runner's colours, which it also writes into a pipe.
COLOUR = re.compile("\x1b\\[[0-9;]*m")
# Printed by a lab's fixture: how long a test held it; waiting for a free lab does not count.
HELD = re.compile(r"^lab: ([0-9.]+) s held, [0-9.]+ s waited, (new|as found): (.*)$", re.MULTILINE)


class Part:
    """One process with a part of the tests, and how long each of them took."""

    def __init__(self, name, selection):
        self.name, self.selection = name, selection
        self.seconds, self.passed = 0.0, False
        self.times, self.failed, self.labs = [], set(), collections.Counter()

    def run(self, products):
        began = time.monotonic()
        with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as events:
            command = [f"{products}/lockflightPackageTests.xctest", "--testing-library", "swift-testing", *self.selection]
            command += ["--event-stream-output-path", events.name]
            process = subprocess.Popen(
                command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
            held = {}
            for line in process.stdout:
                line = COLOUR.sub("", line)
                if match := HELD.match(line):
                    held.setdefault(match[3], []).append(float(match[1]))
                    self.labs[match[2]] += 1
                elif not line.startswith("◇"):
                    print(line, end="", flush=True)
            self.passed = process.wait() == 0
            self.times, self.failed = outcomes(events, held)
        self.seconds = time.monotonic() - began


def run_together(parts, products):
    """Runs parts in parallel, and waits for all of them."""
    print(f"== tests: {', '.join(part.name for part in parts)}", flush=True)
    threads = [threading.Thread(target=part.run, args=(products,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def outcomes(events, held):
    """Seconds and name of each test that ran (for a test with labs, the longest time that it held one), and the names of failed
    tests."""
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
    """A test's id without its source location."""
    return re.sub(r"/[^/]*$", "", test)


def simulate(products):
    print(f"== simulation: {QUICK_SEEDS} seeds", flush=True)
    command = [f"{products}/lockflight-simulate", "--seeds", str(QUICK_SEEDS), "--jobs", str(os.cpu_count())]
    # 2: no violation, but so few seeds do not reach every situation.
    return subprocess.run(command, cwd=REPOSITORY).returncode in (0, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--quick", action="store_true")
    choice.add_argument("--filter", metavar="REGEX")
    choice.add_argument("--loaded", type=int, metavar="TIMES")
    options = parser.parse_args()
    flags = os.environ.get("SWIFT_BUILD_FLAGS", "").split()
    products = subprocess.run(
        ["swift", "build", *flags, "--show-bin-path"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
    units, disk = Part("units", UNITS), Part("disk", ["--filter", DISK])
    blocking, transport = Part("agents", ["--filter", BLOCKING]), Part("transport", ["--filter", "SSHTransportTests"])
    if options.filter:
        groups = [[Part("chosen", ["--filter", options.filter])]]
    elif options.quick:
        groups = [[units, disk, Part("a story", STORY)]]
    elif options.loaded:
        groups = [[Part(f"run {number + 1}", END_TO_END)] for number in range(options.loaded)]
    else:
        groups = [[units, disk, blocking], [transport], [Part("end to end", END_TO_END)]]
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() if options.loaded else 0)]
    try:
        for group in groups:
            run_together(group, products)
    finally:
        for loop in busy:
            loop.kill()
    parts = [part for group in groups for part in group]
    passed = all(part.passed for part in parts) and (not options.quick or simulate(products))
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
