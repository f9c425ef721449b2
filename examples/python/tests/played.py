"""A played server: it binds both addresses, sends what it is told to, and gives what handlers reply.

Replies are received on a thread: a SUB socket tells a new handler what it subscribes to only while somebody is
receiving from it, as a real server always is.
"""

import json
import queue
import threading

import zmq

from mongrel2 import tnetstring

UUID = b"d5f0a1de-8a0b-4c2b-a6a7-3b7c38f3e3b5"
WAIT = 120  # seconds that anything may take before its test fails


class Server:
    """PUSH and SUB on free ports of this machine."""

    def __init__(self, topic: bytes = b"") -> None:
        context = zmq.Context.instance()
        self.push, sub = context.socket(zmq.PUSH), context.socket(zmq.SUB)
        self.push.sndtimeo, sub.rcvtimeo = WAIT * 1000, 10
        for socket in self.push, sub:
            socket.linger = 0
            socket.bind("tcp://127.0.0.1:*")
        sub.subscribe(topic)
        self.requests_from, self.replies_to = (socket.last_endpoint.decode() for socket in (self.push, sub))
        self._replies: "queue.Queue[bytes]" = queue.Queue()
        self._ends = threading.Event()
        self._receiver = in_background(lambda: self._receive(sub))

    def send(self, headers: dict, body: bytes = b"", path: str = "/", ident: int = 7) -> None:
        """A request, or what else has headers and a body."""
        head = json.dumps({"PATH": path, **headers}).encode()
        self.push.send(b"%b %d %b %d:%b,%d:%b," % (UUID, ident, path.encode(), len(head), head, len(body), body))

    def disconnect(self, ident: int = 7) -> None:
        """The notice that a connection is gone."""
        self.send({"METHOD": "JSON"}, b'{"type":"disconnect"}', "@*", ident)

    def recv(self) -> "tuple[str, bytes]":
        """The ids of a reply, and what it brings them."""
        message = self._replies.get(timeout=WAIT)
        uuid, rest = message.split(b" ", 1)
        idents, end = tnetstring.netstring(rest)
        assert uuid == UUID and rest[end : end + 1] == b" ", message
        return idents.decode(), rest[end + 1 :]

    def stop(self) -> None:
        """Closes both sockets."""
        self._ends.set()
        self._receiver.join()
        self.push.close()

    def _receive(self, sub: zmq.Socket) -> None:
        while not self._ends.is_set():
            try:
                self._replies.put(sub.recv())
            except zmq.Again:
                pass
        sub.close()


def in_background(work) -> threading.Thread:
    """A thread that ends with its test."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
