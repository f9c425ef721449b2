"""PUT and DELETE: every handler gets ready, and only when all are do they change what they keep.

So a change that one of them misses leaves the old file as it was.  What remains is a handler that dies just after it
has said that it is ready: its share is another than those of the others then, which GET notices.
"""

from exchange import Exchange


class Change(Exchange):
    def __init__(self, storage, req, name):
        super().__init__(storage, req)
        self.name = name
        self.is_put = req.headers["METHOD"] == "PUT"
        self.draft = None  # the new share, while it is not yet the one that is kept
        self.is_open = False  # whether something may still be changed, so that others have to keep off this file
        self.has_left = False  # whether the connection is closed

    def begin(self):
        if self.name in self.storage.changing:
            return self.say("ready", "busy")
        self.storage.changing.add(self.name)
        self.is_open = True
        self.say("ready", self.attempt(self.prepare))

    def prepare(self):
        if self.is_put:
            self.draft = self.storage.shares.draft(self.name, self.req.body)
        elif not self.storage.shares.has(self.name):
            return "nothing to delete"
        return "yes"

    def perform(self):
        if not self.is_open:
            return "too late"
        if self.is_put:
            self.storage.shares.keep(self.name, self.draft)
        else:
            self.storage.shares.remove(self.name)
        self.draft = None
        return "yes"

    def attempt(self, work):
        try:
            return work()
        except OSError as error:
            self.storage.warn(f"cannot change the share of {self.name!r}: {error}")
            return "failed"

    def agreed(self, word, whats):
        if word == "ready" and "yes" in whats and whats <= {"yes", "nothing to delete"}:
            return self.say("done", self.attempt(self.perform))
        if "busy" in whats:
            self.answer(409, "somebody else is changing this file\n", {"Retry-After": "1"})
        elif whats == {"nothing to delete"}:
            self.answer(404, "there is no such file\n")
        elif whats != {"yes"}:
            self.answer(507, "not all of the storage can store this\n")
        elif self.is_put:
            self.answer(201, "stored\n")
        else:
            self.answer(200, "deleted\n")
        self.end()
        if self.has_left:
            self.storage.forget(self)

    def gone(self):
        # What has arrived whole is done, whether somebody waits for the answer or not.
        self.has_left = True
        if not self.is_open:
            self.storage.forget(self)

    def expired(self):
        self.end()
        if self.has_left:
            self.storage.forget(self)
        else:
            super().expired()

    def end(self):
        """From now on nothing is changed any more."""
        if self.is_open:
            self.is_open = False
            self.storage.changing.discard(self.name)
        if self.draft:
            self.draft.unlink(missing_ok=True)
            self.draft = None
