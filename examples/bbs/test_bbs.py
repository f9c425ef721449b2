"""The board and what its users may do: python3 -m unittest test_bbs"""

import unittest

from board import KEPT, LINE, LINES, PAUSE, Board, clean
from session import PASSWORD, Session


class Case(unittest.TestCase):
    def setUp(self):
        self.now = 1_800_000_000.0
        self.board = Board(clock=lambda: self.now)
        self.present = {"Ann", "Bob"}

    def talk(self, *lines):
        """All that is shown to who types these lines; the prompt at the end is None if it is the end."""
        session = Session(self.board, lambda: self.present).run()
        text, prompt = session.send(None)
        for line in lines:
            try:
                said, prompt = session.send(line)
                text += said
            except StopIteration as last:
                return text + last.value, None
        return text, prompt

    def test_a_user_registers_posts_and_comes_back(self):
        text, end = self.talk("Ann", "secret123", "p", "first line", "\x1b[2J second", "", "r", "q")
        self.assertIn("You are new here", text)
        self.assertIn("\nAnn, 2027-01-15 08:00\n  first line\n  [2J second\n", text)
        self.assertTrue(text.endswith("Goodbye, Ann.\n") and end is None)
        text, prompt = self.talk("Ann", "secret123", "w", "x", "p", "")
        self.assertNotIn("new here", text)
        self.assertIn("  Ann\n  Bob\n", text)
        self.assertIn("none of these", text)
        self.assertIn("Nothing is posted", text)
        self.assertEqual(prompt, "> ")

    def test_passwords(self):
        self.assertEqual(self.talk("Ann")[1], PASSWORD)
        self.assertIsNone(self.talk("Ann", "short", "Ann", "short", "Ann", "short")[1])
        self.assertFalse(self.board.knows("Ann"))
        self.assertEqual(self.talk("", "\0", "Ann")[1], PASSWORD)
        self.assertEqual(self.talk("Ann", "secret123")[1], "> ")
        self.assertIsNone(self.talk("Ann", "wrong", "Ann", "", "Ann", "secret124")[1])
        self.assertEqual(self.talk("Ann", "secret123")[1], "> ", "who knows it begins anew")
        self.assertFalse(self.board.register("Ann", "another"))

    def test_who_guesses_has_to_wait(self):
        self.board.register("Ann", "secret123")
        for _ in range(5):
            self.assertFalse(self.board.lets_in("Ann", "wrong"))
        self.assertFalse(self.board.lets_in("Ann", "secret123"))
        self.now += PAUSE + 1
        self.assertTrue(self.board.lets_in("Ann", "secret123"))

    def test_posts_have_an_end(self):
        text, prompt = self.talk("Ann", "secret123", "p", *["x" * 5000] * LINES)
        self.assertIn("It is posted", text)
        self.assertEqual(prompt, "> ")
        self.assertEqual(self.board.posts(1)[0][2], "\n".join(["  " + "x" * LINE] * LINES))
        for number in range(KEPT + 5):
            self.board.post("Ann", str(number))
        self.assertEqual(len(self.board.posts(KEPT * 2)), KEPT)

    def test_nothing_that_does_something_to_a_terminal(self):
        self.assertEqual(clean(" a\x1b[31m\u202eb\x9b\r\n\u200bc ", 20), "a[31mbc")


if __name__ == "__main__":
    unittest.main()
