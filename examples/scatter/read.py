"""GET and HEAD: the handlers tell each other what they have, and then each sends its stripes when it is their turn.

It is the server who says whose turn it is: a stripe goes out when everything before it has been written to the client,
of which all handlers are told (the setting download.flow_control).  A word from handler to handler would not do: it may
arrive before the stripe of the one has reached the server, and the stripe of the other would overtake it.
"""

import base64
import time

from exchange import Exchange
from shares import STRIPE


class Read(Exchange):
    def __init__(self, storage, req, name):
        super().__init__(storage, req)
        self.name = name
        self.share = None
        self.head = b""  # empty until it is agreed that the file is sent
        self.sent = -1  # the last stripe that its owner has said to be on its way

    def begin(self):
        try:
            self.share = self.storage.shares.open(self.name)
        except (KeyError, OSError, ValueError) as error:
            self.storage.warn(f"cannot read the share of {self.name!r}: {error}")
            return self.say("has", "damaged")
        self.say("has", self.share and [self.share.size, self.share.sha256])

    def agreed(self, word, whats):
        if whats == {None}:
            self.answer(404, "there is no such file\n")
        elif len(whats) > 1 or "damaged" in whats:
            self.answer(502, "parts of this file are missing or older than others\n")
        elif self.req.headers["METHOD"] == "HEAD":
            self.answer_head()
        else:
            self.head = self.render_head()
            self.go_on()

    def hear(self, number, word, what):
        if word == "sent":
            self.sent = max(self.sent, what)
            self.leave_to_client()
        else:
            super().hear(number, word, tuple(what) if isinstance(what, list) else what)

    def credit(self, count):
        super().credit(count)
        if self.head:
            self.go_on()

    def go_on(self):
        """Sends the next stripe if it is this handler's, or waits until its owner has said that it is sent."""
        stripe, rest = divmod(max(0, self.written - len(self.head)), STRIPE)
        if rest or self.written and stripe * STRIPE >= self.share.size:
            return
        if stripe > self.sent:
            self.deadline = time.monotonic() + self.storage.wait
        place, owner = divmod(stripe, self.storage.count)
        if owner + 1 == self.storage.number:
            self.send_stripe(stripe, place)

    def send_stripe(self, stripe, place):
        try:
            data = self.share.stripe(place) if self.share.size else b""
        except (OSError, ValueError) as error:
            self.storage.warn(f"cannot read the share of {self.name!r}: {error}")
            return self.cut()
        self.storage.conn.reply(self.req, data if stripe else self.head + data)
        self.say("sent", stripe)

    def expired(self):
        # Once it is agreed that the file is sent nobody knows how much is on its way: an error page might become
        # a part of it.
        if self.head:
            self.cut()
        else:
            super().expired()

    def cut(self):
        """Closes the connection: the client has been told a length, and knows that this is not all."""
        self.storage.conn.reply(self.req, b"")
        self.storage.forget(self)

    def end(self):
        if self.share:
            self.share.close()

    def answer_head(self):
        if self.storage.number == 1:
            self.storage.conn.reply(self.req, self.render_head())
            self.leave_to_client()

    def render_head(self):
        digest = base64.b64encode(bytes.fromhex(self.share.sha256)).decode()
        lines = [
            "HTTP/1.1 200 OK",
            "Content-Type: application/octet-stream",
            f"Content-Length: {self.share.size}",
            f"Repr-Digest: sha-256=:{digest}:",
            "Connection: close",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"
