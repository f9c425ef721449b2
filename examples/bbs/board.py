"""What the board keeps: who its users are, and what they have posted, in a SQLite file."""

import hashlib
import hmac
import os
import sqlite3
import time
import unicodedata

NAME, LINE, LINES = 24, 400, 20  # characters of a name and a line, lines of a post
KEPT = 1000  # posts; older ones go
USERS = 10_000  # as many may register
TRIES, PAUSE = 5, 60  # wrong passwords for a name, and the seconds that it is closed then

TABLES = """
    CREATE TABLE IF NOT EXISTS user (name TEXT PRIMARY KEY, salt BLOB NOT NULL, digest BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS post
        (id INTEGER PRIMARY KEY, author TEXT NOT NULL, at REAL NOT NULL, text TEXT NOT NULL);
"""


class Board:
    def __init__(self, path=":memory:", clock=time.time):
        self.clock = clock
        self.database = sqlite3.connect(path, isolation_level=None)  # each statement is a transaction
        self.database.executescript(TABLES)
        self.failures = {}  # name: how many there were, and when it was last closed

    def knows(self, name):
        return self.database.execute("SELECT 1 FROM user WHERE name = ?", [name]).fetchone() is not None

    def register(self, name, password):
        """Whether the name was still free, and there is room."""
        if self.database.execute("SELECT count(*) FROM user").fetchone()[0] >= USERS:
            return False
        salt = os.urandom(16)
        row = [name, salt, digest_of(password, salt)]
        return self.database.execute("INSERT OR IGNORE INTO user VALUES (?, ?, ?)", row).rowcount == 1

    def lets_in(self, name, password):
        """Whether it is that user's password.  Who guesses has to wait, and whoever is meant with them."""
        count, since = self.failures.get(name, (0, 0))
        if count >= TRIES and self.clock() < since + PAUSE:
            return False
        salt, digest = self.database.execute("SELECT salt, digest FROM user WHERE name = ?", [name]).fetchone()
        if hmac.compare_digest(digest, digest_of(password, salt)):
            self.failures.pop(name, None)
            return True
        self.failures[name] = (count % TRIES + 1, self.clock())
        return False

    def post(self, author, text):
        number = self.database.execute(
            "INSERT INTO post (author, at, text) VALUES (?, ?, ?)", [author, self.clock(), text]
        ).lastrowid
        self.database.execute("DELETE FROM post WHERE id <= ?", [number - KEPT])

    def posts(self, count):
        """The last posts, the oldest of them first: author, when, text."""
        rows = self.database.execute("SELECT author, at, text FROM post ORDER BY id DESC LIMIT ?", [count])
        return rows.fetchall()[::-1]


def digest_of(password, salt):
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1)


def clean(text, size):
    """A line without what would do something to a terminal."""
    kept = (char for char in text[: 4 * size] if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    return "".join(kept).strip()[:size]
