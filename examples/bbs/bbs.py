"""A bulletin board over the JSON socket @bbs: python3 bbs.py [FILE REQUESTS_FROM REPLIES_TO]

FILE is where it keeps what was posted.  Run one of these: a user's lines have to reach the same.

A client sends {"type": "msg", "msg": LINE}: what was typed, and an empty one to begin.  It gets {"type": "screen",
"msg": TEXT, "prompt": TEXT, "hidden": whether to show nothing of what is typed}, or {"type": "exit", "msg": TEXT}.
"""

import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import handler, request  # noqa: E402

from board import Board  # noqa: E402
from session import PASSWORD, Session  # noqa: E402

TYPED = 4096  # characters of a line


class Bbs:
    def __init__(self, conn, board):
        self.conn, self.board = conn, board
        self.sessions = {}  # (the server's UUID, the connection's id): a session, and what goes on in it

    def run(self):
        while True:
            req = self.conn.recv()
            key = (req.sender, req.conn_id)
            if req.path == request.NOTICE:
                if req.is_disconnect():
                    self.sessions.pop(key, None)
            elif (line := typed(req)) is None:
                self.end(req, key, "This is no line.\n")
            elif key in self.sessions:
                self.go_on(req, key, line)
            else:
                session = Session(self.board, self.present)
                self.sessions[key] = session, session.run()
                self.go_on(req, key, None)

    def go_on(self, req, key, line):
        try:
            text, prompt = self.sessions[key][1].send(line)
        except StopIteration as last:
            return self.end(req, key, last.value)
        screen = {"type": "screen", "msg": text, "prompt": prompt, "hidden": prompt == PASSWORD}
        return self.conn.reply_json(req, screen)

    def end(self, req, key, text):
        self.sessions.pop(key, None)
        self.conn.reply_json(req, {"type": "exit", "msg": text})
        self.conn.close(req)

    def present(self):
        return {session.name for session, _ in self.sessions.values() if session.name}


def typed(req):
    """The line of a message; None if it is none."""
    if not isinstance(req.data, dict) or req.data.get("type") != "msg" or not isinstance(req.data.get("msg"), str):
        return None
    return req.data["msg"][:TYPED].encode(errors="replace").decode()


def main(file="bbs.sqlite", requests_from="tcp://127.0.0.1:9969", replies_to="tcp://127.0.0.1:9968"):
    Bbs(handler.Connection("b1ff1f1e-5c57-4bd2-9d1d-2f9e37b5d9a6", requests_from, replies_to), Board(file)).run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
