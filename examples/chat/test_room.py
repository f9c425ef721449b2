"""What the room makes of what its guests say: python3 -m unittest test_room"""

import unittest

from room import BURST, NAME, TEXT, Room


class Case(unittest.TestCase):
    def setUp(self):
        self.heard = []
        self.room = Room(lambda keys, message: self.heard.append((list(keys), message)))
        self.now = 0.0

    def say(self, key, word):
        """What is heard of it."""
        self.now += 1
        self.heard.clear()
        self.room.hear(key, word, self.now)
        return self.heard[:]

    def join(self, key, name):
        return self.say(key, {"type": "join", "user": name})

    def refused(self, key, word):
        (((keys, message),)) = self.say(key, word)
        self.assertEqual((keys, message["type"]), ([key], "error"), word)
        return message["error"]

    def test_who_comes_and_who_goes(self):
        coming, users = self.join(1, "Ann")
        self.assertEqual(coming, ([], {"type": "join", "user": "Ann"}))
        self.assertEqual(users, ([1], {"type": "userList", "users": ["Ann"]}))
        coming, users = self.join(2, "Bob")
        self.assertEqual(coming, ([1], {"type": "join", "user": "Bob"}))
        self.assertEqual(users, ([2], {"type": "userList", "users": ["Ann", "Bob"]}))
        (heard,) = self.say(1, {"type": "msg", "msg": "hi"})
        self.assertEqual(heard, ([1, 2], {"type": "msg", "user": "Ann", "msg": "hi"}))
        self.heard.clear()
        self.room.leave(1)
        self.room.leave(1)
        self.room.leave(3)
        self.assertEqual(self.heard, [([2], {"type": "leave", "user": "Ann"})])

    def test_a_name_is_one_persons(self):
        self.join(1, "Ann")
        for name in ["Ann", "ANN", " ann ", "A\u200bnn", "Ａnn", "An\u202en", "Ann\0"]:
            self.assertIn("somebody else", self.refused(2, {"type": "join", "user": name}))
        self.assertIn("here already", self.refused(1, {"type": "join", "user": "Bob"}))

    def test_nobody_says_what_does_something(self):
        self.join(1, "Ann")
        for said, heard in [
            ("\x1b[2Jx\x07", "[2Jx"),
            ("a\u202eb\u2028c\ud800", "abc"),
            ("<b>&amp;", "<b>&amp;"),
            ("x" * 5000, "x" * TEXT),
            ("\u200d👩\u200d🚀", "\u200d👩\u200d🚀"),
        ]:
            self.assertEqual(self.say(1, {"type": "msg", "msg": said})[0][1]["msg"], heard)
        self.assertEqual(self.join(2, "n" * 5000)[1][1]["users"][1], "n" * NAME)

    def test_what_is_no_word_is_refused(self):
        for word in [None, 7, "join", [], {}, {"type": None}, {"type": ["join"]}, {"type": "leave", "user": "Ann"}]:
            self.refused(1, word)
        for value in [None, 7, "", " ", "\u200b", "\0", ["x"], {"a": 1}]:
            self.refused(1, {"type": "join", "user": value})
        self.refused(1, {"type": "msg", "msg": "before joining"})
        self.join(1, "Ann")
        for value in [None, 7, "", " \n", "\0", ["x"]]:
            self.refused(1, {"type": "msg", "msg": value})

    def test_who_is_too_fast_is_told_once(self):
        self.join(1, "Ann")
        self.now += 60
        for _ in range(3 * BURST):
            self.room.hear(1, {"type": "msg", "msg": "x"}, self.now)
        kinds = [message["type"] for _, message in self.heard]
        self.assertEqual((kinds.count("msg"), kinds.count("error")), (BURST, 1))
        self.assertEqual(self.say(1, {"type": "msg", "msg": "x"})[0][1]["type"], "msg")


if __name__ == "__main__":
    unittest.main()
