"""Who is in the room, and what they may say.  Pure: what comes in is JSON as it was sent, what goes out is for whom.

    {"type": "join", "user": NAME}      the first word; nobody else has that name
    {"type": "msg", "msg": TEXT}        for everybody

Everybody hears {"type": "join" or "leave", "user": NAME} and {"type": "msg", "user": NAME, "msg": TEXT}.  Who joins
hears {"type": "userList", "users": [NAME, …]}, and whose word can't be taken {"type": "error", "error": WHY}.
"""

import unicodedata

NAME, TEXT = 24, 1000  # characters at most
BURST, PACE = 20, 2.0  # words at once, and a second from then on

# Categories of characters that do something to a terminal or a page, or are nothing; and what nobody sees.
HARMFUL = {"Cc", "Cs", "Cn", "Zl", "Zp"}
UNSEEN = {"Cf", "Co"}

# They turn the direction of what follows, also behind the end of what they are in.
TURNING = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Refused(Exception):
    """Why a word isn't taken."""


class Guest:
    """A connection."""

    def __init__(self, now):
        self.name = None
        self.words, self.since = BURST, now  # how many it may still say, counted when
        self.is_told = False  # that it is too fast

    def take_word(self, now):
        """Whether it may say something; who may not is told once, however much it goes on."""
        self.words = min(BURST, self.words + (now - self.since) * PACE)
        self.since = now
        if self.words >= 1:
            self.words -= 1
            self.is_told = False
            return True
        if not self.is_told:
            self.is_told = True
            raise Refused("you are too fast")
        return False


class Room:
    """`send(keys, message)` tells those connections something; a key is whatever names one."""

    def __init__(self, send):
        self.send = send
        self.guests = {}

    def hear(self, key, word, now):
        """What a connection has said; any JSON."""
        guest = self.guests.setdefault(key, Guest(now))
        try:
            if guest.take_word(now):
                self.do(key, guest, word)
        except Refused as why:
            self.send([key], {"type": "error", "error": str(why)})

    def do(self, key, guest, word):
        kind = word.get("type") if isinstance(word, dict) else None
        if kind == "join":
            self.join(key, guest, name_of(word.get("user")))
        elif kind == "msg" and guest.name:
            self.send(self.present(), {"type": "msg", "user": guest.name, "msg": text(word.get("msg"), TEXT)})
        else:
            raise Refused("join first" if kind == "msg" else "there are join and msg")

    def join(self, key, guest, name):
        if guest.name:
            raise Refused("you are here already")
        if name.casefold() in (other.name.casefold() for other in self.guests.values() if other.name):
            raise Refused("somebody else has this name")
        self.send(self.present(), {"type": "join", "user": name})
        guest.name = name
        self.send([key], {"type": "userList", "users": [self.guests[key].name for key in self.present()]})

    def leave(self, key):
        """The connection is gone."""
        guest = self.guests.pop(key, None)
        if guest and guest.name:
            self.send(self.present(), {"type": "leave", "user": guest.name})

    def present(self):
        """Who has joined."""
        return [key for key, guest in self.guests.items() if guest.name]


def name_of(value):
    """A name that doesn't look like another one."""
    name = unicodedata.normalize("NFKC", text(value, NAME))
    return text(" ".join("".join(char for char in name if unicodedata.category(char) not in UNSEEN).split()), NAME)


def text(value, size):
    """What somebody has said, without what would do something to a page or a terminal."""
    if not isinstance(value, str):
        raise Refused("this is no text")
    kept = "".join(char for char in value[: 4 * size] if is_harmless(char)).strip()
    if not kept:
        raise Refused("this is empty")
    return kept[:size]


def is_harmless(char):
    return unicodedata.category(char) not in HARMFUL and char not in TURNING
