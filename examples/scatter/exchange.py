"""A request that all handlers have got and answer together.

Each handler says to all others what it has or has done.  When all have said it, each of them knows what the answer
is, and number 1 sends it.  Nobody waits for ever: a handler that says nothing is waited for until a deadline.
"""

import time

CLIENT = 300  # seconds: a client that takes nothing for so long should have been dropped by the server
FIELDS = {"Content-Type": "text/plain", "Connection": "close"}  # of each answer that is no file


class Exchange:
    """What every request has in common; by itself one that is refused."""

    def __init__(self, storage, req):
        self.storage, self.req = storage, req
        self.said = {}  # word: {number of the handler: what it said}
        self.written = 0  # how many bytes of the answer the server has written to the client
        self.begun = time.monotonic()
        self.deadline = self.begun + storage.wait

    def begin(self):
        self.answer(405, "there are GET, HEAD, PUT and DELETE\n", {"Allow": "GET, HEAD, PUT, DELETE"})

    def say(self, word, what):
        """Tells all handlers, this one too."""
        self.storage.tell(self.req, word, what)
        self.hear(self.storage.number, word, what)

    def hear(self, number, word, what):
        said = self.said.setdefault(word, {})
        said[number] = what
        if len(said) == self.storage.count:
            self.agreed(word, set(said.values()))

    def agreed(self, word, whats):
        """All handlers have said that word; `whats` are the different things that came with it."""

    def credit(self, count):
        """The server has written so many more bytes to the client."""
        self.written += count
        self.leave_to_client()

    def gone(self):
        """The connection is closed."""
        self.storage.forget(self)

    def expired(self):
        """Nothing has happened until the deadline."""
        now = time.monotonic()
        # If number 1 is the one that is missing, number 2 answers in its place a while later, or else number 3.
        turn = self.begun + self.storage.wait * self.storage.number
        if self.written or now > self.begun + CLIENT:
            self.storage.forget(self)
        elif now < turn:
            self.deadline = turn
        else:
            self.send(503, "not all of the storage is there\n", {"Retry-After": "5"})

    def end(self):
        """Lets go of what is open."""

    def answer(self, status, text, headers=None):
        if self.storage.number == 1:
            self.send(status, text, headers)

    def send(self, status, text, headers=None):
        # One request for each connection: the id of the connection is the name of the exchange.
        self.storage.conn.reply_http(self.req, text, status, headers={**FIELDS, **(headers or {})})
        self.leave_to_client()

    def leave_to_client(self):
        """From now on the client may take its time: the server has an eye on it."""
        self.deadline = time.monotonic() + CLIENT
