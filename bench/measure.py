"""Runs a program and measures its cost, including everything that it started.

As a program: measure.py RESULT OUTPUT COMMAND... writes the figures as JSON to RESULT and the program's output to OUTPUT.
"""
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
SAMPLE_SECONDS = 0.05
LIMIT_SECONDS = 900


@dataclass
class Cost:
    """What one run of a program cost."""

    code: int
    wall_seconds: float
    cpu_seconds: float  # user and system, of the program and all that it started
    peak_mebibytes: float  # resident at a time, summed over them, sampled twenty times a second
    wire_mebibytes: float  # sent over the loopback interface meanwhile, both directions, by any process
    output: str  # standard output and standard error


def measure(command, work, environment=None):
    """Runs a command, with `environment` added to this process's, and returns its `Cost`; its files go to `work`."""
    result, output = work / "measured.json", work / "measured.out"
    subprocess.run(
        [sys.executable, __file__, result, output, *map(str, command)],
        env={**os.environ, **(environment or {})}, check=True)
    figures = json.loads(result.read_text())
    return Cost(**figures, output=output.read_text(errors="replace"))


def sent_bytes():
    """The bytes that the loopback interface has sent since it came up."""
    with open("/sys/class/net/lo/statistics/tx_bytes") as file:
        return int(file.read())


def children(process):
    """The direct children of a process, as pids."""
    try:
        with open(f"/proc/{process}/task/{process}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def tree(process):
    found = children(process)
    return found + [below for child in found for below in tree(child)]


def resident_bytes(process):
    try:
        with open(f"/proc/{process}/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


class Watch(threading.Thread):
    """Samples the resident memory of the descendants of this process."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, sum(map(resident_bytes, tree(os.getpid()))))


def end_orphans():
    """Ends processes that the program left in the background, such as ssh control masters; their time counts."""
    for process in children(os.getpid()):
        try:
            os.kill(process, signal.SIGTERM)
        except ProcessLookupError:
            pass
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def main():
    result, output, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    watch = Watch()
    with open(output, "wb") as file:
        sent_before, begin = sent_bytes(), time.monotonic()
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            cwd=os.path.dirname(result))  # some leave logs in their working directory
        watch.start()
        code = program.wait(LIMIT_SECONDS)
        wall = time.monotonic() - begin
    watch.over.set()
    watch.join()
    end_orphans()
    sent = sent_bytes() - sent_before
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The kernel's figure is used if the program ended before a sample; it includes this program's size at the fork.
    peak = watch.peak_bytes or usage.ru_maxrss * 1_024
    figures = {
        "code": code, "wall_seconds": wall, "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mebibytes": peak / 2**20, "wire_mebibytes": sent / 2**20}
    with open(result, "w") as file:
        json.dump(figures, file)


if __name__ == "__main__":
    main()
