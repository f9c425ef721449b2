"""The sample of `m2sh conformance app` as far as WSGI can have it: of a whole body, and without WebSockets.

What it has to do is told in the manual; a path that isn't here is answered with 404, and its cases are skipped.
"""

import re
import threading
import time
from collections import defaultdict
from urllib.parse import parse_qs

NEVER = 3600.0


class Run:
    """What is said in a run, and whether what waits may go on."""

    def __init__(self):
        self.lines, self.changed, self.go = [], threading.Condition(), threading.Semaphore(0)

    def say(self, line):
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def said(self, what):
        with self.changed:
            self.changed.wait_for(lambda: what in self.lines, 1.0)
            return "".join(f"{line}\n" for line in self.lines)


RUNS = defaultdict(Run)


def text(start, body, status="200 OK", headers=()):
    body = body.encode("latin-1") if isinstance(body, str) else body
    start(status, [("Content-Length", str(len(body))), *headers])
    return [body]


def bare(status, headers=()):
    def answer(env, start, run):
        start(status, list(headers))
        return []

    return answer


def about(env, start, run):
    x, cookie = re.sub(r",\s*", "+", env.get("HTTP_X_A", "")), env.get("HTTP_COOKIE", "")
    body = env["wsgi.input"].read(100).decode("latin-1")
    where = f"{env['wsgi.url_scheme']} {env['REMOTE_ADDR']}"
    line = f"{env['REQUEST_METHOD']} {env['REQUEST_URI']} {env['SERVER_PROTOCOL']}"
    return text(start, f'{line} {where} ["{x}", "{cookie}"] {body}')


def pieces(env, start, run):
    start("200 OK", [])
    yield from (b"one ", b"", b"two ", b"three")


def echo(env, start, run):
    start("200 OK", [])
    while piece := env["wsgi.input"].read(65536):
        yield piece


def count(env, start, run):
    run.say("counting")
    return text(start, str(len(env["wsgi.input"].read())))


def large(env, start, run):
    left = int(env["QUERY_STRING"])
    start("200 OK", [("Content-Length", str(left))])
    while left:
        piece = b"x" * min(left, 65536)
        yield piece
        left -= len(piece)


def error(env, start, run):
    raise ValueError("secret")


def late(length=None, waits=False, fails=True):
    def answer(env, start, run):
        start("200 OK", [("Content-Length", length)] if length else [])
        yield b"a part"
        if waits:
            run.go.acquire(timeout=NEVER)
        if fails:
            raise ValueError("secret")

    return answer


def never(env, start, run):
    time.sleep(NEVER)


def wait(env, start, run):
    run.say("waiting")
    run.go.acquire(timeout=NEVER)
    return text(start, "at last")


def events(env, start, run):
    start("200 OK", [("Content-Type", "text/event-stream")])
    try:
        number = 0
        while True:
            yield f"data: {number}\n\n".encode()
            number += 1
            time.sleep(0.001)
    finally:
        run.say("left")


def go(env, start, run):
    run.go.release()
    return text(start, "gone\n")


PATHS = {
    "/hello": lambda env, start, run: text(start, "Hello\n", headers=[("Content-Type", "text/plain")]),
    "/about": about,
    "/pieces": pieces,
    "/none": bare("204 No Content"),
    "/unchanged": bare("304 Not Modified", [("ETag", '"1"')]),
    "/cookies": bare("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
    "/echo": echo,
    "/count": count,
    "/large": large,
    "/error": error,
    "/panic": lambda env, start, run: 1 / 0,
    "/forget": lambda env, start, run: [],
    "/late/error": late(),
    "/late/panic": late(),
    "/late/short": late("100", fails=False),
    "/late/wait": late(waits=True),
    "/never": never,
    "/wait": wait,
    "/events": events,
    "/said": lambda env, start, run: text(start, run.said(parse_qs(env["QUERY_STRING"]).get("what", [""])[0])),
    "/go": go,
}


def app(env, start):
    run = RUNS[parse_qs(env["QUERY_STRING"]).get("run", [""])[0]]
    answer = PATHS.get(env["PATH_INFO"])
    return answer(env, start, run) if answer else text(start, "", "404 Not Found")
