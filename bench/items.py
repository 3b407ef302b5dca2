"""The measurements. Each item takes a `Bench` and returns a section: a title, rows of figures, and goals met or missed."""
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import goals
import peers
from fleet import BenchError, Fleet
from measure import children, measure

FLOOR = "floor (C, libssh2)"
LOCKFLIGHT = "Lockflight"
PROXY = peers.ROOT / "Tests" / "EndToEndTests" / "Proxy" / "proxy.py"


@dataclass
class Bench:
    quick: bool
    programs: peers.Programs
    agent: Path
    rounds: int
    fan_out_sizes: list
    seed: int = 1

    @property
    def fleet_folder(self):
        return peers.WORK / "fleet"

    def judge(self, goal, value, **names):
        """A list with the goal; empty if this form of the bench does not have it."""
        return goal.judge(self.quick, value, **names)


@dataclass
class Series:
    """The figures of one peer in one item, one element per round."""

    wall: list = field(default_factory=list)  # seconds
    cpu: list = field(default_factory=list)  # milliseconds of client CPU per host
    memory: list = field(default_factory=list)  # MiB
    wire: list = field(default_factory=list)  # MiB, both directions

    def add(self, cost, hosts):
        self.wall.append(cost.wall_seconds)
        self.cpu.append(cost.cpu_seconds * 1_000 / hosts)
        self.memory.append(cost.peak_mebibytes)
        self.wire.append(cost.wire_mebibytes)


def spread(values):
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def median(series, what):
    return statistics.median(getattr(series, what))


def rows(all_series, versions):
    """One row per peer; ratios are relative to the floor's medians."""
    floor = all_series[FLOOR]
    return [
        {
            "peer": name, "version": versions.get(name, ""),
            **{what: spread(getattr(series, what)) for what in ("wall", "cpu", "memory")},
            "wallRatio": median(series, "wall") / median(floor, "wall"),
            "cpuRatio": median(series, "cpu") / median(floor, "cpu"),
        }
        for name, series in all_series.items()
    ]


def run_peer(peer, fleet, width, remote, all_must_be_good=True):
    """One run of a peer: its cost, and the hosts that it reports as good."""
    results = fleet.work / "results"
    results.unlink(missing_ok=True)
    command, environment = peer.command(fleet, width, remote, results)
    cost = measure(command, fleet.work, environment)
    good = peer.good(results, cost.output)
    if all_must_be_good and len(good) != fleet.count:
        raise BenchError(
            f"{peer.name} reports {len(good)} of {fleet.count} hosts as good; its output is in {fleet.work}/measured.out, "
            f"sshd's log in {fleet.log}")
    return cost, good


def turns(contestants, number, close=2):
    """The order of a round. The first `close` contestants, whose ratio is near a goal, run once more after each of the others, in
    alternating order, because the second one is affected by what the first one left behind."""
    close, first = contestants[:close], number % len(contestants)
    for peer in contestants[first:] + contestants[:first]:
        yield peer
        if peer not in close:
            close = close[::-1]
            yield from close


def interleaved(contestants, fleet, width, remote, rounds, warm=None):
    """Every contestant in every round, in a rotating order; returns name -> Series. Before that the first `warm` of them, or all,
    run once without being counted."""
    found = {peer.name: Series() for peer in contestants}
    for peer in contestants[:warm]:
        run_peer(peer, fleet, width, remote)
    for number in range(rounds):
        for peer in turns(contestants, number):
            cost, _ = run_peer(peer, fleet, width, remote)
            found[peer.name].add(cost, fleet.count)
        print(f"  round {number + 1} of {rounds}", file=sys.stderr)
    return found


def fan_out(bench):
    """Item 1: `true` on every host, over new connections."""
    sections = []
    for count in bench.fan_out_sizes:
        contestants = peers.fan_out_peers(bench.programs, pinned_too=not bench.quick)
        width, rounds = 32, bench.rounds if count < 1_000 and not bench.quick else max(1, bench.rounds // 2)
        # The short form skips the uncounted run of the other peers: they are slow, and no goal is near them.
        warm = 0 if count != bench.fan_out_sizes[0] else 2 if bench.quick else len(contestants)
        print(f"cold fan-out, {count} hosts", file=sys.stderr)
        with Fleet(bench.fleet_folder, count) as fleet:
            found = interleaved(contestants, fleet, width, "true", rounds, warm)
        ours, floor = found[LOCKFLIGHT], found[FLOOR]
        others = {name: series for name, series in found.items() if name not in (LOCKFLIGHT, FLOOR)}
        fastest = min(((median(series, "wall"), name) for name, series in others.items()), default=None)
        judged = (
            bench.judge(goals.FAN_OUT_WALL, median(ours, "wall") / median(floor, "wall"))
            + bench.judge(goals.FAN_OUT_CPU, median(ours, "cpu") / median(floor, "cpu")))
        if fastest:
            judged += bench.judge(goals.FAN_OUT_FASTEST, median(ours, "wall") / fastest[0], peer=fastest[1])
        sections.append({
            "title": f"Cold fan-out of `true`: {count} hosts, {width} at a time, {rounds} rounds",
            "text": "The floor and Lockflight run once more after each of the others, as they are close.",
            "rows": rows(found, {peer.name: peer.version for peer in contestants}),
            "goals": judged})
    return sections


def latency(bench):
    """Item 3: a remote `sleep`, all hosts at once; and a network that adds 50 ms to every packet."""
    count, seconds = (100, 1) if bench.quick else (1_000, 5)
    contestants = peers.floor_and_lockflight(bench.programs)
    print(f"sleep {seconds} on {count} hosts at once", file=sys.stderr)
    with Fleet(bench.fleet_folder, count) as fleet:
        plain = interleaved(contestants[:1], fleet, count, "true", bench.rounds)[FLOOR]
        slept = interleaved(contestants, fleet, count, f"sleep {seconds}", bench.rounds)
    ideal = median(plain, "wall") + seconds
    sections = [{
        "title": f"Remote `sleep {seconds}`: {count} hosts, {count} at a time",
        "text": f"Ideal: the floor's time for `true` on the same hosts ({median(plain, 'wall'):.2f} s) and {seconds} s.",
        "rows": rows(slept, {}),
        "goals": bench.judge(goals.SLEEP_IDEAL, median(slept[LOCKFLIGHT], "wall") / ideal)
        + bench.judge(goals.SLEEP_FLOOR, median(slept[LOCKFLIGHT], "wall") / median(slept[FLOOR], "wall"))}]
    return sections + [distant(bench, contestants)]


def distant(bench, contestants):
    count, width, milliseconds = (20 if bench.quick else 200), 32, 50
    print(f"{milliseconds} ms added, {count} hosts", file=sys.stderr)
    with Fleet(bench.fleet_folder, count) as fleet:
        near = fleet.addresses
        fleet.addresses = [address.replace("127.77.", "127.78.") for address in near]
        for path in (fleet.targets, fleet.known_hosts):
            path.write_text(path.read_text().replace("127.77.", "127.78."))
        proxy = subprocess.Popen(
            [sys.executable, PROXY, ",".join(fleet.addresses), str(fleet.port), near[0], str(fleet.port), "latency", "0",
             str(milliseconds)], stdout=subprocess.PIPE, text=True)
        try:
            proxy.stdout.readline()
            threading.Thread(target=proxy.stdout.read, daemon=True).start()
            found = interleaved(contestants, fleet, width, "true", bench.rounds)
        finally:
            proxy.kill()
            proxy.wait()
    ratio = median(found[LOCKFLIGHT], "wall") / median(found[FLOOR], "wall")
    return {
        "title": f"{milliseconds} ms added to every packet: `true` on {count} hosts, {width} at a time",
        "rows": rows(found, {}), "goals": bench.judge(goals.DISTANT_WALL, ratio)}


HELLO = '{"id":1,"verb":"hello","body":{"protocols":[1],"ledger":"bench","takeOver":false}}'


def contact(bench):
    """Item 4: one host, from the first packet to the agent's first line; for Ansible, the time of the whole process.

    The floor runs `true` in turns with it, as the cost of an SSH connection on this machine at that time.
    """
    floor, lockflight = peers.floor_and_lockflight(bench.programs)
    print("first contact", file=sys.stderr)
    with Fleet(bench.fleet_folder, 1) as fleet:
        agent = fleet.home / "lockflight-agent"
        agent.write_bytes(bench.agent.read_bytes())
        agent.chmod(0o755)
        (fleet.home / "hello").write_text(HELLO + "\n")
        remote = f"{agent} serve <{fleet.home}/hello | grep -q agentVersion"
        version = peers.pypi_version("ansible-core")
        ping = peers.Peer("Ansible ping", version, ansible_ping, lambda _, output: set(fleet.addresses))
        ours, plain, theirs = Series(), Series(), Series()
        for _ in range(bench.rounds):
            for peer, command, series in [(lockflight, remote, ours), (floor, "true", plain)] * 4:
                cost, _ = run_peer(peer, fleet, 1, command)
                # Measured from the first packet on, as both report it: the start of the program does not count.
                cost.wall_seconds = int(cost.output.split()[2]) / 1_000
                series.add(cost, 1)
            if version:
                cost, _ = run_peer(ping, fleet, 1, "")
                theirs.add(cost, 1)
    section = {
        "title": "One host, first contact: connect, log in, start the agent, its first line",
        "rows": [
            {"peer": LOCKFLIGHT, "version": "", "wall": spread(ours.wall)},
            {"peer": f"{FLOOR}, `true`", "version": "", "wall": spread(plain.wall)}],
        "goals": bench.judge(goals.CONTACT_TIME, median(ours, "wall") * 1_000)
        + bench.judge(goals.CONTACT_FLOOR, median(ours, "wall") / median(plain, "wall"))}
    if version:
        section["rows"].append({"peer": ping.name, "version": version, "wall": spread(theirs.wall)})
        section["goals"] += bench.judge(goals.CONTACT_ANSIBLE, median(theirs, "wall") / median(ours, "wall"))
    return [section]


def ansible_ping(fleet, width, _, results):
    return [peers.VENV / "ansible", "all", "-i", peers.ansible_inventory(fleet), "-m", "ping"], peers.ansible_environment(fleet)


MARK = """\
set -- $SSH_CONNECTION
sleep 0.4
: > {home}/marks/$3
"""


class Killer(threading.Thread):
    """Kills some sessions of a fleet's servers, each at a random moment, until it is stopped."""

    SHARE = 0.3
    LONGEST_SECONDS = 0.8

    def __init__(self, fleet, seed):
        super().__init__(daemon=True)
        self.fleet, self.random, self.over, self.killed = fleet, random.Random(seed), threading.Event(), 0

    def run(self):
        moments = {}
        while not self.over.wait(0.01):
            now = time.monotonic()
            for session in [child for server in self.fleet.servers for child in children(server.pid)]:
                if session not in moments:
                    is_struck = self.random.random() < Killer.SHARE
                    moments[session] = now + self.random.uniform(0, Killer.LONGEST_SECONDS) if is_struck else float("inf")
                if moments[session] <= now:
                    moments[session] = float("inf")
                    self.kill(session)

    def kill(self, session):
        try:
            os.kill(session, signal.SIGKILL)
            self.killed += 1
        except ProcessLookupError:
            pass


def correctness(bench):
    """Sessions are killed at random: counts hosts that a peer reports as good although the command did not finish."""
    count, width = (60 if bench.quick else 200), 32
    contestants = peers.floor_and_lockflight(bench.programs) if bench.quick else peers.fan_out_peers(bench.programs)
    table = []
    print("wrong successes", file=sys.stderr)
    with Fleet(bench.fleet_folder, count) as fleet:
        (fleet.home / "mark.sh").write_text(MARK.format(home=fleet.home))
        marks = fleet.home / "marks"
        marks.mkdir()
        marks.chmod(0o777)
        for number, peer in enumerate(contestants):
            for mark in marks.iterdir():
                mark.unlink()
            killer = Killer(fleet, bench.seed + number)
            killer.start()
            _, good = run_peer(peer, fleet, width, f"sh {fleet.home}/mark.sh", all_must_be_good=False)
            killer.over.set()
            killer.join()
            done = {mark.name for mark in marks.iterdir()}
            table.append({
                "peer": peer.name, "version": peer.version, "killed": killer.killed, "good": len(good),
                "done": len(done), "wrong": len(good - done)})
    ours = next(row for row in table if row["peer"] == LOCKFLIGHT)
    if ours["killed"] == 0:
        raise BenchError("no session of Lockflight was killed, so nothing was tested; run it again: bench/run.py correctness")
    return [{
        "title": f"Wrong successes: {count} hosts, {width} at a time, session processes of sshd killed at random",
        "text": "Called good: by the peer. Done: the command came to its end there, as the host's own file says.",
        "counts": table, "goals": bench.judge(goals.WRONG_SUCCESSES, ours["wrong"])}]


ALL = {"fan-out": fan_out, "latency": latency, "contact": contact, "correctness": correctness}
