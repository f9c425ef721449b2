"""What a user sees and may do, from the first line to the last: a generator that yields what is to be shown.

It yields pairs of a text and a prompt, is sent the line that the user has typed, and ends when the user goes.
"""

import time

from board import LINE, LINES, NAME, clean

WELCOME = "Welcome to the board.\n"
NEW = "You are new here.  Choose a password of 8 characters or more.\n"
MENU = "\n[R]ead  [P]ost  [W]ho is here  [Q]uit\n"
SHOWN = 10  # posts at once
TRIES = 3  # passwords for a connection

PASSWORD = "password: "  # the prompt at which nothing is shown of what is typed


class Session:
    def __init__(self, board, present):
        self.board, self.present = board, present
        self.name = None

    def run(self):
        """Gives the last words."""
        if not (yield from self.log_in()):
            return "Goodbye.\n"
        text = f"\nHello, {self.name}.\n"
        while True:
            choice = (yield text + MENU, "> ").lower()[:1]
            if choice == "r":
                text = self.read()
            elif choice == "p":
                text = yield from self.post()
            elif choice == "w":
                text = "".join(f"  {name}\n" for name in sorted(self.present()))
            elif choice == "q":
                return f"Goodbye, {self.name}.\n"
            else:
                text = "That is none of these.\n"

    def log_in(self):
        text = WELCOME
        for _ in range(TRIES):
            name = clean((yield text, "name: "), NAME)
            if not name:
                text = "A name has letters.\n"
                continue
            is_known = self.board.knows(name)
            password = yield ("" if is_known else NEW), PASSWORD
            if is_known and self.board.lets_in(name, password):
                self.name = name
            elif not is_known and len(password) >= 8 and self.board.register(name, password):
                self.name = name
            if self.name:
                return True
            text = "That was no good.\n"
        return False

    def read(self):
        posts = self.board.posts(SHOWN)
        return "".join(map(shown, posts)) or "\nThere is nothing yet.\n"

    def post(self):
        lines, text = [], f"Up to {LINES} lines; an empty one is the end.\n"
        while len(lines) < LINES:
            line = clean((yield text, "| "), LINE)
            if not line:
                break
            lines.append(f"  {line}")
            text = ""
        if not lines:
            return "Nothing is posted.\n"
        self.board.post(self.name, "\n".join(lines))
        return "It is posted.\n"


def shown(post):
    author, at, text = post
    return f"\n{author}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime(at))}\n{text}\n"
