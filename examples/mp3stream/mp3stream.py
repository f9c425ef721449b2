"""A radio that plays a folder's MP3 files, with their titles (ICY): python3 mp3stream.py FOLDER [REQUESTS_FROM REPLIES_TO]

All who listen hear the same at the same time, as fast as it plays.  Run one of these: each is a station of its own.
"""

import signal
import sys
import time
from collections import deque
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import handler, response  # noqa: E402

import mp3  # noqa: E402

SIZE = 8192  # bytes of sound between titles: icy-metaint
AHEAD = 5.0  # seconds that players get at once, so that they begin, and don't stop at every hiccup
PATIENCE = 1.0  # seconds until a folder without music is looked at again

FIELDS = {
    "Content-Type": "audio/mpeg",
    "Cache-Control": "no-store",
    "Connection": "close",
    "icy-name": "mongrel2",
    "icy-pub": "0",
}


class Station:
    """What is played: pieces of SIZE bytes, each with its title and the seconds that it plays."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.pieces = self.play()

    def next_piece(self):
        """The next piece; None if there is no music now."""
        return next(self.pieces)

    def play(self):
        sound, seconds = b"", 0.0
        while True:
            has_played = False
            for path in sorted(self.folder.glob("*.mp3")):
                try:
                    title = mp3.title(path)
                    for frame, duration in mp3.frames(path):
                        sound, seconds, has_played = sound + frame, seconds + duration, True
                        if len(sound) >= SIZE:
                            yield sound[:SIZE], title, seconds
                            sound, seconds = sound[SIZE:], 0.0
                except OSError as error:
                    handler.warn(f"cannot play {str(path)!r}: {error}")
            if not has_played:
                yield None


class Radio:
    """Who listens, and what they have heard."""

    def __init__(self, conn, station):
        self.conn, self.station = conn, station
        self.listeners = {}  # (the server's UUID, the connection's id): whether it wants titles
        self.recent = deque()  # what has been sent lately, for those who come
        self.due = time.monotonic()  # when the next piece is to be sent

    def run(self):
        while True:
            # Nobody hears what is played to nobody.
            wait = self.due - time.monotonic() if self.listeners else None
            if wait is not None and wait <= 0:
                self.send_next()
            elif req := self.conn.recv(timeout=wait):
                self.take(req)

    def take(self, req):
        method = req.headers.get("METHOD")
        if req.is_disconnect():
            self.listeners.pop((req.sender, req.conn_id), None)
        elif method == "GET":
            self.welcome(req)
        elif method == "HEAD":
            self.conn.reply(req, response.head(200, None, self.fields(req)))
        elif method not in ("JSON", None):
            self.conn.reply_http(req, "there are GET and HEAD\n", 405, headers={"Allow": "GET, HEAD"})

    def welcome(self, req):
        if not self.listeners:
            self.recent.clear()
            self.due = time.monotonic()
            if not self.fill():
                return self.conn.reply_http(req, "there is no music\n", 503, headers={"Retry-After": "10"})
        wants_titles = self.wants_titles(req)
        sound = b"".join(self.render(piece, wants_titles) for piece in self.recent)
        self.conn.reply(req, response.head(200, None, self.fields(req)) + sound)
        self.listeners[req.sender, req.conn_id] = wants_titles
        return None

    def fill(self):
        """Gets what a player needs to begin with; whether there is any."""
        while sum(piece[2] for piece in self.recent) < AHEAD and (piece := self.station.next_piece()):
            self.recent.append(piece)
        self.due += self.recent[-1][2] if self.recent else 0
        return bool(self.recent)

    def send_next(self):
        piece = self.station.next_piece()
        if not piece:
            self.due = time.monotonic() + PATIENCE
            return
        self.recent.append(piece)
        while len(self.recent) > 1 and sum(piece[2] for piece in self.recent) - self.recent[0][2] >= AHEAD:
            self.recent.popleft()
        # Who was asleep for long doesn't catch up.
        self.due = max(self.due, time.monotonic() - AHEAD) + piece[2]
        for wants_titles in True, False:
            data = self.render(piece, wants_titles)
            for sender in {sender for sender, _ in self.listeners}:
                about = [key for key, wants in self.listeners.items() if wants == wants_titles and key[0] == sender]
                self.conn.deliver(sender, [ident for _, ident in about], data)

    def render(self, piece, with_title):
        sound, title, _ = piece
        return sound + metadata(title) if with_title else sound

    def fields(self, req):
        return {**FIELDS, "icy-metaint": SIZE} if self.wants_titles(req) else FIELDS

    def wants_titles(self, req):
        return req.headers.get("Icy-MetaData") == "1"


def metadata(title):
    """What a player shows: its length in units of 16 bytes, and as many bytes."""
    # There is no way to say a quote in it.
    shown = "".join(char for char in title.replace("'", "\u2019") if char.isprintable())[:1000]
    text = f"StreamTitle='{shown}';".encode(errors="replace")
    size = -(-len(text) // 16)
    return bytes([size]) + text.ljust(size * 16, b"\0")


def main(folder="music", requests_from="tcp://127.0.0.1:9979", replies_to="tcp://127.0.0.1:9978"):
    conn = handler.Connection("9703b4dd-227a-45c4-b7a1-ef62d97962b2", requests_from, replies_to)
    Radio(conn, Station(folder)).run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
