"""Keeps files together with others of its kind, a part of each: python3 storage.py NUMBER COUNT (see README.md)."""

import argparse
import collections
import json
import signal
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import zmq

from change import Change
from exchange import Exchange
from read import Read
from shares import Shares

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import handler, request  # noqa: E402

PREFIX = "/files/"
START, DONE = "X-Mongrel2-Upload-Start", "X-Mongrel2-Upload-Done"  # of a body that the server writes to a file
KINDS = {"GET": Read, "HEAD": Read, "PUT": Change, "DELETE": Change}


class Storage:
    def __init__(self, options):
        self.number, self.count, self.wait = options.number, options.count, options.wait
        self.chroot = options.chroot
        self.shares = Shares(options.folder or f"share-{self.number}", self.number, self.count)
        self.changing = set()  # the names of files that are being changed
        self.exchanges = {}
        self.early = collections.deque(maxlen=1000)  # what others have said of requests that are still to come
        self.connect_peers(options.peers)
        self.conn = handler.Connection("", options.requests_from, options.replies_to, all_requests=True)
        self.warn("takes requests")

    def connect_peers(self, peers):
        """Every handler publishes what it has to say, and subscribes to what the others say."""
        context = zmq.Context.instance()
        self.saying = context.socket(zmq.XPUB)
        self.saying.xpub_verbose = True  # tells of every subscription, and not only of the first
        self.saying.bind(peers[self.number - 1])
        self.hearing = context.socket(zmq.SUB)
        self.hearing.subscribe(b"")
        others = [peer for number, peer in enumerate(peers, 1) if number != self.number]
        for peer in others:
            self.hearing.connect(peer)
        # What is said before the others listen is lost; but one that is down must not keep the rest from answering.
        for _ in others:
            if self.saying.poll(self.wait * 1000):
                self.saying.recv()

    def run(self):
        poller = zmq.Poller()
        poller.register(self.hearing, zmq.POLLIN)
        poller.register(self.conn.requests, zmq.POLLIN)
        while True:
            events = dict(poller.poll(self.until_deadline()))
            if self.hearing in events:
                self.hear(json.loads(self.hearing.recv()))
            if self.conn.requests in events and (req := self.conn.recv(timeout=0)):
                self.take(req)
            if not events:  # whoever is busy may have been told in time and not have come to read it
                self.expire()

    def until_deadline(self):
        deadlines = [exchange.deadline for exchange in self.exchanges.values()]
        return max(0, min(deadlines, default=time.monotonic() + 60) - time.monotonic()) * 1000

    def expire(self):
        now = time.monotonic()
        for exchange in list(self.exchanges.values()):
            if exchange.deadline <= now:
                exchange.expired()

    def take(self, req):
        about = (req.sender, req.conn_id)
        if req.path == request.NOTICE:
            if exchange := self.exchanges.get(about):
                self.take_notice(exchange, req)
            return
        name = unquote(req.path.removeprefix(PREFIX), errors="surrogateescape")
        if START in req.headers:
            return self.refuse(req)
        kind = KINDS.get(req.headers["METHOD"])
        exchange = kind(self, req, name) if kind else Exchange(self, req)
        self.exchanges[about] = exchange
        exchange.begin()
        for said in [said for said in self.early if tuple(said["about"]) == about]:
            self.early.remove(said)
            self.hear(said)

    def refuse(self, req):
        """A body that is too long for a message, where the server has upload.temp_store: it isn't taken, nor kept."""
        if self.number != 1:
            return
        if done := req.headers.get(DONE):
            Path(self.chroot, done.lstrip("/")).unlink(missing_ok=True)
        self.conn.reply_http(req, "this is too long\n", 413, headers={"Content-Type": "text/plain"})
        self.conn.close(req)

    def take_notice(self, exchange, req):
        if req.is_notice("credits"):
            exchange.credit(int(req.headers["DOWNLOAD_CREDITS"]))
        elif req.is_disconnect():
            exchange.gone()

    def tell(self, req, word, what):
        said = {"about": [req.sender, req.conn_id], "by": self.number, "word": word, "what": what}
        self.saying.send(json.dumps(said).encode())

    def hear(self, said):
        exchange = self.exchanges.get(tuple(said["about"]))
        if exchange:
            exchange.hear(said["by"], said["word"], said["what"])
        else:
            self.early.append(said)

    def forget(self, exchange):
        exchange.end()
        self.exchanges.pop((exchange.req.sender, exchange.req.conn_id), None)

    def warn(self, text):
        print(f"storage {self.number} of {self.count}: {text}", file=sys.stderr)


def options():
    parser = argparse.ArgumentParser(description="Keeps its part of each file.")
    parser.add_argument("number", type=int, help="which of the handlers this is, from 1 on")
    parser.add_argument("count", type=int, help="how many there are")
    parser.add_argument("--folder", help="where it keeps its part; share-NUMBER")
    parser.add_argument("--chroot", default=".", help="the server's, where the paths of uploads begin; this folder")
    parser.add_argument("--wait", type=float, default=2, metavar="SECONDS", help="for the other handlers; 2")
    parser.add_argument("--requests-from", default="tcp://127.0.0.1:9985", help="the server's send_spec")
    parser.add_argument("--replies-to", default="tcp://127.0.0.1:9984", help="the server's recv_spec")
    parser.add_argument("--peers", nargs="+", metavar="ADDRESS", help="where each of the handlers talks to the others")
    options = parser.parse_args()
    options.peers = options.peers or [f"tcp://127.0.0.1:{9985 + number}" for number in range(1, options.count + 1)]
    if not 1 <= options.number <= options.count == len(options.peers):
        parser.error("NUMBER is from 1 to COUNT, and there are COUNT addresses of peers")
    return options


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    Storage(options()).run()
