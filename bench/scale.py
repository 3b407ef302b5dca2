"""Items 5 to 8: how engine and ledger scale with the fleet, what an agent costs its host, and how fast JSON is read."""
import gzip
import http.server
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import goals
import peers
from fleet import BenchError, run
from items import spread
from measure import measure


def engine(bench):
    """Item 5: complete runs through only the engine, in turns, each in a separate process."""
    small, sizes = 1_000, [1_000, 10_000] if bench.quick else [1_000, 10_000, 100_000]
    program = bench.programs.scale
    found, cpu = {size: [] for size in sizes}, {size: [] for size in sizes}
    print("scale of the engine", file=sys.stderr)
    for number in range(bench.rounds):
        for size in sizes:
            whole = measure([program, "engine", size], peers.WORK)
            if whole.code != 0:
                raise BenchError(f"{program} engine {size} failed: {whole.output}")
            found[size].append(json.loads(whole.output))
            cpu[size].append(whole.cpu_seconds / size)
        print(f"  round {number + 1} of {bench.rounds}", file=sys.stderr)

    def cost(size):
        return spread([(one["foldSeconds"] + one["nextSeconds"]) / size * 1e6 for one in found[size]])
    growth = cost(sizes[-1])["median"] / cost(small)["median"]
    cpu_growth = statistics.median(cpu[sizes[-1]]) / statistics.median(cpu[small])
    return [{
        "title": f"Scale of the engine: simulated runs to their end, {found[small][0]['inFlight']} hosts in flight, {bench.rounds} rounds",
        "text": "Time in the engine's two functions, fold and next; no network, no ledger. An answer of a host is four surfaces.",
        "figures": {
            "headers": ["hosts", "events", "events a second", "µs a host", "µs a `next`", "peak memory, MiB"],
            "lines": [{
                "hosts": size, "events": found[size][0]["events"],
                "eventsPerSecond": spread(
                    [one["events"] / (one["foldSeconds"] + one["nextSeconds"]) for one in found[size]]),
                "microsecondsPerHost": cost(size),
                "microsecondsPerNext": spread([one["nextSeconds"] / one["decisions"] * 1e6 for one in found[size]]),
                "mebibytes": spread([one["peakMebibytes"] for one in found[size]]),
            } for size in sizes]},
        "goals": bench.judge(goals.ENGINE_GROWTH, growth, large=sizes[-1], small=small)
        + bench.judge(goals.ENGINE_CPU_GROWTH, cpu_growth, large=sizes[-1], small=small)}]


GROUPS = [1, 16, 256]
STATUS_SECONDS = 60  # for all rounds of `status`


def ledger(bench):
    """Item 6: `status` on a long ledger, and durable appends."""
    hosts, events, seconds = (200, 20_000, 1) if bench.quick else (10_000, 1_000_000, 3)
    scale, program = bench.programs.scale, bench.programs.lockflight
    appended = {group: [] for group in GROUPS}
    with tempfile.TemporaryDirectory(dir=peers.WORK) as name:
        folder = Path(name)
        print("ledger: appends", file=sys.stderr)
        for _ in range(bench.rounds):
            for group in GROUPS:
                appended[group].append(json.loads(run([scale, "append", folder / "appended.sqlite", group, seconds])))
                for file in folder.glob("appended.sqlite*"):
                    shutil.rmtree(file) if file.is_dir() else file.unlink()
        print(f"ledger: status of {hosts} hosts, {events} events", file=sys.stderr)
        path = folder / "ledger.sqlite"
        filled = json.loads(run([scale, "fill", path, hosts, events]))
        cold, warm, starts, began = [], [], [], time.monotonic()
        while len(warm) < 4 * bench.rounds and (not warm or time.monotonic() - began < STATUS_SECONDS):
            forget(path)
            status = [program, "status", "--ledger", path]
            for kind, command in ((cold, status), (warm, status), (starts, [program, "--help"])):
                cost = measure(command, folder)
                if cost.code != 0:
                    raise BenchError(f"{' '.join(map(str, command))} failed: {cost.output}")
                kind.append(cost)

    def cpu(costs):
        return statistics.median(cost.cpu_seconds for cost in costs)

    def milliseconds(costs):
        return spread([cost.wall_seconds * 1_000 for cost in costs])
    return [{
        "title": f"Ledger: `status` of a run of {hosts:,} hosts and {filled['events']:,} events",
        "text": "From the start of the process to its end; cold: nothing of the ledger's file is in the page cache. The host of a "
                "virtual machine keeps the file after the first cold one, so the slowest counts.",
        "figures": {
            "headers": ["cold, ms", "warm, ms", "`--help`, ms", "peak memory, MiB"],
            "lines": [{
                "coldMilliseconds": milliseconds(cold), "warmMilliseconds": milliseconds(warm),
                "startMilliseconds": milliseconds(starts), "mebibytes": max(cost.peak_mebibytes for cost in cold + warm)}]},
        "goals": bench.judge(goals.STATUS_WARM, milliseconds(warm)["median"])
        + bench.judge(goals.STATUS_COLD, milliseconds(cold)["highest"])
        + bench.judge(goals.STATUS_START, cpu(warm) / cpu(starts))
    }, {
        "title": "Ledger: durable appends of captures, each group one transaction",
        "figures": {
            "headers": ["events in a group", "events a second"],
            "lines": [
                {"group": group, "eventsPerSecond": spread([one["eventsPerSecond"] for one in appended[group]])}
                for group in GROUPS]},
        "goals": []}]


def text(bench):
    """Item 8: a recorded capture, read and written by us and by Foundation, in turns within one process."""
    seconds = 3 if bench.quick else 6
    print("JSON", file=sys.stderr)
    found = [json.loads(run([bench.programs.scale, "json", seconds])) for _ in range(bench.rounds)]

    def ratio(way, kind):
        return spread([one[f"{way}{kind}"] / one[f"foundation{kind}"] for one in found])
    return [{
        "title": f"JSON: a recorded capture of {found[0]['bytes']} bytes, as a ratio to Foundation's rate",
        "text": "Through Codable: the synthesised reader and writer over ours. Directly: by hand, as captures, operations and their "
                "frames are. Both refuse an object that has the same name two times; Foundation does not.",
        "figures": {
            "headers": ["", "Foundation, a second", "through Codable, times", "directly, times"],
            "lines": [{
                "kind": kind.lower(), "perSecond": spread([one[f"foundation{kind}"] for one in found]),
                "codable": ratio("codable", kind), "direct": ratio("direct", kind)} for kind in ("Reads", "Writes")]},
        "goals": bench.judge(goals.JSON_CODABLE, ratio("codable", "Reads")["median"])
        + bench.judge(goals.JSON_DIRECT, ratio("direct", "Reads")["median"])}]


def forget(path):
    """Drops a file from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


class Agent:
    """A `lockflight-agent serve` and its pipes; use it as a context."""

    def __init__(self, program, state):
        environment = {**os.environ, "LOCKFLIGHT_STATE_DIRECTORY": str(state)}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [program, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
        self.asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, verb, body, last):
        """Sends a request and reads up to the reply called `last`, or fails at an error."""
        self.asked += 1
        self.process.stdin.write(json.dumps({"id": self.asked, "verb": verb, "body": body}) + "\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            reply = json.loads(line) if line else {}
            if reply.get("kind") == last:
                return
            if reply.get("kind") in ("refused", None):
                raise BenchError(f"the agent answered {verb} with: {line.strip()}")

    def hello(self):
        self.ask("hello", {"protocols": [1], "ledger": "bench", "takeOver": False}, "hello")

    def cpu_seconds(self):
        """CPU time of the agent and of the processes that it has waited for, in the kernel's hundredths of a second."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def resident_mebibytes(self):
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Answers(http.server.BaseHTTPRequestHandler):
    BODY = b'{"api":"healthy","queue":"healthy"}'

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(Answers.BODY)))
        self.end_headers()
        self.wfile.write(Answers.BODY)

    def log_message(self, *_):
        pass


SAMPLE_SECONDS = 10  # as in the example plan


def agent(bench):
    """Item 7. The samples of an hour are taken one after the other; the pauses between them are measured as one long one."""
    starts, idle_seconds = (10, 2) if bench.quick else (50, 60)
    samples = 3_600 // SAMPLE_SECONDS
    print("agent", file=sys.stderr)
    program = bench.agent
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    surfaces = [
        {"name": name, "source": {"http": {"_0": {
            "url": f"http://127.0.0.1:{server.server_port}/{name}", "timeoutSeconds": 5}}}}
        for name in ("version", "services", "smoke")]
    surfaces.append({"name": "materialization", "source": {"command": {"_0": {
        "arguments": ["true"], "environment": {}, "timeoutSeconds": 5}}}})
    cold = []
    with tempfile.TemporaryDirectory() as state:
        for _ in range(starts):
            with Agent(program, state) as one:
                one.hello()
                cold.append((time.monotonic() - one.started) * 1_000)
        with Agent(program, state) as one:
            one.hello()
            resident, before = one.resident_mebibytes(), one.cpu_seconds()
            time.sleep(idle_seconds)
            idle = (one.cpu_seconds() - before) * 3_600 / idle_seconds
            before = one.cpu_seconds()
            for _ in range(samples):
                one.ask("capture", {"workingDirectory": state, "surfaces": surfaces}, "captured")
            sampling, resident_after = one.cpu_seconds() - before, one.resident_mebibytes()
    server.shutdown()
    content = program.read_bytes()
    return [{
        "title": f"Agent: one session of a soak, a sample every {SAMPLE_SECONDS} s of three HTTP surfaces and one command",
        "text":
            f"CPU of an hour: {samples} samples taken one after the other, their command's process included, and the rest of the "
            f"hour as {idle_seconds} s of it that were measured. A start ends with the reply to `hello`.",
        "figures": {
            "headers": [
                "executable, MB", "compressed, MB", "cold start, ms", "resident, MiB", f"after {samples} samples, MiB",
                "CPU of an hour's samples, s", "CPU of an idle hour, s"],
            "lines": [{
                "megabytes": len(content) / 1e6, "compressedMegabytes": len(gzip.compress(content)) / 1e6,
                "coldStartMilliseconds": spread(cold), "residentMebibytes": resident,
                "residentMebibytesAfter": resident_after, "samplingCPUSeconds": sampling, "idleCPUSeconds": idle}]},
        "goals": []}]
