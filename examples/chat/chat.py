"""A room for browsers and JSON sockets: python3 chat.py [REQUESTS_FROM REPLIES_TO] (send_spec and recv_spec).

Run one of these: of several each would be a room of its own.
"""

import json
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import handler, request, response  # noqa: E402

from room import Room  # noqa: E402

# The first byte of a WebSocket's frame: FIN and the opcode.
OPCODES = {"0x81": response.TEXT, "0x88": response.CLOSE, "0x89": response.PING, "0x8A": response.PONG}
UNSUPPORTED = (1003).to_bytes(2, "big")  # why a WebSocket is closed that sends something else


class Chat:
    def __init__(self, conn):
        self.conn = conn
        self.room = Room(self.send)

    def run(self):
        while True:
            req = self.conn.recv()
            method = req.headers.get("METHOD")
            if req.path == request.NOTICE:
                self.notice(req)
            elif method == "JSON":
                self.room.hear((req.sender, "json", req.conn_id), req.data, time.monotonic())
            elif method == "WEBSOCKET_HANDSHAKE":
                self.handshake(req)
            elif method == "WEBSOCKET":
                self.frame(req)
            else:
                headers = {"Content-Type": "text/plain", "Upgrade": "websocket", "Connection": "Upgrade"}
                self.conn.reply_http(req, "this is for WebSockets\n", 426, headers=headers)

    def notice(self, req):
        if req.is_disconnect():
            for kind in "json", "websocket":
                self.room.leave((req.sender, kind, req.conn_id))

    def handshake(self, req):
        # A browser says which page it is for: those of other sites have no business here.
        origin = req.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != req.headers.get("Host"):
            self.conn.reply_http(req, "this is not for pages of other sites\n", 403)
        else:
            self.conn.accept_websocket(req)

    def frame(self, req):
        opcode = OPCODES.get(req.headers.get("FLAGS"))
        if opcode == response.TEXT:
            self.room.hear((req.sender, "websocket", req.conn_id), parsed(req.body), time.monotonic())
        elif opcode == response.PING:
            self.conn.reply_websocket(req, req.body, response.PONG)
        elif opcode != response.PONG:
            self.conn.reply_websocket(req, req.body if opcode else UNSUPPORTED, response.CLOSE)
            self.conn.close(req)

    def send(self, keys, message):
        """The same to all of these connections: a message for each kind of socket and each server."""
        text = json.dumps(message)
        for sender, kind in {key[:2] for key in keys}:
            idents = [ident for *about, ident in keys if about == [sender, kind]]
            if kind == "websocket":
                self.conn.deliver_websocket(sender, idents, text)
            else:
                self.conn.deliver(sender, idents, text)


def parsed(body):
    """The JSON of a message; None if it is none, which the room refuses."""
    try:
        return request.parse_json(body)
    except ValueError:
        return None


def main(requests_from="tcp://127.0.0.1:9977", replies_to="tcp://127.0.0.1:9976"):
    Chat(handler.Connection("54c6755b-9628-40a4-9a2d-cc82a816345e", requests_from, replies_to)).run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
