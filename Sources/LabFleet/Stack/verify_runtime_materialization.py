"""Compares repo truth with runtime truth: release files, active link, environment, running process, its own report.

usage: verify_runtime_materialization.py --check --layer LAYER
"""
import hashlib
import json
import os
import socket
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def read(path):
    with open(path) as file:
        return file.read().strip()


def environment(path):
    return dict(line.split("=", 1) for line in read(path).splitlines() if "=" in line)


def sockets(pid):
    """What a process has open; a descriptor that is closed meanwhile is none."""
    links = set()
    try:
        for descriptor in os.listdir("/proc/%s/fd" % pid):
            try:
                links.add(os.readlink("/proc/%s/fd/%s" % (pid, descriptor)))
            except OSError:
                continue
    except OSError:
        pass
    return links


def listener(address, port, place):
    """The id of the process that listens there, found through the kernel's tables; whom the pid file names is asked first."""
    octets = "".join("%02X" % int(part) for part in reversed(address.split(".")))
    wanted = "%s:%04X" % (octets, port)
    inodes = set()
    with open("/proc/net/tcp") as table:
        next(table)
        for line in table:
            fields = line.split()
            # Those that listen come first.
            if fields[3] != "0A":
                break
            if fields[1] == wanted:
                inodes.add("socket:[%s]" % fields[9])
    file = os.path.join(place, "run", "service.pid")
    likely = [read(file)] if os.path.exists(file) else []
    for pid in [*likely, *filter(str.isdigit, os.listdir("/proc"))]:
        if inodes & sockets(pid):
            return int(pid)
    return None


def differences(layer):
    place = os.path.join(ROOT, "layers", layer)
    env = environment(os.path.join(place, "env"))
    release = os.path.realpath(os.path.join(place, "current"))
    version = read(os.path.join(release, "VERSION"))
    for line in read(os.path.join(release, "manifest.sha256")).splitlines():
        digest, name = line.split("  ", 1)
        with open(os.path.join(release, name), "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != digest:
                yield "%s of release %s is not what its manifest says" % (name, version)
    active = environment(os.path.join(place, "active.env")).get("RELEASE")
    if active != version:
        yield "active.env names %s, the active link %s" % (active, version)
    pid = listener(env["ADDRESS"], int(env["PORT"]), place)
    if pid is None:
        yield "nothing listens on %s:%s" % (env["ADDRESS"], env["PORT"])
        return
    with open("/proc/%d/cmdline" % pid) as file:
        command = file.read().split("\0")
    if os.path.join(release, "service.py") not in command:
        yield "process %d does not run from the active release %s" % (pid, version)
    # By hand, as Python's own client takes longer to import than everything else here.
    with socket.create_connection((env["ADDRESS"], int(env["PORT"])), timeout=5) as connection:
        connection.sendall(b"GET /version HTTP/1.0\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    if head.split(b" ")[1:2] != [b"200"]:
        yield "the API answers %s" % head.partition(b"\r\n")[0].decode(errors="replace")
        return
    reported = json.loads(body)
    if reported["version"] != version:
        yield "process %d reports %s, the active release is %s" % (pid, reported["version"], version)
    if reported["pid"] != pid:
        yield "the API answers from process %d, %d listens" % (reported["pid"], pid)


def main():
    if len(sys.argv) != 4 or sys.argv[1:3] != ["--check", "--layer"]:
        sys.exit(__doc__)
    layer = sys.argv[3]
    try:
        found = list(differences(layer))
    except (OSError, ValueError, KeyError) as error:
        found = ["could not compare: %s" % error]
    print(json.dumps({"layer": layer, "agree": not found, "differences": found}))
    sys.exit(1 if found else 0)


main()
