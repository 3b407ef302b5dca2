"""Probes one layer from outside its process and writes what the readiness endpoint serves."""
import json
import os
import sys
import time
import urllib.request
from datetime import datetime, timezone

base, target = sys.argv[1], sys.argv[2]
with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "settings.json")) as file:
    PAUSE = json.load(file)["probeSeconds"]


def status(path):
    try:
        with urllib.request.urlopen(base + path, timeout=2) as answer:
            return "ready" if answer.status == 200 else "not_ready"
    except OSError:
        return "not_ready"


while True:
    checks = {"http": {"status": status("/health")}, "orders": {"status": status("/api/v1/orders/smoke")}}
    report = {"generatedAt": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "checks": checks}
    with open(target + ".new", "w") as file:
        json.dump(report, file)
    os.replace(target + ".new", target)
    time.sleep(PAUSE)
