"""A handler's side of mongrel2's protocol (docs/protocol.md): messages come in over ZeroMQ, replies go out."""

import json
import re
import sys
from typing import NamedTuple

import zmq

HEAD = re.compile(rb"([^ ]+) ([0-9]+) ([^ ]*) ([0-9]{1,9}):")
SIZE = re.compile(rb"([0-9]{1,9}):")


class Message(NamedTuple):
    """A request, a piece of one, or a notice."""

    server: str
    client: str
    path: str
    headers: dict
    body: memoryview

    def notice(self):
        """What the server itself has to say: `disconnect`, `credits`; None if it is a client's message."""
        return json.loads(bytes(self.body)).get("type") if self.path == "@*" else None


class Server:
    """Sockets to a server's send_spec and recv_spec."""

    def __init__(self, requests_from, replies_to, all_requests=False):
        context = zmq.Context.instance()
        self.replies = context.socket(zmq.XPUB)  # a PUB that hears of subscriptions
        self.replies.linger = 1000  # milliseconds
        self.replies.connect(replies_to)
        self.replies.recv()  # the server has subscribed: from now on no reply is lost, so ask for requests
        self.requests = context.socket(zmq.SUB if all_requests else zmq.PULL)
        self.requests.rcvhwm = 0  # what a busy handler doesn't take at once waits here, and isn't lost
        self.requests.connect(requests_from)
        if all_requests:
            self.requests.subscribe(b"")

    def receive(self, flags=0):
        """The next message, or None if it is none: that is said on stderr."""
        try:
            return parse(self.requests.recv(flags))
        except ValueError as error:
            print(f"skipped a message: {error}", file=sys.stderr)
            return None

    def reply(self, to, data):
        """Sends bytes to the client of a message; no bytes close its connection."""
        self.replies.send(b"%b %d:%b, %b" % (to.server.encode(), len(to.client), to.client.encode(), data))

    def answer(self, to, status, text, headers=()):
        """Sends a whole answer to the client of a message."""
        page = text.encode()
        lines = [f"HTTP/1.1 {status}", "Content-Type: text/plain", f"Content-Length: {len(page)}", *headers]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        self.reply(to, head if to.headers.get("METHOD") == "HEAD" else head + page)

    def credits(self, to, count):
        """Lets so many more bytes of a streamed upload come."""
        number = str(count)
        data = f"7:credits,{len(number)}:{number}#"
        control = f"3:ctl,{len(data)}:{data}}}"
        ids = f"X {to.client}"
        self.replies.send(f"{to.server} {len(ids)}:{ids}, {len(control)}:{control}]".encode())


def parse(message):
    head = HEAD.match(message)
    if not head:
        raise ValueError("it does not begin as one")
    server, client, path = (part.decode(errors="replace") for part in head.groups()[:3])
    headers, end = netstring(message, head.start(4))
    headers = json.loads(bytes(headers))
    if not isinstance(headers, dict):
        raise ValueError("the headers are not a JSON object")
    return Message(server, client, path, headers, netstring(message, end)[0])


def netstring(message, start):
    """The data of the netstring that begins there, without copying it, and where it ends."""
    size = SIZE.match(message, start)
    end = size.end() + int(size[1]) if size else len(message)
    if message[end : end + 1] != b",":
        raise ValueError("a netstring does not end where its size says")
    return memoryview(message)[size.end() : end], end + 1
