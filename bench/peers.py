"""The peers: how each is installed, how it runs one command on every host, and how its results are read."""
import functools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from fleet import BenchError, run

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "bench" / ".work"
VENV = WORK / "venv" / "bin"
DEBIAN = ["pdsh", "clustershell", "pssh"]
# The versions of the published figures, pinned so that a new version does not change the baseline for regressions.
PYPI = {"parallel-ssh": "2.16.0.post1", "pyinfra": "3.10.0", "ansible-core": "2.19.14", "mitogen": "0.3.54"}


@dataclass
class Peer:
    name: str
    version: str
    # (fleet, width, remote command, results) -> the command line and additions to the environment. The addresses of the good hosts
    # are written to the file `results`, or `good` reads them from the output.
    command: Callable
    good: Callable


def install():
    """Installs the peers: those of PyPI into bench/.work, those of Debian as packages. Returns the names of those that are missing."""
    ensurepip = Path(sysconfig.get_path("stdlib"), "ensurepip")
    install_debian(DEBIAN + ([] if ensurepip.exists() else ["python3-venv"]))
    install_pypi()
    return [package for package in DEBIAN if not is_installed(package)] + [
        package for package in PYPI if not pypi_version(package)]


def install_debian(packages):
    missing = [package for package in packages if not is_installed(package)]
    if not missing or os.getuid() != 0 or not shutil.which("apt-get"):
        return
    install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *missing]
    # Only downloads have a deadline: apt may be killed while it downloads, but not while it installs.
    if attempt(["apt-get", "update", "-qq"], DOWNLOAD_SECONDS) and attempt([*install, "--download-only"], DOWNLOAD_SECONDS):
        attempt([*install, "--no-download"])


def install_pypi():
    if not (VENV / "pip").exists() and not attempt([sys.executable, "-m", "venv", "--clear", VENV.parent]):
        return
    for package, version in PYPI.items():
        if pypi_version(package) != version:
            attempt([VENV / "pip", "install", "--timeout", "10", "--retries", "1", f"{package}=={version}"], 2 * DOWNLOAD_SECONDS)
    pypi_versions.cache_clear()


DOWNLOAD_SECONDS = 30


def attempt(command, seconds=None):
    """Whether a command succeeded in time."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def is_installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True)
    return done.stdout.endswith(" installed")


def debian_version(package):
    return run(["dpkg-query", "-W", "-f", "${Version}", package]).strip()


@functools.cache
def pypi_versions():
    """The version of each installed package of PyPI; cached, because asking takes a second."""
    if not (VENV / "pip").exists():
        return {}
    return {entry["name"]: entry["version"] for entry in json.loads(run([VENV / "pip", "list", "--format", "json"]))}


def pypi_version(package):
    return pypi_versions().get(package)


def write(path, text):
    path.write_text(text)
    return path


def lines(results, _):
    """The addresses in the file of results."""
    return set(results.read_text().split()) if results.exists() else set()


# The floor and Lockflight take the same arguments.


def own(program):
    def command(fleet, width, remote, results):
        arguments = [fleet.targets, fleet.user, fleet.key, fleet.work / "host.pub", width, remote, results]
        return [program, *arguments], {}
    return command


PARALLEL_SSH = """\
import json, sys
from pssh.clients import ParallelSSHClient
hosts, port, user, key, width, remote, results = json.load(open(sys.argv[1]))
client = ParallelSSHClient(hosts, port=port, user=user, pkey=key, pool_size=width, num_retries=1, allow_agent=False)
output = client.run_command(remote, stop_on_errors=False)
client.join(output)
with open(results, "w") as file:
    for host in output:
        list(host.stdout or [])
        if host.exception is None and host.exit_code == 0:
            print(host.host, file=file)
"""


def parallel_ssh(fleet, width, remote, results):
    call = [fleet.addresses, fleet.port, fleet.user, str(fleet.key), width, remote, str(results)]
    script = write(fleet.work / "parallel_ssh.py", PARALLEL_SSH)
    return [VENV / "python", script, write(fleet.work / "parallel_ssh.json", json.dumps(call))], {}


def pdsh(pinned):
    def command(fleet, width, remote, _):
        options = " ".join(fleet.ssh_options(pinned))
        return ["pdsh", "-R", "ssh", "-S", "-f", width, "-w", ",".join(fleet.addresses), f"{remote} && echo good"], {
            "PDSH_SSH_ARGS": f"{options} -l%u %h", "PDSH_SSH_ARGS_APPEND": ""}
    return command


def prefixed(_, output):
    """The hosts whose lines are `ADDRESS: good`."""
    return {line.split(":")[0] for line in output.splitlines() if line.endswith(": good")}


def clush(pinned):
    def command(fleet, width, remote, _):
        return ["clush", "-q", "-f", width, "-o", " ".join(fleet.ssh_options(pinned)), "-w", ",".join(fleet.addresses),
                f"{remote} && echo good"], {}
    return command


def pssh(pinned):
    def command(fleet, width, remote, _):
        hosts = write(fleet.work / "pssh.hosts", "".join(f"{address}:{fleet.port}\n" for address in fleet.addresses))
        return ["parallel-ssh", "-p", width, "-t", "0", "-h", hosts, "-l", fleet.user,
                *(f"-O{option[2:]}" for option in fleet.ssh_options(pinned)), remote], {}
    return command


def successes(_, output):
    """The hosts of lines like `[1] 12:00:00 [SUCCESS] ADDRESS:PORT`."""
    return {line.split("[SUCCESS]")[1].split(":")[0].strip() for line in output.splitlines() if "[SUCCESS]" in line}


def pyinfra(fleet, width, remote, _):
    data = {"ssh_port": fleet.port, "ssh_user": fleet.user, "ssh_key": str(fleet.key),
            "ssh_known_hosts_file": str(fleet.known_hosts), "ssh_strict_host_key_checking": "yes"}
    inventory = write(fleet.work / "pyinfra_inventory.py", f"hosts = ({fleet.addresses!r}, {data!r})\n")
    return [VENV / "pyinfra", "-y", "--parallel", width, inventory, "exec", "--", remote], {}


def pyinfra_good(_, output):
    """The hosts of lines like `[ADDRESS] Success`."""
    return {line.split("[")[1].split("]")[0] for line in output.splitlines() if "Success" in line and "[" in line}


def ansible_inventory(fleet):
    return write(fleet.work / "ansible_inventory", "[all]\n" + "".join(f"{address}\n" for address in fleet.addresses))


def ansible_environment(fleet, pinned=False):
    arguments = " ".join([*fleet.ssh_options(pinned), "-oControlMaster=auto", "-oControlPersist=60s"])
    return {
        "ANSIBLE_CONFIG": str(write(fleet.work / "ansible.cfg", "[defaults]\n[ssh_connection]\npipelining = True\n")),
        "ANSIBLE_SSH_ARGS": arguments, "ANSIBLE_SSH_CONTROL_PATH_DIR": str(fleet.work / "cp"), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_HOME": str(fleet.work / "ansible")}


def ansible(pinned):
    def command(fleet, width, remote, _):
        return [VENV / "ansible", "all", "-i", ansible_inventory(fleet), "-m", "raw", "-a", remote, "-f", width], (
            ansible_environment(fleet, pinned))
    return command


def ansible_good(_, output):
    """The hosts of lines like `ADDRESS | CHANGED | rc=0 >>`."""
    return {line.split(" | ")[0] for line in output.splitlines() if "| rc=0 " in line}


def floor_and_lockflight(programs):
    libssh2 = debian_version("libssh2-1")
    return [
        Peer("floor (C, libssh2)", libssh2, own(programs.floor), lines), Peer("Lockflight", libssh2, own(programs.fan_out), lines)]


def fan_out_peers(programs, pinned_too=False):
    """All peers that run a command on many hosts; `pinned_too` adds OpenSSH's clients with curve25519 as key exchange."""
    peers = floor_and_lockflight(programs)
    if version := pypi_version("parallel-ssh"):
        peers.append(Peer("parallel-ssh", version, parallel_ssh, lines))
    kinds = [(False, "")] + ([(True, ", curve25519")] if pinned_too else [])
    for name, package, make, good in [
        ("pdsh", "pdsh", pdsh, prefixed), ("clush", "clustershell", clush, prefixed), ("pssh", "pssh", pssh, successes)]:
        if is_installed(package):
            peers += [Peer(name + suffix, debian_version(package), make(pinned), good) for pinned, suffix in kinds]
    if version := pypi_version("pyinfra"):
        peers.append(Peer("pyinfra", version, pyinfra, pyinfra_good))
    if version := pypi_version("ansible-core"):
        peers += [Peer("Ansible raw" + suffix, version, ansible(pinned), ansible_good) for pinned, suffix in kinds]
    return peers


@dataclass
class Programs:
    floor: Path
    fan_out: Path  # Lockflight's transport, run like the floor
    scale: Path
    lockflight: Path


def build():
    WORK.mkdir(parents=True, exist_ok=True)
    floor = WORK / "floor"
    run(["gcc", "-O2", "-Wall", "-Wextra", "-o", floor, ROOT / "bench" / "floor.c", "-lssh2", "-lpthread"])
    return Programs(floor, build_ours("lockflight-bench"), build_ours("lockflight-bench-scale"), build_ours("lockflight"))


def build_ours(product):
    """One of our programs, in its release build."""
    run(["make", "release", f"PRODUCT={product}"], cwd=ROOT)
    return ROOT / ".build" / "release" / product


if shutil.which("swift") is None:
    raise BenchError("swift is missing; install Swift 6.2 or later from https://www.swift.org/install")
