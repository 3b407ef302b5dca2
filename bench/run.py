#!/usr/bin/env python3
"""Measures Lockflight and its peers in one run.

usage: bench/run.py [--quick] [--rounds N] [ITEM...] [--hosts N...]

Items: fan-out, latency, contact, correctness, upgrade, engine, ledger, agent, json, imports; the default is all. Peers from PyPI are installed into
bench/.work; those from Debian are installed as packages, by root (decision 24). Peers that can not be installed are listed and left
out. Prints the figures, each goal met or missed, and the time of each item. If all items were measured, writes them to
bench/RESULTS.md, results.json and results.svg. --quick is the short form for every change: small numbers, its own goals
(bench/goals.py), within three minutes after the builds; it writes to bench/.work instead. The exit status is 1 if a goal was missed.
"""
import argparse
import datetime
import platform
import resource
import sys
import time

import imports
import items
import peers
import report
import scale
import upgrade
from fleet import BenchError

ITEMS = {**items.ALL, "upgrade": upgrade.upgrade, "engine": scale.engine, "ledger": scale.ledger, "agent": scale.agent,
         "json": scale.text, "imports": imports.imports}

DESCRIPTORS = 16_384  # 1,000 connections, and the descriptors that peers need for each


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small numbers with their own goals, within three minutes")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement; 5, or 3 with --quick")
    parser.add_argument("--hosts", type=int, nargs="+", help="sizes of the fan-out; 200 and 1000, or 25 with --quick")
    parser.add_argument("items", nargs="*", choices=[[], *ITEMS], metavar="ITEM", help=", ".join(ITEMS))
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, DESCRIPTORS)), hard))
    began = time.monotonic()
    left_out = peers.install()
    seconds = {"peers": time.monotonic() - began}
    began = time.monotonic()
    programs = peers.build()
    seconds["builds"] = time.monotonic() - began
    agent = peers.ROOT / ".build-agent" / "out" / f"lockflight-agent-{platform.machine()}"
    if not agent.exists():
        raise BenchError(f"{agent} is missing; build it with: make agent")
    sizes = options.hosts or ([25] if options.quick else [200, 1_000])
    bench = items.Bench(options.quick, programs, agent, options.rounds or (3 if options.quick else 5), sizes)
    sections = []
    for name in options.items or ITEMS:
        began = time.monotonic()
        sections += [{"item": name, **section} for section in ITEMS[name](bench)]
        seconds[name] = time.monotonic() - began
    results = {
        "date": datetime.date.today().isoformat(), "machine": report.machine(), "quick": options.quick, "leftOut": left_out,
        "seconds": seconds, "sections": sections}
    if not options.items:
        report.write(results, peers.WORK if options.quick else peers.ROOT / "bench")
    print(report.markdown(results))
    print(report.summary(results))
    return 0 if all(goal["met"] for section in sections for goal in section["goals"]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
