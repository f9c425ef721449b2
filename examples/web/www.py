"""A web application that knows nothing of mongrel2: python3 www.py [--port 8089] [--prefix /web]

It is Python's own HTTP server with a page and a form, and stands for whatever runs already.  Its paths begin with the
prefix, if it has one: a proxy forwards them as they are.
"""

import argparse
import html
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LONGEST = 10_000  # bytes of a form


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # so that the proxy can keep its connections
    timeout = 60
    prefix = ""

    def do_GET(self):
        path = urlsplit(self.path).path.removeprefix(self.prefix)
        if path == "/":
            self.answer(200, "text/plain", "Hello, World!\n")
        elif path == "/who":
            self.answer(200, "text/plain", f"{self.headers.get('X-Forwarded-For')} asked {self.headers.get('Host')}\n")
        elif path == "/form":
            self.answer(200, "text/html", '<form method="post"><input name="name"><button>Greet</button></form>\n')
        else:
            self.answer(404, "text/plain", "There is nothing here.\n")

    do_HEAD = do_GET

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > LONGEST:
            self.close_connection = True
            return self.answer(413, "text/plain", "This is too long, or of no length.\n")
        form = parse_qs(self.rfile.read(int(length)).decode(errors="replace"))
        name = form.get("name", ["nobody"])[0]
        return self.answer(200, "text/html", f"<p>Hello, {html.escape(name)}!\n")

    def answer(self, status, kind, text):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        pass  # the server in front has an access log


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    parser = argparse.ArgumentParser(description="Answers behind a proxy.")
    parser.add_argument("--port", type=int, default=8089)
    parser.add_argument("--prefix", default="", help="what its paths begin with")
    options = parser.parse_args()
    Web.prefix = options.prefix
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Web)
    print(f"listens on port {server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()
