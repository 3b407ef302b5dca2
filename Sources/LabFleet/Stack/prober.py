"""Probes one layer from outside its process and writes what the readiness endpoint serves."""
import json
import os
import socket
import sys
import time

host, _, port = sys.argv[1].removeprefix("http://").partition(":")
target = sys.argv[2]
with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "settings.json")) as file:
    PAUSE = json.load(file)["probeSeconds"]


def status(path):
    # By hand, as Python's own client takes longer to import than everything else here.
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(b"GET %s HTTP/1.0\r\n\r\n" % path.encode())
            line = connection.makefile("rb").readline()
    except OSError:
        return "not_ready"
    return "ready" if line.split(b" ")[1:2] == [b"200"] else "not_ready"


while True:
    checks = {"http": {"status": status("/health")}, "orders": {"status": status("/api/v1/orders/smoke")}}
    report = {"generatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "checks": checks}
    with open(target + ".new", "w") as file:
        json.dump(report, file)
    os.replace(target + ".new", target)
    time.sleep(PAUSE)
