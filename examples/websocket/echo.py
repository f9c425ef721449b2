"""Sends the messages of WebSockets back: python3 echo.py [REQUESTS_FROM REPLIES_TO] (send_spec and recv_spec)."""

import json
import signal
import sys

import zmq

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A  # first bytes of frames: FIN and the opcode


def main(requests_from="tcp://127.0.0.1:9983", replies_to="tcp://127.0.0.1:9982"):
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
            # `@*` is a notice from the server itself: the client has gone.
            answers = [] if path == b"@*" else answer(headers, body)
        except ValueError as error:
            print(f"skipped a message: {error}", file=sys.stderr)
            continue
        for data in answers:
            replies.send(b"%b %d:%b, %b" % (server, len(client), client, data))


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
    """What the client gets, reply by reply."""
    method = headers.get("METHOD")
    if method == "WEBSOCKET_HANDSHAKE":
        return [handshake(headers, body)]
    if method == "WEBSOCKET":
        return echo(int(headers.get("FLAGS", ""), 16), body)
    return [b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"]


def handshake(headers, accept):
    """The body of a handshake is what the server has computed of the client's key."""
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
    lines.append(b"Sec-WebSocket-Accept: " + accept)
    if "echo" in subprotocols(headers):
        lines.append(b"Sec-WebSocket-Protocol: echo")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def subprotocols(headers):
    offered = headers.get("sec-websocket-protocol", "")
    fields = offered if isinstance(offered, list) else [offered]  # a header that came twice is a list
    return [word.strip() for field in fields for word in field.split(",")]


def echo(flags, body):
    """The server has joined fragments and taken the mask off."""
    if flags in (TEXT, BINARY):
        return [frame(flags, body)]
    if flags == PING:
        return [frame(PONG, body)]
    if flags == CLOSE:
        return [frame(CLOSE, body), b""]  # the same code; no bytes close the connection
    return []  # a pong, which answers nothing


def frame(flags, body):
    size = len(body)
    if size < 126:
        head = bytes([flags, size])
    elif size < 65536:
        head = bytes([flags, 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([flags, 127]) + size.to_bytes(8, "big")
    return head + body


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
