"""Hosts for measurements: real sshd processes on loopback addresses, all with the same host key and port."""
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path

ADDRESSES_PER_SERVER = 16  # MAX_LISTEN_SOCKS of sshd
START_SECONDS = 30
ACCOUNT = "lockflight-bench"
SSHD = "/usr/sbin/sshd"

CONFIG = """\
Port {port}
HostKey {work}/host
AuthorizedKeysFile {work}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 2000:30:4000
PrintMotd no
SetEnv HOME={home} LOCKFLIGHT_STATE_DIRECTORY={home}/.agent-state
"""


class BenchError(Exception):
    """What failed, where, and the next command."""


def account():
    """The account for logins: as root a separate account with a plain shell, else this user."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        run(["useradd", "--no-create-home", "--shell", "/bin/sh", "--password", "*", ACCOUNT])
    return ACCOUNT


def run(command, **options):
    """Runs a command; raises BenchError with its error output if it fails."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(map(str, command))} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Fleet:
    """`count` hosts; use it as a context. Each has its own home, or all share one, which needs fewer servers."""

    def __init__(self, work, count, own_homes=False):
        self.work, self.count, self.own_homes = Path(work), count, own_homes
        self.port = free_port()
        self.user = account()
        self.addresses = [f"127.77.{index // 250}.{index % 250 + 1}" for index in range(count)]
        self.servers = []

    def __enter__(self):
        shutil.rmtree(self.work, ignore_errors=True)
        for home in {self.home_of(address) for address in self.addresses}:
            home.mkdir(parents=True)
            if os.getuid() == 0:
                shutil.chown(home, self.user)
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        for name in ("host", "key"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.work / name])
        kind, key = (self.work / "host.pub").read_text().split()[:2]
        self.known_hosts.write_text("".join(f"[{address}]:{self.port} {kind} {key}\n" for address in self.addresses))
        self.targets.write_text("".join(f"{address} {self.port}\n" for address in self.addresses))
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def home(self):
        """The home that all hosts share."""
        return self.work / "home"

    def home_of(self, address):
        return self.work / "homes" / address if self.own_homes else self.home

    @property
    def key(self):
        return self.work / "key"

    @property
    def known_hosts(self):
        return self.work / "known_hosts"

    @property
    def targets(self):
        """A file of "address port" lines."""
        return self.work / "targets"

    @property
    def log(self):
        return self.work / "sshd.log"

    def start(self):
        step = 1 if self.own_homes else ADDRESSES_PER_SERVER
        for first in range(0, self.count, step):
            config = self.work / f"sshd_config-{first}"
            own = self.addresses[first:first + step]
            config.write_text(
                CONFIG.format(port=self.port, work=self.work, home=self.home_of(own[0]))
                + "".join(f"ListenAddress {address}\n" for address in own))
            self.servers.append(subprocess.Popen([SSHD, "-D", "-f", config, "-E", self.log]))
        deadline = time.monotonic() + START_SECONDS
        for address in self.addresses[::step]:
            while not self.answers(address):
                if time.monotonic() > deadline:
                    raise BenchError(f"sshd does not listen on {address}:{self.port}; see {self.log}")
                time.sleep(0.02)

    def answers(self, address):
        with socket.socket() as probe:
            return probe.connect_ex((address, self.port)) == 0

    def stop(self):
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.wait()

    def ssh_options(self, pinned=False):
        """Options of OpenSSH's client: strict host keys, this key alone; `pinned` for curve25519 as key exchange."""
        options = {
            "Port": self.port, "User": self.user, "IdentityFile": self.key, "IdentitiesOnly": "yes", "BatchMode": "yes",
            "StrictHostKeyChecking": "yes", "UserKnownHostsFile": self.known_hosts, "GlobalKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR"}
        if pinned:
            options["KexAlgorithms"] = "curve25519-sha256"
        return [f"-o{name}={value}" for name, value in options.items()]
