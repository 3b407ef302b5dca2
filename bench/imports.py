"""Item 9: what an import of a large inventory costs, by itself and beside OpenSSH's own answers."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import goals
import peers
from fleet import BenchError
from items import spread
from measure import measure

VARIABLES = 35  # of each host; large public inventories have some dozens
AT_ONCE = 16  # `ssh -G` at a time, as many as Lockflight asks at a time

MAPPING = """version: 1
sshConfig: none
defaults: {user: deploy, workingDirectory: /srv/stack, baseURL: "http://127.0.0.1:8080"}
layers:
  - {name: data, owners: [ops], groups: [databases]}
  - {name: app, owners: [ops], groups: [apps]}
"""


def ansible_list(count):
    """What `ansible-inventory --list` prints for a fleet: every tenth host a database, the others apps."""
    names = [f"host-{number}.example.net" for number in range(count)]
    variables = {
        name: {"ansible_host": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "ansible_port": 22}
        | {f"setting_{index}": f"value {index} of {name}" for index in range(VARIABLES)}
        for number, name in enumerate(names)}
    return {
        "_meta": {"hostvars": variables}, "all": {"children": ["ungrouped", "databases", "apps"]},
        "databases": {"hosts": names[::10]}, "apps": {"hosts": [name for index, name in enumerate(names) if index % 10]}}


def table(count):
    """Hosts without addresses, which ssh_config is asked about."""
    rows = ["name,workingDirectory,layer:app:ops"]
    return "\n".join(rows + [f"host-{number}.example.net,/srv/stack,http://127.0.0.1:8080" for number in range(count)]) + "\n"


def imports(bench):
    hosts, asked = (1_000, 100) if bench.quick else (10_000, 1_000)
    program = bench.programs.lockflight
    own, beside, alone = [], [], []
    print("imports", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=peers.WORK) as name:
        folder = Path(name)
        (folder / "list.json").write_text(json.dumps(ansible_list(hosts)))
        (folder / "map.yaml").write_text(MAPPING)
        (folder / "hosts.csv").write_text(table(asked))
        for number in range(bench.rounds):
            def cost(*arguments):
                ledger = folder / f"ledger-{number}-{len(arguments)}.sqlite"
                whole = measure([program, "inventory", "import", *arguments, "--ledger", ledger], peers.WORK)
                if whole.code != 0:
                    raise BenchError(f"the import of {arguments[0]} failed: {whole.output}")
                return whole
            own.append(cost(folder / "list.json", "--map", folder / "map.yaml"))
            # In turns, so that both meet the same machine.
            alone.append(ssh_seconds(asked))
            beside.append(cost(folder / "hosts.csv").wall_seconds)
            print(f"  round {number + 1} of {bench.rounds}", file=sys.stderr)
    seconds = [one.wall_seconds for one in own]
    ratios = [one / other for one, other in zip(beside, alone)]
    return [{
        "title": f"Imports, {bench.rounds} rounds",
        "text": f"A saved list of Ansible with {VARIABLES} variables a host, `sshConfig: none`; and a table of hosts for which "
                f"`ssh -G` is asked, {AT_ONCE} at a time, beside those calls alone.",
        "figures": {
            "headers": ["what", "hosts", "wall, s", "peak memory, MiB", "x `ssh -G` alone"],
            "lines": [
                {"what": "Ansible's list", "hosts": hosts, "wall": spread(seconds),
                 "memory": spread([one.peak_mebibytes for one in own]), "ratio": "-"},
                {"what": "a table and ssh_config", "hosts": asked, "wall": spread(beside), "memory": "-", "ratio": spread(ratios)}],
        },
        "goals": bench.judge(goals.IMPORT_TIME, spread(seconds)["median"], hosts=hosts)
        + bench.judge(goals.IMPORT_SSH, spread(ratios)["median"])}]


def ssh_seconds(count):
    """How long OpenSSH takes to answer for as many hosts, by itself."""
    names = "".join(f"host-{number}.example.net\n" for number in range(count))
    began = time.monotonic()
    subprocess.run(
        ["xargs", "-P", str(AT_ONCE), "-n", "1", "ssh", "-T", "-G", "--"], input=names.encode(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=os.environ, check=True)
    return time.monotonic() - began
