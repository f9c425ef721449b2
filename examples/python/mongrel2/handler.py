"""A handler's two sockets as one thing that gives requests and takes replies.

A PUB socket throws away what nobody has subscribed to, and the server's subscription arrives some time after `connect`.
An XPUB socket is the same to the server but hears of subscriptions, so that a reply can wait for the one it matches.
"""

import json
import re
import sys
import threading
import time
from typing import Any, Iterable, Optional, Set, Union

import zmq

from . import response, tnetstring
from .request import Request, parse_json
from .response import Body, Fields

MAX_IDENTS = 128  # connections in a message: the default of the server's limits.handler_targets

PATIENCE = 2.0  # seconds that a reply waits for a subscription: long enough for a server that is being restarted
QUEUE = 10_000  # replies that wait for a server that takes them slowly; those behind them are lost
LINGER = 1000  # milliseconds that closing waits for replies on their way

IDENTS = re.compile(r"[0-9]+( [0-9]+)*\Z")


class Connection:
    """A connection with a server, or with all servers that bind these addresses over time.

    `sender_id` names the handler, by custom with a UUID.  `sub_addr` is the server's send_spec, where requests come
    from, `pub_addr` its recv_spec.  With `all_requests` the handler gets every request of a send_type "pub".

    One thread may receive while others send.
    """

    def __init__(self, sender_id: str, sub_addr: str, pub_addr: str, all_requests: bool = False) -> None:
        context = zmq.Context.instance()
        self.sender_id = sender_id
        self.replies = context.socket(zmq.XPUB)
        self.replies.linger = LINGER
        self.replies.sndhwm = QUEUE
        if sender_id:
            self.replies.identity = sender_id.encode()
        self.replies.connect(pub_addr)
        self.requests = context.socket(zmq.SUB if all_requests else zmq.PULL)
        self.requests.linger = 0
        if all_requests:
            self.requests.rcvhwm = 0  # what a busy handler doesn't take at once waits here, and isn't lost
            self.requests.subscribe(b"")
        self.requests.connect(sub_addr)
        self._lock = threading.Lock()
        self._topics: Set[bytes] = set()
        self._deserted = False  # a reply has waited for a server in vain, and the next ones need not

    # Requests.

    def recv(self, timeout: Optional[float] = None) -> Any:
        """The next message; None if there is none within `timeout` seconds.  What is no message is told on stderr."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._is_readable(deadline):
            try:
                return Request.parse(self.requests.recv())
            except ValueError as error:
                warn(f"skipped a message: {error}")
        return None

    def recv_json(self, timeout: Optional[float] = None) -> Any:
        """The next message with JSON in its body, which is in `data`.  Others are told on stderr."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            req = self.recv(None if deadline is None else max(0, deadline - time.monotonic()))
            if req is None or req.headers.get("METHOD") == "JSON":
                return req
            try:
                req.data = parse_json(req.body)
                return req
            except ValueError as error:
                warn(f"skipped a message: {error}")

    def _is_readable(self, deadline: Optional[float]) -> bool:
        if deadline is None or self.requests.events & zmq.POLLIN:
            return True
        return bool(self.requests.poll(max(0, deadline - time.monotonic()) * 1000))

    # Replies to the client that has asked.

    def reply(self, req: Request, msg: Body) -> None:
        """Sends bytes as they are.  None close the connection."""
        self.send(req.sender, req.conn_id, msg)

    def reply_json(self, req: Request, data: Any) -> None:
        """Sends a value as JSON, to a client of a JSON socket."""
        self.reply(req, json.dumps(data))

    def reply_http(
        self, req: Request, body: Body, code: int = 200, status: Optional[str] = None, headers: Optional[Fields] = None
    ) -> None:
        """Sends a whole HTTP answer; its Content-Length is added, and HEAD gets no body."""
        is_head = req.headers.get("METHOD") == "HEAD"
        self.reply(req, response.http(body, code, status, headers or (), is_head))

    def accept_websocket(self, req: Request, protocol: Optional[str] = None) -> None:
        """Answers a WEBSOCKET_HANDSHAKE: from here on the client sends messages, and takes frames."""
        if req.headers.get("METHOD") != "WEBSOCKET_HANDSHAKE":
            raise ValueError("the request asks for no WebSocket")
        fields = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
        fields.append(("Sec-WebSocket-Accept", req.body.decode("latin-1")))
        if protocol:
            fields.append(("Sec-WebSocket-Protocol", protocol))
        self.reply(req, response.head(101, None, fields))

    def reply_websocket(self, req: Request, body: Body, opcode: Optional[int] = None, rsvd: int = 0) -> None:
        """Sends a WebSocket message: a text if it is a `str`, unless the opcode says otherwise."""
        self.reply(req, response.frame(body, opcode, rsvd))

    def close(self, req: Request) -> None:
        """Closes the connection once all that was sent to it is written."""
        self.reply(req, b"")

    # The same to many connections of a server.

    def deliver(self, uuid: str, idents: Iterable[Union[str, int]], data: Body) -> None:
        """Sends the same bytes to any number of connections."""
        names = [str(ident) for ident in idents]
        for start in range(0, len(names), MAX_IDENTS):
            self.send(uuid, " ".join(names[start : start + MAX_IDENTS]), data)

    def deliver_json(self, uuid: str, idents: Iterable[Union[str, int]], data: Any) -> None:
        """Sends the same value as JSON."""
        self.deliver(uuid, idents, json.dumps(data))

    def deliver_http(
        self,
        uuid: str,
        idents: Iterable[Union[str, int]],
        body: Body,
        code: int = 200,
        status: Optional[str] = None,
        headers: Optional[Fields] = None,
    ) -> None:
        """Sends the same HTTP answer."""
        self.deliver(uuid, idents, response.http(body, code, status, headers or ()))

    def deliver_websocket(
        self, uuid: str, idents: Iterable[Union[str, int]], body: Body, opcode: Optional[int] = None, rsvd: int = 0
    ) -> None:
        """Sends the same WebSocket message."""
        self.deliver(uuid, idents, response.frame(body, opcode, rsvd))

    def deliver_close(self, uuid: str, idents: Iterable[Union[str, int]]) -> None:
        """Closes the connections."""
        self.deliver(uuid, idents, b"")

    # What the server is asked to do.

    def keep_alive(self, req: Request) -> None:
        """Has the server take the connection for alive, however quiet it is."""
        self._tell(req, ["ctl", {"keep-alive": True}])

    def credits(self, req: Request, count: int) -> None:
        """Lets so many more bytes of a streamed upload come."""
        self._tell(req, ["ctl", {"credits": count}])

    def cancel(self, req: Request) -> None:
        """Drops the connection at once; no notice comes of it."""
        self._tell(req, ["ctl", {"cancel": True}])

    def sendfile(self, req: Request, path: str) -> None:
        """Has the server send the bytes of a file below its sendfile_root, behind a head that was a reply before."""
        self._tell(req, ["sendfile", path])

    def _tell(self, req: Request, what: list) -> None:
        self._publish(req.sender, f"X {req.conn_id}", tnetstring.render(what))

    # What all of them do.

    def send(self, uuid: str, conn_id: Union[str, int], msg: Body) -> None:
        """Sends bytes to the connections whose ids, with blanks between them, are `conn_id`."""
        if not IDENTS.match(str(conn_id)):
            raise ValueError(f"{conn_id!r} is no id of a connection")
        self._publish(uuid, str(conn_id), response.as_bytes(msg))

    def _publish(self, uuid: str, idents: str, data: bytes) -> None:
        message = b"%b %d:%b, %b" % (uuid.encode(), len(idents), idents.encode(), data)
        with self._lock:
            if self._has_subscriber(message):
                self.replies.send(message)
            else:
                warn(f"dropped a reply: no server has subscribed to those for {uuid!r}")

    def _has_subscriber(self, message: bytes) -> bool:
        deadline = time.monotonic() + (0 if self._deserted else PATIENCE)
        self._hear()
        while not any(message.startswith(topic) for topic in self._topics):
            self._deserted = not self.replies.poll(max(0, deadline - time.monotonic()) * 1000)
            if self._deserted:
                return False
            self._hear()
        self._deserted = False
        return True

    def _hear(self) -> None:
        """Takes what has come of subscriptions: a byte 1 or 0, then the prefix."""
        while self.replies.events & zmq.POLLIN:
            notice = self.replies.recv()
            if notice[:1] == b"\x01":
                self._topics.add(notice[1:])
            elif notice[:1] == b"\x00":
                self._topics.discard(notice[1:])

    def shutdown(self) -> None:
        """Closes both sockets; replies on their way have a second."""
        self.requests.close()
        self.replies.close()


def warn(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)
