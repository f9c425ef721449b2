"""Answers mongrel2's requests: python3 hello.py [REQUESTS_FROM REPLIES_TO] (send_spec and recv_spec)."""

import json
import signal
import sys

import zmq


def main(requests_from="tcp://127.0.0.1:9997", replies_to="tcp://127.0.0.1:9996"):
    context = zmq.Context()
    replies = context.socket(zmq.XPUB)  # a PUB that hears of subscriptions
    replies.linger = 1000  # milliseconds
    replies.connect(replies_to)
    replies.recv()  # the server has subscribed: from now on no reply is lost, so ask for requests
    requests = context.socket(zmq.PULL)
    requests.connect(requests_from)
    while True:
        try:
            server, client, path, headers, body = parse(requests.recv())
        except ValueError as error:
            print(f"skipped a message: {error}", file=sys.stderr)
            continue
        if path != b"@*":  # a notice from the server itself: the client has gone
            replies.send(b"%b %d:%b, %b" % (server, len(client), client, answer(headers, body)))


def parse(message):
    server, client, path, rest = message.split(b" ", 3)
    head, rest = netstring(rest)
    body, _ = netstring(rest)
    headers = json.loads(head)
    if not isinstance(headers, dict):
        raise ValueError("the headers are not a JSON object")
    return server, client, path, headers, body


def netstring(data):
    size, rest = data.split(b":", 1)
    end = int(size)
    if rest[end : end + 1] != b",":
        raise ValueError("a netstring does not end where its size says")
    return rest[:end], rest[end + 1 :]


def answer(headers, body):
    if "x-killme" in headers:
        return b""  # closes the connection
    method, path, query = (headers.get(name, "") for name in ("METHOD", "PATH", "QUERY"))
    text = f"Hello from Python\nmethod: {method}\npath: {path}\nquery: {query}\nbody: {len(body)} bytes\n\n"
    page = text.encode(errors="replace") + body
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(page)
    return head if method == "HEAD" else head + page


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
