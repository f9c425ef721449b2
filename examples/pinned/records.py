"""A program that knows its users by their connections: who logs in, logs in this connection, and no other.

It has no cookies and no sessions.  That is how programs are that open a database with the user's own name and
password, so that the database decides who may see what.  Behind a proxy that shares connections each user would be
somebody else; behind one that pins them to sessions it is safe.
"""

import argparse
import itertools
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

# What stands for the database: roles, their passwords, and what they may read.
PASSWORDS = {"nurse": "lamp", "doctor": "scalpel"}
TABLES = {"appointments": {"nurse", "doctor"}, "diagnoses": {"doctor"}}

LONGEST_BODY = 10_000
NUMBERS = itertools.count(1)

LOGIN = """<form method="post" action="login">
<p><input name="role" placeholder="nurse or doctor"> <input name="password" type="password"> <button>Log in</button>
</form>"""
LOGOUT = """<form method="post" action="logout"><p><button>Log out</button></form>"""


class Database:
    """A connection to the database, opened with a role's password."""

    def __init__(self, role, password):
        if PASSWORDS.get(role) != password:
            raise PermissionError(role)
        self.role = role

    def tables(self):
        return sorted(name for name, roles in TABLES.items() if self.role in roles)


class Connection(BaseHTTPRequestHandler):
    """A connection of the server's; the requests that come over it are answered one after the other."""

    protocol_version = "HTTP/1.1"
    # Heads and bodies leave together.
    wbufsize = 16 * 1024
    # What paths begin with: a proxy forwards them as they are.
    prefix = ""

    def setup(self):
        super().setup()
        self.number = next(NUMBERS)
        self.requests = 0
        self.database = None

    def do_GET(self):
        self.requests += 1
        path = self.path.removeprefix(self.prefix)
        if path == "/":
            self.answer(200, self.page(), "text/html; charset=utf-8")
        elif path == "/who":
            self.answer(200, json.dumps(self.who()) + "\n", "application/json")
        else:
            self.answer(404, "not found\n")

    def do_POST(self):
        self.requests += 1
        path, form = self.path.removeprefix(self.prefix), self.form()
        if form is None:
            self.close_connection = True
            self.answer(413, "too long\n")
        elif path == "/login":
            self.login(form)
        elif path == "/logout":
            self.database = None
            self.see_page()
        else:
            self.answer(404, "not found\n")

    def login(self, form):
        self.database = None
        try:
            self.database = Database(form.get("role"), form.get("password"))
        except PermissionError:
            self.answer(403, "no such role, or another password\n")
        else:
            self.see_page()

    def who(self):
        return {
            "connection": self.number,
            "requests": self.requests,
            "role": self.database and self.database.role,
            "tables": self.database.tables() if self.database else [],
            "cookies": self.headers.get_all("Cookie", []),
        }

    def page(self):
        title = f"<title>Records</title><p>Connection {self.number}, request {self.requests}."
        if self.database is None:
            return f"{title} Nobody has logged in here.\n{LOGIN}\n"
        tables = "".join(f"<li>{table}" for table in self.database.tables())
        return f"{title} You are <b>{self.database.role}</b>, and may read\n<ul>{tables}</ul>\n{LOGOUT}\n"

    def form(self):
        """The fields of a form; None if it is too long."""
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > LONGEST_BODY:
            return None
        fields = parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"))
        return {name: values[0] for name, values in fields.items()}

    def see_page(self):
        self.answer(303, "", headers={"Location": "./"})

    def answer(self, status, body, kind="text/plain; charset=utf-8", headers=None):
        body = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Cache-Control": "no-store", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    request_queue_size = 128


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--port", type=int, default=8090)
    arguments.add_argument("--prefix", default="", help="what paths begin with")
    options = arguments.parse_args()
    Connection.prefix = options.prefix
    server = Server(("127.0.0.1", options.port), Connection)
    print(f"listens on port {options.port}", file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
