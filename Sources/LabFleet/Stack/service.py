"""One layer's platform API: what runs from a release and reports health."""
import argparse
import json
import os
import sqlite3
import threading
import time
from contextlib import closing
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RELEASE = os.path.dirname(os.path.realpath(__file__))
# Read once: the process reports the code it was started from, whatever the files say later.
with open(os.path.join(RELEASE, "VERSION")) as file:
    VERSION = file.read().strip()
with open(os.path.join(RELEASE, "settings.json")) as file:
    SETTINGS = json.load(file)
STARTED = time.time()


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Stack:
    def __init__(self, layer, data, run):
        self.layer, self.data, self.run = layer, data, run
        self.beats = {}
        for worker in SETTINGS["workers"]:
            threading.Thread(target=self.work, args=(worker,), daemon=True).start()

    def work(self, name):
        while True:
            self.beats[name] = time.time()
            time.sleep(0.5)

    def round_trip(self, value):
        """Writes a row and reads it back."""
        path = os.path.join(self.data, SETTINGS["store"])
        with closing(sqlite3.connect(path, timeout=2)) as store, store:
            store.execute("PRAGMA synchronous = OFF")
            store.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, value TEXT)")
            cursor = store.execute("INSERT INTO orders (value) VALUES (?)", (value,))
            row = store.execute("SELECT value FROM orders WHERE id = ?", (cursor.lastrowid,)).fetchone()
            store.execute("DELETE FROM orders WHERE id < ?", (cursor.lastrowid - 100,))
        return row[0] == value

    def store_status(self):
        try:
            return "up" if self.round_trip("probe") else "down"
        except (sqlite3.Error, OSError):
            return "down"

    def services(self):
        fresh = {name: "up" if time.time() - beat < 3 else "down" for name, beat in self.beats.items()}
        statuses = {"api": "up", "store": self.store_status(), **fresh}
        return [{"name": name, "status": status} for name, status in sorted(statuses.items())]

    def readiness(self):
        """What the prober last wrote; it runs beside this process."""
        with open(os.path.join(self.run, "readiness.json")) as file:
            return json.load(file)


class Handler(BaseHTTPRequestHandler):
    stack = None

    def do_GET(self):
        stack = self.stack
        try:
            if self.path == "/health":
                self.answer(200, {"status": "up"})
            elif self.path == "/version":
                self.answer(200, {"component": stack.layer, "version": VERSION, "pid": os.getpid(), "startedAt": STARTED})
            elif self.path == "/api/v1/platform/services":
                self.answer(200, {"generatedAt": now(), "services": stack.services()})
            elif self.path == "/api/v1/observability/readiness":
                self.answer(200, stack.readiness())
            elif self.path == "/api/v1/orders/smoke":
                done = stack.round_trip("order-%d" % time.time_ns())
                self.answer(200 if done else 500, {"order": "stored and read back" if done else "lost"})
            else:
                self.answer(404, {"error": "no such path"})
        except (sqlite3.Error, OSError, ValueError) as error:
            self.answer(503, {"error": str(error)})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def main():
    parser = argparse.ArgumentParser()
    for name in ("--layer", "--address", "--data", "--run"):
        parser.add_argument(name, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    Handler.stack = Stack(arguments.layer, arguments.data, arguments.run)
    Server((arguments.address, arguments.port), Handler).serve_forever()


main()
