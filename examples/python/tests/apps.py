"""WSGI applications for tests: good ones, checked by wsgiref's validator, and all kinds of broken ones."""

import json
import os
import sys
import threading
import time
from wsgiref.validate import validator

PLAIN = [("Content-Type", "text/plain")]


def echo(environ, start_response):
    """Tells the environ, and the size and sum of the body."""
    size = total = 0
    while piece := environ["wsgi.input"].read(65536):
        size, total = size + len(piece), total + sum(piece)
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    start_response("200 OK", PLAIN)
    return [json.dumps({"environ": told, "size": size, "sum": total}, sort_keys=True).encode()]


def pieces(environ, start_response):
    """As many pieces, of as many bytes, as the query says."""
    count, size = map(int, environ["QUERY_STRING"].split(","))
    start_response("200 OK", PLAIN)
    return (bytes([65 + number % 26]) * size for number in range(count))


def writes(_environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"written, ")
    return [b"returned"]


def empty(_environ, start_response):
    start_response("204 No Content", [])
    return []


checked = {app.__name__: validator(app) for app in [echo, pieces, writes, empty]}


class Closing:
    """Tells that it was closed."""

    def __init__(self, told, rest=()):
        self.told, self.rest = told, iter(rest)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.rest)

    def close(self):
        print(f"closed {self.told}", file=sys.stderr, flush=True)


def raises(_environ, _start_response):
    raise KeyError("the secret of the application")


def raises_late(_environ, start_response):
    start_response("200 OK", PLAIN)

    def rest():
        yield b"some of it"
        raise KeyError("the secret of the application")

    return Closing("late", rest())


def recovers(_environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        raise KeyError("x")
    except KeyError:
        start_response("400 Bad Request", PLAIN, sys.exc_info())
    return [b"recovered"]


def exits(_environ, _start_response):
    raise SystemExit("as a script that calls sys.exit")


def starts_never(_environ, _start_response):
    return [b"x"]


def starts_twice(_environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return []


def text(_environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text"]


def too_much(_environ, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return [b"abc", b"HTTP/1.1 200 OK\r\n\r\n"]


def too_little(_environ, start_response):
    start_response("200 OK", [("Content-Length", "9")])
    return [b"abc"]


def splits(_environ, start_response):
    start_response("200 OK", [("X-A", "1\r\nX-B: 2")])
    return []


def hops(_environ, start_response):
    start_response("200 OK", [("Transfer-Encoding", "chunked")])
    return []


def endless(_environ, start_response):
    """Goes on until its client has gone."""
    start_response("200 OK", PLAIN)

    def rest():
        while True:
            time.sleep(0.001)
            yield b"x" * 1024

    return Closing("endless", rest())


def slow(_environ, start_response):
    """Takes until somebody asks for /release."""
    print("slow has begun", file=sys.stderr, flush=True)
    RELEASED.wait(30)
    start_response("200 OK", PLAIN)
    return [b"slow"]


def release(_environ, start_response):
    RELEASED.set()
    start_response("200 OK", PLAIN)
    return [str(os.getpid()).encode()]


RELEASED = threading.Event()

BROKEN = [raises, raises_late, exits, starts_never, starts_twice, text, too_much, too_little, splits, hops]
PATHS = {**checked, **{app.__name__: app for app in [*BROKEN, recovers, endless, slow, release]}}


def application(environ, start_response):
    """The application that the path names."""
    return PATHS[environ["PATH_INFO"].split("/")[1]](environ, start_response)
