"""One layer's platform API: what runs from a release and reports health."""
import json
import os
import socket
import sqlite3
import sys
import threading
import time

RELEASE = os.path.dirname(os.path.realpath(__file__))
# Read once: the process reports the code it was started from, whatever the files say later.
with open(os.path.join(RELEASE, "VERSION")) as file:
    VERSION = file.read().strip()
with open(os.path.join(RELEASE, "settings.json")) as file:
    SETTINGS = json.load(file)
STARTED = time.time()


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


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
        store = sqlite3.connect(path, timeout=2)
        try:
            with store:
                store.execute("PRAGMA synchronous = OFF")
                store.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, value TEXT)")
                cursor = store.execute("INSERT INTO orders (value) VALUES (?)", (value,))
                row = store.execute("SELECT value FROM orders WHERE id = ?", (cursor.lastrowid,)).fetchone()
                store.execute("DELETE FROM orders WHERE id < ?", (cursor.lastrowid - 100,))
            return row[0] == value
        finally:
            store.close()

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


# By hand, as Python's own server and argument parser take longer to import than everything else here.
class Server:
    REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}

    def __init__(self, stack, address):
        self.stack = stack
        self.socket = socket.create_server(address, backlog=128)

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection:
            connection.settimeout(60)
            try:
                head = b""
                while b"\r\n\r\n" not in head and len(head) < 65536:
                    part = connection.recv(4096)
                    if not part:
                        return
                    head += part
                status, body = self.respond(head.split(b" ", 2)[1].decode())
                data = json.dumps(body).encode()
                connection.sendall(
                    b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                    % (status, self.REASONS[status].encode(), len(data)) + data)
            except (OSError, IndexError, UnicodeDecodeError):
                return

    def respond(self, path):
        stack = self.stack
        try:
            if path == "/health":
                return 200, {"status": "up"}
            if path == "/version":
                return 200, {"component": stack.layer, "version": VERSION, "pid": os.getpid(), "startedAt": STARTED}
            if path == "/api/v1/platform/services":
                return 200, {"generatedAt": now(), "services": stack.services()}
            if path == "/api/v1/observability/readiness":
                return 200, stack.readiness()
            if path == "/api/v1/orders/smoke":
                done = stack.round_trip("order-%d" % time.time_ns())
                return 200 if done else 500, {"order": "stored and read back" if done else "lost"}
            return 404, {"error": "no such path"}
        except (sqlite3.Error, OSError, ValueError) as error:
            return 503, {"error": str(error)}


def main():
    names = ("--layer", "--address", "--port", "--data", "--run")
    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    if sorted(options) != sorted(names):
        sys.exit("usage: service.py " + " ".join("%s %s" % (name, name[2:].upper()) for name in names))
    layer, address, port, data, run = (options[name] for name in names)
    Server(Stack(layer, data, run), (address, int(port))).serve()


main()
