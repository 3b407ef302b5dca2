#!/usr/bin/env python3
"""Runs many lab rollouts in a row with random faults, recovers and finishes each, and checks for leaks.

usage: scripts/soak.py LOCKFLIGHT ROLLOUTS SEED

One lab of three real sshd hosts, one ledger. Each rollout goes from 1.4.0 to 1.5.0, gets a fault from the seed (a broken
host, a lost sshd, a coordinator killed with SIGKILL), is recovered, is rolled back completely to 1.4.0 and is finalized.
After each one the script checks processes, connections, temporary files, descriptors and memory. It prints the figures,
and exits with 1 if something was left behind or has grown.
"""

import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

NETWORK = "127.78.9"
SSH_PORT = 2222
# How long the processes of a finished rollout may take to exit.
SETTLE_SECONDS = 20
COMMAND_SECONDS = 180
# A coordinator is killed within this time: during the rollout, or after its end.
KILL_WITHIN_SECONDS = 12
# How much more memory the last quarter may use than the first: noise of allocators and database caches, but no growth with
# every rollout.
COORDINATOR_GROWTH_MEBIBYTES = 16
LAB_GROWTH_MEBIBYTES = 16

VERIFIED, HELD, ROLLED_BACK, REFUSED, UNREACHABLE = 0, 10, 11, 13, 14
BREAKING = ["redeploy-fails", "service-unhealthy", "service-missing", "guardrail-refuses", "materialization-drift",
            "unapproved-build", "sshd-down", "host-key-changed"]
ESTABLISHED, CLOSE_WAIT = "01", "08"


class Soak:
    def __init__(self, lockflight, seed):
        self.lockflight = str(pathlib.Path(lockflight).resolve())
        self.chance = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="lockflight-soak-")
        self.lab = f"{self.folder}/lab"
        self.temporary = f"{self.folder}/tmp"
        os.mkdir(self.temporary)
        self.environment = dict(os.environ, LOCKFLIGHT_LEDGER=f"{self.folder}/ledger.sqlite", TMPDIR=self.temporary)
        self.log = open(f"{self.folder}/commands.log", "w+", encoding="utf-8")
        self.peak_mebibytes = 0
        self.figures = []

    # Commands

    def spawn(self, words):
        self.log.write(f"$ lockflight {' '.join(words)}\n")
        self.log.flush()
        return subprocess.Popen([self.lockflight, *words], env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=self.log, stderr=self.log)

    def reap(self, process):
        """Waits for a command and records its peak memory."""
        deadline = time.monotonic() + COMMAND_SECONDS
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                self.peak_mebibytes = max(self.peak_mebibytes, usage.ru_maxrss / 1024)
                return process.returncode
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise SystemExit(f"soak: lockflight {' '.join(process.args[1:])} did not end in {COMMAND_SECONDS} s")
            time.sleep(0.01)

    def run(self, *words):
        return self.reap(self.spawn(words))

    def expect(self, codes, *words):
        code = self.run(*words)
        if code not in codes:
            self.fail(f"lockflight {' '.join(words)}: exit code {code}, expected {codes}")

    def fail(self, problem):
        self.log.seek(0)
        print("".join(self.log.readlines()[-40:]), file=sys.stderr)
        raise SystemExit(f"soak: {problem}")

    # The lab

    def set_up(self):
        self.expect([VERIFIED], "lab", "up", "--hosts", "3", "--folder", self.lab, "--network", NETWORK)
        self.expect([VERIFIED], "inventory", "import", f"{self.lab}/inventory.yaml")
        self.expect([VERIFIED], "inventory", "trust", "--known-hosts", f"{self.lab}/known_hosts")
        self.expect([VERIFIED], "plan", "add", f"{self.lab}/plan-1.5.0.yaml")
        for layer in ["data", "core", "edge"]:
            self.expect([VERIFIED], "plan", "approve", "lab-1.5.0", "--as", f"{layer}-owner")
        self.hosts = sorted(os.listdir(f"{self.lab}/hosts"))
        self.expected_processes = len(self.processes())

    def take_down(self):
        self.run("lab", "down", "--folder", self.lab)

    # One rollout

    def rollout(self):
        """Starts a rollout with a fault, recovers it, and finishes it. Returns the fault."""
        fault = self.chance.choice(["none", "killed", "killed", *BREAKING])
        host = self.chance.choice(self.hosts)
        if fault == "killed":
            self.start_and_kill()
        elif fault == "none":
            self.expect([VERIFIED], "rollout", "start", "lab-1.5.0")
        else:
            self.start_broken(fault, host)
        self.expect([ROLLED_BACK], "rollback", "--all", "--reason", "soak")
        self.expect([VERIFIED], "rollout", "finalize")
        return fault

    def start_and_kill(self):
        process = self.spawn(["rollout", "start", "lab-1.5.0"])
        time.sleep(self.chance.uniform(0.2, KILL_WITHIN_SECONDS))
        # Not Popen.kill(), which would reap a process that has already exited, without measuring it.
        os.kill(process.pid, signal.SIGKILL)
        self.reap(process)
        # If it was killed before it had a run, there is nothing to resume.
        if self.run("rollout", "resume") == REFUSED:
            self.run("rollout", "start", "lab-1.5.0")
        self.expect([VERIFIED], "rollout", "resume")

    def start_broken(self, fault, host):
        self.expect([VERIFIED], "lab", "break", host, fault, "--to", "1.5.0", "--folder", self.lab)
        code = self.run("rollout", "start", "lab-1.5.0")
        self.expect([VERIFIED], "lab", "mend", host, "--folder", self.lab)
        if code not in [HELD, REFUSED, UNREACHABLE]:
            self.fail(f"{fault} on {host}: exit code {code}, expected a hold")
        # Narrowest first, in the order of the hold; a recovery that does not match the fault is refused and changes nothing.
        for recovery in [["recover", "recheck", host], ["rollback", "--host", host, "--reason", "soak"],
                         ["recover", "recheck", host]]:
            self.run(*recovery)
            if self.run("rollout", "resume") == VERIFIED:
                return
        self.fail(f"{fault} on {host} was not recovered")

    # Measurements

    def processes(self):
        """The processes, except this one, that have our folder in their arguments or environment."""
        found = []
        for place in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
                if self.folder.encode() in words and int(place.name) != os.getpid():
                    found.append(int(place.name))
            except OSError:
                pass  # It has exited meanwhile, or we may not read it.
        return found

    def connections(self):
        """Open connections to the hosts' sshd."""
        address = "".join(f"{int(part):02X}" for part in reversed(NETWORK.split(".")))
        held = 0
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, state = line.split()[:4]
            ours = any(end[2:8] == address and end.endswith(f":{SSH_PORT:04X}") for end in (local, remote))
            held += ours and state in (ESTABLISHED, CLOSE_WAIT)
        return held

    def measure(self, fault):
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(self.processes()) > self.expected_processes or self.connections():
            if time.monotonic() > deadline:
                subprocess.run(["ps", "-o", "pid,ppid,etime,args", "-p", ",".join(map(str, self.processes()))],
                               stdout=sys.stderr, check=False)
                self.fail(f"after {fault}: {len(self.processes())} processes (expected {self.expected_processes}), "
                          f"{self.connections()} connections")
            time.sleep(0.05)
        descriptors, resident = 0, 0.0
        for pid in self.processes():
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            resident += int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024
        self.figures.append({
            "coordinator's peak MiB": self.peak_mebibytes, "lab's descriptors": descriptors, "lab's MiB": resident,
            "temporary files": len(os.listdir(self.temporary)),
            "ledger's KiB": size(pathlib.Path(self.folder).glob("ledger.sqlite*")) / 1024,
            "agents' state KiB": size(pathlib.Path(self.lab).glob("hosts/*/state/**/*")) / 1024,
        })
        self.peak_mebibytes = 0

    def verdicts(self):
        """Prints the first and the last quarter, and returns what has grown."""
        quarter = max(1, len(self.figures) // 4)
        allowed = {"coordinator's peak MiB": COORDINATOR_GROWTH_MEBIBYTES, "lab's descriptors": 0,
                   "lab's MiB": LAB_GROWTH_MEBIBYTES, "temporary files": 0}
        grown = []
        print(f"\n{'median of':24}{'first quarter':>15}{'last quarter':>15}   allowed to grow by")
        for name in self.figures[0]:
            first = statistics.median(figures[name] for figures in self.figures[:quarter])
            last = statistics.median(figures[name] for figures in self.figures[-quarter:])
            each = (self.figures[-1][name] - self.figures[0][name]) / max(1, len(self.figures) - 1)
            limit = allowed.get(name, f"no limit: a record, {each:.1f} a rollout")
            print(f"{name:24}{first:15.1f}{last:15.1f}   {limit}")
            if name in allowed and last - first > allowed[name]:
                grown.append(name)
        return grown


def size(places):
    return sum(place.stat().st_size for place in places if place.is_file())


def main():
    if len(sys.argv) != 4:
        raise SystemExit("usage: scripts/soak.py LOCKFLIGHT ROLLOUTS SEED")
    rollouts, seed = int(sys.argv[2]), int(sys.argv[3])
    soak = Soak(sys.argv[1], seed)
    print(f"soak: {rollouts} rollouts, seed {seed}", flush=True)
    try:
        soak.set_up()
        for number in range(1, rollouts + 1):
            begin = time.monotonic()
            fault = soak.rollout()
            soak.measure(fault)
            print(f"{number:4}  {fault:22} {time.monotonic() - begin:5.1f} s", flush=True)
        soak.expect([VERIFIED], "ledger", "verify")
        leaks = [f"{name} has grown" for name in soak.verdicts()]
    finally:
        soak.take_down()
        shutil.rmtree(soak.folder)
    if soak.processes():
        leaks.append(f"{len(soak.processes())} processes outlive the lab")
    if leaks:
        raise SystemExit("soak: " + "; ".join(leaks))
    print("soak: nothing leaks")


main()
