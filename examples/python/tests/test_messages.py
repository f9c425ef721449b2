"""What comes in is read as it was sent or refused; what goes out is what was meant."""

import json
import random
import sys
import unittest
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from mongrel2 import response, tnetstring  # noqa: E402
from mongrel2.request import Headers, Request  # noqa: E402

BINARY = bytes(range(256))


def message(headers: bytes, body: bytes = b"", path: bytes = b"/a") -> bytes:
    """As the server renders it, with the headers framed already."""
    return b"server-uuid 7 %b %b%d:%b," % (path, headers, len(body), body)


def framed(data: bytes, kind: bytes = b",") -> bytes:
    return b"%d:%b%b" % (len(data), data, kind)


def with_json(headers: object, body: bytes = b"", path: bytes = b"/a") -> Request:
    return Request.parse(message(framed(json.dumps(headers).encode()), body, path))


class Requests(unittest.TestCase):
    def test_json_and_tnetstrings_are_the_same(self) -> None:
        headers = {"PATH": "/a", "cookie": ["a=1", "b=2"], "accept": ["x", "y"], "METHOD": "POST"}
        for head in framed(json.dumps(headers).encode()), tnetstring.render(headers):
            req = Request.parse(message(head, BINARY))
            self.assertEqual((req.sender, req.conn_id, req.path, req.body), ("server-uuid", "7", "/a", BINARY))
            self.assertEqual(req.headers["Cookie"], "a=1; b=2")
            self.assertEqual(req.headers.get("Accept"), "x, y")
            self.assertEqual(req.headers.all("Accept"), ["x", "y"])
            self.assertEqual(req.headers.all("METHOD"), ["POST"])
            self.assertEqual(req.headers.all("Range"), [])
            self.assertEqual(req.data, {})

    def test_bytes_that_are_no_text_are_the_same_characters_both_ways(self) -> None:
        req = Request.parse(message(tnetstring.render({"x": b"\xe9", "y": "é"}), path=b"/\xff"))
        self.assertEqual((req.headers["x"], req.headers["y"], req.path), ("é", "é", "/ÿ"))

    def test_no_client_can_be_the_server(self) -> None:
        headers = Headers({"method": "JSON", "peer_cert_sha1": "A9", "url-scheme": "https"})
        for name in "METHOD", "PEER_CERT_SHA1", "URL-SCHEME":
            self.assertNotIn(name, headers)
            self.assertIsNone(headers.get(name))
            self.assertEqual(headers.all(name), [])
        self.assertIn("Peer_Cert_SHA1", headers)
        req = with_json({"METHOD": "JSON"}, b'{"type":"disconnect"}', b"@chat")
        self.assertFalse(req.is_disconnect())
        self.assertTrue(with_json({"METHOD": "JSON"}, b'{"type":"disconnect"}', b"@*").is_disconnect())
        self.assertFalse(with_json({"METHOD": "JSON"}, b'{"type":"credits"}', b"@*").is_disconnect())

    def test_data_is_what_a_json_socket_says(self) -> None:
        self.assertEqual(with_json({"METHOD": "JSON"}, b'{"a": [1]}').data, {"a": [1]})
        self.assertEqual(with_json({"METHOD": "POST"}, b'{"a": [1]}').data, {})

    def test_when_a_connection_ends_with_the_answer(self) -> None:
        for version, connection, closes in [
            ("HTTP/1.0", "", True),
            ("HTTP/1.0", "Keep-Alive", False),
            ("HTTP/1.1", "", False),
            ("HTTP/1.1", "x, Close", True),
        ]:
            headers = {"VERSION": version, "connection": connection}
            self.assertEqual(with_json(headers).should_close(), closes, headers)

    def test_what_is_no_message_is_refused(self) -> None:
        good = framed(b"{}")
        for bad in [
            b"",
            b"server-uuid",
            b"server-uuid x / 2:{},0:,",
            b"server-uuid -7 / 2:{},0:,",
            message(b"2:{}"),
            message(b"1:{},"),
            message(b"2:[],"),
            message(b"4:null,"),
            message(framed(b'{"a":1}')),
            message(framed(b'{"a":[1]}')),
            message(framed(b"\xff")),
            message(framed(b"[" * 100_000)),
            message(tnetstring.render({"a": 1})),
            message(tnetstring.render(["a"])),
            message(b"4:1:a,}"),
            message(good) + b"x",
            message(good)[:-1],
            message(good).replace(b"0:", b"999999999:"),
            message(good).replace(b"0:", b"9999999999:"),
            message(good).replace(b"0:", b"-1:"),
            message(framed(b'{"METHOD":"JSON"}'), b"{"),
            message(framed(b'{"METHOD":"JSON"}'), b"[" * 100_000),
        ]:
            with self.assertRaises(ValueError, msg=repr(bad[:80])):
                Request.parse(bad)

    def test_whatever_is_changed_in_a_message_it_is_one_or_is_refused(self) -> None:
        chance = random.Random(8)
        good = message(tnetstring.render({"METHOD": "JSON", "x": ["1", "2"]}), b'{"a": {"b": [1, 2.5, null]}}')
        for _ in range(20_000):
            bad = bytearray(good)
            for _ in range(chance.randint(1, 4)):
                bad[chance.randrange(len(bad))] = chance.choice(b'0123456789:,#^!~]}{["\\ \xff\x00')
            try:
                Request.parse(bytes(bad))
            except ValueError:
                pass


class Tnetstrings(unittest.TestCase):
    def test_values_come_back(self) -> None:
        for value in [b"", BINARY, 0, -12, 2.5, True, False, None, [], {}, [b"a", {b"b": [1, None]}]]:
            rendered = tnetstring.render(value)
            self.assertEqual(tnetstring.parse(rendered), (value, len(rendered)))
        self.assertEqual(tnetstring.render({"a": "é"}), b"9:1:a,2:\xc3\xa9,}")

    def test_what_is_none_is_refused(self) -> None:
        deep = b"0:~"
        for _ in range(40):
            deep = framed(deep, b"]")
        for bad in [b"", b"1:", b"1:a", b"1:a?", b"1:x#", b"3:1_0#", b"2: 1#", b"1:x^", b"1:x!", b"1:x~", b"1:x]", deep]:
            with self.assertRaises(ValueError, msg=repr(bad)):
                tnetstring.parse(bad)
        for bad in [b"6:1:1#1:", b"8:1:1#1:b,}", b"4:1:a,}", b"0" * 5000 + b":,"]:
            with self.assertRaises(ValueError, msg=repr(bad)):
                tnetstring.parse(bad)


class Responses(unittest.TestCase):
    def test_the_length_is_that_of_the_bytes(self) -> None:
        answer = response.http("é", 200, "OK", {"X-A": "1", "content-length": "9"})
        self.assertEqual(answer, b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n\xc3\xa9")
        self.assertTrue(response.http(BINARY).endswith(b"\r\n\r\n" + BINARY))

    def test_some_answers_have_no_body(self) -> None:
        self.assertEqual(response.http("é", is_head=True), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(response.http("é", 304), b"HTTP/1.1 304 Not Modified\r\n\r\n")
        self.assertEqual(response.http("", 299, ""), b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n")

    def test_nothing_can_be_slipped_into_a_head(self) -> None:
        for bad in [{"Transfer-Encoding": "chunked"}, {"a": "x\r\ny: z"}, {"a": "x\0"}, {"a\n": ""}, {"": ""}, {"a:": ""}, {"a": "€"}]:
            with self.assertRaises(ValueError, msg=repr(bad)):
                response.http("", headers=bad)
        with self.assertRaises(ValueError):
            response.http("", 200, "OK\r\nx: y")
        with self.assertRaises(ValueError):
            response.http("", 20)

    def test_frames_have_the_shortest_length(self) -> None:
        lengths = [(0, b"\0"), (125, b"\x7d"), (126, b"\x7e\0\x7e"), (65536, b"\x7f\0\0\0\0\0\1\0\0")]
        for size, head in lengths:
            self.assertEqual(response.frame(b"x" * size), b"\x82" + head + b"x" * size)
        self.assertEqual(response.frame("é"), b"\x81\x02\xc3\xa9")
        self.assertEqual(response.frame("\ud800"), b"\x81\x01?", "what has no UTF-8 would end the client's connection")
        self.assertEqual(response.frame(b"", response.CLOSE), b"\x88\0")
        self.assertEqual(response.frame(b"x" * 125, response.PING)[:2], b"\x89\x7d")
        for opcode in response.CLOSE, response.PING, response.PONG:
            with self.assertRaises(ValueError):
                response.frame(b"x" * 126, opcode)


if __name__ == "__main__":
    unittest.main()
