"""Item 2: the same upgrade of the same hosts, with a Lockflight run and with an Ansible playbook.

On each host: services and readiness, materialization, the guardrail, the redeploy, services and readiness, materialization, the
representative path; in batches of 1, 25 % and all, 25 hosts in flight, stopped at the first failure. The scripts do almost nothing, so
that the tools are measured; the CPU of the scripts is measured separately.
"""
import json
import os
import shutil
import sys

import goals
import peers
from fleet import BenchError, Fleet, run
from items import LOCKFLIGHT, Series, median, spread, turns
from measure import measure

SCRIPTS = {
    "services.sh": """printf '{"api":"healthy","queue":"healthy"}'""",
    "readiness.sh": """printf '{"database":"healthy"}'""",
    "materialization.sh": "test -s version",
    "guard.sh": "test -s version",
    "redeploy.sh": """printf '{"version":"%s"}' "$1" >version""",
    "path.sh": "test -s version",
    "version.sh": "cat version",
}
ORDER = ["services", "readiness", "materialization", "guard", "redeploy", "services", "readiness", "materialization", "path"]
IN_FLIGHT = 25
ANSIBLE, MITOGEN = "Ansible", "Ansible with Mitogen"

PLAN = """\
version: 1
name: bench-{to}
from: "{before}"
to: "{to}"
changeClass: minor
reviews: [{{title: Bench, reference: bench}}]
evidence:
  - {{name: services, command: {{run: [sh, ./services.sh], timeoutSeconds: 20}}, read: {{shape: statusMap, healthy: [healthy]}}}}
  - {{name: readiness, command: {{run: [sh, ./readiness.sh], timeoutSeconds: 20}}, read: {{shape: statusMap, healthy: [healthy]}}}}
materialization: {{run: [sh, ./materialization.sh], timeoutSeconds: 20}}
guardrails: [{{run: [sh, ./guard.sh], timeoutSeconds: 20}}]
representativePath: {{name: path, command: {{run: [sh, ./path.sh], timeoutSeconds: 20}}, read: {{shape: result}}}}
minimumFreeDiskMebibytes: 1
layers:
  - name: core
    steps: [{{name: redeploy, run: [sh, ./redeploy.sh, "${{to}}"], timeoutSeconds: 20}}]
    rollback: {{boundary: untilFinalize, run: [sh, ./redeploy.sh, "${{from}}"], timeoutSeconds: 20}}
    components: [{{name: stack, command: {{run: [sh, ./version.sh], timeoutSeconds: 20}}, pointer: /version}}]
    batches: [1, 25%, 100%]
    maxInFlight: {in_flight}
    soakSeconds: 0
    sampleSeconds: 5
    healthyWithinSeconds: 60
    progressDeadlineSeconds: 600
    failedWhen: [it does not answer]
"""

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  serial: [1, "25%", "100%"]
  any_errors_fatal: true
  tasks:
"""
TASK = """\
    - name: {name}
      ansible.builtin.command: {{argv: {argv}, chdir: "{{{{ stack }}}}"}}
      changed_when: false
      register: answer
      failed_when: answer.rc != 0{condition}
"""


def prepare(fleet, version):
    for address in fleet.addresses:
        stack = fleet.home_of(address) / "stack"
        stack.mkdir()
        for name, body in SCRIPTS.items():
            (stack / name).write_text(body + "\n")
        (stack / "version").write_text(json.dumps({"version": version}))
        if os.getuid() == 0:
            for path in (stack, *stack.iterdir()):
                shutil.chown(path, fleet.user)


def expect(fleet, version):
    """Checks that every host has the version that the tool reported."""
    for address in fleet.addresses:
        found = json.loads((fleet.home_of(address) / "stack" / "version").read_text())["version"]
        if found != version:
            raise BenchError(f"{address} is at {found}, not at {version}; see {fleet.work}/measured.out")


def scripts_milliseconds(fleet):
    """CPU of the scripts per host."""
    stack = fleet.home_of(fleet.addresses[0]) / "stack"
    times = 20
    loop = "; ".join(f"sh ./{name}.sh 1.0.0 >/dev/null" for name in ORDER)
    cost = measure(["sh", "-c", f"cd {stack} && i=0 && while [ $i -lt {times} ]; do {loop}; i=$((i+1)); done"], fleet.work)
    return cost.cpu_seconds * 1_000 / times


class LockflightRun:
    name = LOCKFLIGHT

    def __init__(self, fleet, program):
        self.fleet, self.program, self.version = fleet, program, 0
        self.environment = {
            "LOCKFLIGHT_LEDGER": str(fleet.work / "ledger.sqlite"),
            "LOCKFLIGHT_AGENT_DIRECTORY": str(peers.ROOT / ".build-agent" / "out")}
        inventory = fleet.work / "inventory.yaml"
        inventory.write_text(
            f"version: 1\nsshConfig: none\ndefaults: {{user: {fleet.user}, port: {fleet.port}, identityFile: {fleet.key}}}\n"
            "layers: [{name: core, owners: [bench]}]\nhosts:\n" + "".join(
                f"  - {{name: h{number}, address: {address}, workingDirectory: {fleet.home_of(address)}/stack, layers: "
                '{core: {baseURL: "http://127.0.0.1:1"}}}\n' for number, address in enumerate(fleet.addresses)))
        self.call("inventory", "import", inventory)
        self.call("inventory", "trust", "--known-hosts", fleet.known_hosts)
        self.call("inventory", "check")  # uploads the agents

    def call(self, *words):
        return run([self.program, *words], env={**os.environ, **self.environment})

    def upgrade(self, before, to):
        plan = self.fleet.work / f"plan-{to}.yaml"
        plan.write_text(PLAN.format(before=before, to=to, in_flight=IN_FLIGHT))
        self.call("plan", "add", plan)
        self.call("plan", "approve", f"bench-{to}", "--as", "bench")
        cost = measure([self.program, "rollout", "start", f"bench-{to}"], self.fleet.work, self.environment)
        if cost.code == 0:
            self.call("rollout", "finalize")
        return cost


class AnsibleRun:
    def __init__(self, fleet, name, strategy=None):
        self.fleet, self.name = fleet, name
        self.inventory = fleet.work / "upgrade_inventory"
        self.inventory.write_text("[all]\n" + "".join(
            f"{address} stack={fleet.home_of(address)}/stack\n" for address in fleet.addresses))
        self.environment = peers.ansible_environment(fleet)
        settings = f"[defaults]\nforks = {IN_FLIGHT}\n"
        if strategy:
            folder = run([peers.VENV / "python", "-c", "import ansible_mitogen; print(ansible_mitogen.__path__[0])"]).strip()
            settings += f"strategy_plugins = {folder}/plugins/strategy\nstrategy = {strategy}\n"
        config = fleet.work / f"ansible-{strategy or 'plain'}.cfg"
        config.write_text(settings + "[ssh_connection]\npipelining = True\n")
        self.environment["ANSIBLE_CONFIG"] = str(config)

    def upgrade(self, before, to):
        tasks = ""
        for name in ORDER:
            argv = ["sh", f"./{name}.sh"] + ([to] if name == "redeploy" else [])
            condition = " or 'unhealthy' in answer.stdout" if name in ("services", "readiness") else ""
            tasks += TASK.format(name=name, argv=json.dumps(argv), condition=condition)
        playbook = self.fleet.work / "playbook.yml"
        playbook.write_text(PLAYBOOK + tasks)
        return measure(
            [peers.VENV / "ansible-playbook", "-i", self.inventory, playbook], self.fleet.work, self.environment)


def section(bench, count):
    print(f"the same upgrade, {count} hosts", file=sys.stderr)
    rounds = 1 if bench.quick else max(1, bench.rounds // 2)
    ansible, mitogen = peers.pypi_version("ansible-core"), peers.pypi_version("mitogen")
    with Fleet(bench.fleet_folder, count, own_homes=True) as fleet:
        prepare(fleet, "1.0.0")
        contestants = [LockflightRun(fleet, bench.programs.lockflight)]
        if ansible:
            contestants.append(AnsibleRun(fleet, ANSIBLE))
        if ansible and mitogen:
            contestants.append(AnsibleRun(fleet, MITOGEN, "mitogen_linear"))
        own = scripts_milliseconds(fleet)
        (fleet.home_of(fleet.addresses[0]) / "stack" / "version").write_text(json.dumps({"version": "1.0.0"}))
        found, step = {each.name: Series() for each in contestants}, 0
        for number in range(rounds):
            for each in turns(contestants, number, close=1):
                before, step = f"1.0.{step}", step + 1
                cost = each.upgrade(before, f"1.0.{step}")
                if cost.code != 0:
                    raise BenchError(f"{each.name} ended with {cost.code}: {cost.output[-2000:]}")
                expect(fleet, f"1.0.{step}")
                found[each.name].add(cost, count)
                print(f"  {each.name}: {cost.wall_seconds:.1f} s", file=sys.stderr)
    ours = found[LOCKFLIGHT]
    versions = {LOCKFLIGHT: "", ANSIBLE: ansible, MITOGEN: f"{ansible}, {mitogen}"}
    judged = []
    for name, what, goal in (
        (ANSIBLE, "wall", goals.UPGRADE_ANSIBLE_WALL), (ANSIBLE, "cpu", goals.UPGRADE_ANSIBLE_CPU),
        (MITOGEN, "wall", goals.UPGRADE_MITOGEN_WALL), (MITOGEN, "cpu", goals.UPGRADE_MITOGEN_CPU)):
        if name in found:
            judged += bench.judge(goal, median(found[name], what) / median(ours, what), peer=name)
    return {
        "title": f"The same upgrade: {count} hosts, batches 1, 25 %, 100 %, {IN_FLIGHT} in flight, {rounds} rounds",
        "text": f"The scripts themselves take {own:.1f} ms of CPU per host, for everybody. Lockflight runs once more after each of "
                "the others; it keeps its full evidence; its agents were there before, as Python was.",
        "upgrades": [
            {"peer": name, "wall": spread(series.wall), "cpu": spread([value * count / 1_000 for value in series.cpu]),
             "memory": spread(series.memory), "wire": spread(series.wire), "version": versions[name], "wallRatio": median(series, "wall") / median(ours, "wall"),
             "cpuRatio": median(series, "cpu") / median(ours, "cpu")} for name, series in found.items()],
        "goals": judged}


def upgrade(bench):
    return [section(bench, count) for count in ([10] if bench.quick else [50, 100])]
