"""Takes orders into PostgreSQL.

usage: orders.py ADDRESS DATABASE CACHE
"""
import contextlib
import http.server
import json
import sys

import psycopg2

VERSION = "1.4.0"


@contextlib.contextmanager
def database():
    connection = psycopg2.connect(host=sys.argv[2], dbname="orders", user="deploy", connect_timeout=3)
    with contextlib.closing(connection), connection, connection.cursor() as cursor:
        yield cursor


def health():
    with database() as cursor:
        cursor.execute("SELECT 1")
    return {"status": "up"}


def smoke():
    """Orders something, looks the order up and cancels it, as a customer may."""
    with database() as cursor:
        cursor.execute("INSERT INTO orders (article) VALUES ('smoke') RETURNING id")
        order = cursor.fetchone()
        cursor.execute("DELETE FROM orders WHERE id = %s RETURNING article", order)
        return {"article": cursor.fetchone()[0]}


class Orders(http.server.BaseHTTPRequestHandler):
    pages = {"/version": lambda: {"version": VERSION}, "/health": health, "/orders/smoke": smoke}

    def do_GET(self):
        try:
            status, answer = 200, self.pages[self.path]()
        except KeyError:
            status, answer = 404, {"error": "no such page"}
        except Exception as error:
            status, answer = 503, {"error": str(error)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer((sys.argv[1], 8080), Orders).serve_forever()
