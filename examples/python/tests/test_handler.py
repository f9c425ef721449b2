"""A connection as handlers see it, with a played server at its other end."""

import contextlib
import io
import socket
import sys
import unittest
from pathlib import Path

import zmq

sys.path.append(str(Path(__file__).resolve().parent.parent))
sys.path.append(str(Path(__file__).resolve().parent))

import played  # noqa: E402
from mongrel2 import handler  # noqa: E402

GET = {"METHOD": "GET", "VERSION": "HTTP/1.1"}


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.server = played.Server()
        self.conn = handler.Connection("test", self.server.requests_from, self.server.replies_to)
        self.addCleanup(self.conn.shutdown)
        self.addCleanup(self.server.stop)

    def told(self, work):
        """What work gives, and what it tells on stderr."""
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            return work(), told.getvalue()

    def ask(self, headers=GET, body=b"", **others):
        self.server.send(headers, body, **others)
        return self.conn.recv()

    def replied(self, *expected):
        for one in expected:
            self.assertEqual(self.server.recv(), one)


class Replies(Case):
    def test_the_first_one_arrives(self) -> None:
        # Nobody has waited for the subscription; a PUB socket would lose some of these.
        for number in range(10):
            server = played.Server()
            conn = handler.Connection("", server.requests_from, server.replies_to)
            server.send(GET)
            conn.reply(conn.recv(), b"%d" % number)
            self.assertEqual(server.recv(), ("7", b"%d" % number))
            conn.shutdown()
            server.stop()

    def test_each_kind(self) -> None:
        req = self.ask()
        self.conn.reply(req, bytes(range(256)))
        self.conn.reply(req, "é")
        self.conn.reply_json(req, {"a": [1]})
        self.conn.reply_http(req, "é", 404)
        self.conn.reply_websocket(req, "é")
        self.conn.reply_websocket(req, b"\xff", 10)
        self.conn.close(req)
        self.replied(
            ("7", bytes(range(256))),
            ("7", b"\xc3\xa9"),
            ("7", b'{"a": [1]}'),
            ("7", b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n\xc3\xa9"),
            ("7", b"\x81\x02\xc3\xa9"),
            ("7", b"\x8a\x01\xff"),
            ("7", b""),
        )

    def test_head_gets_no_body(self) -> None:
        self.conn.reply_http(self.ask({"METHOD": "HEAD"}), "abc", headers={"X-A": 1})
        self.replied(("7", b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\n"))

    def test_a_handshake(self) -> None:
        self.conn.accept_websocket(self.ask({"METHOD": "WEBSOCKET_HANDSHAKE"}, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "chat")
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        keys = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
        self.replied(("7", head + keys))

    def test_many_at_once(self) -> None:
        uuid, idents = played.UUID.decode(), [str(number) for number in range(300)]
        self.conn.deliver(uuid, idents, b"x")
        self.replied(*((" ".join(idents[at : at + 128]), b"x") for at in (0, 128, 256)))
        self.conn.deliver(uuid, [], b"x")
        self.conn.deliver_json(uuid, [1, 2], [1])
        self.conn.deliver_http(uuid, (ident for ident in "34"), "x")
        self.conn.deliver_websocket(uuid, [5], "x")
        self.conn.deliver_close(uuid, [6])
        self.replied(
            ("1 2", b"[1]"),
            ("3 4", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
            ("5", b"\x81\x01x"),
            ("6", b""),
        )

    def test_what_the_server_is_asked_to_do(self) -> None:
        req = self.ask()
        self.conn.keep_alive(req)
        self.conn.credits(req, 4096)
        self.conn.cancel(req)
        self.conn.sendfile(req, "film.mp4")
        self.replied(
            ("X 7", b"31:3:ctl,21:10:keep-alive,4:true!}]"),
            ("X 7", b"27:3:ctl,17:7:credits,4:4096#}]"),
            ("X 7", b"26:3:ctl,16:6:cancel,4:true!}]"),
            ("X 7", b"22:8:sendfile,8:film.mp4,]"),
        )

    def test_an_id_is_nothing_else(self) -> None:
        for bad in ["", "X 7", "7 ", "7, HTTP", "7\n", None]:
            with self.assertRaises(ValueError, msg=repr(bad)):
                self.conn.send("uuid", bad, b"x")

    def test_a_reply_for_nobody_is_told(self) -> None:
        req = self.ask()
        nobody = socket.socket()  # it has a port and doesn't listen
        self.addCleanup(nobody.close)
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        elsewhere = handler.Connection("", address, address)
        self.addCleanup(elsewhere.shutdown)
        for _ in range(2):
            self.assertIn("no server has subscribed", self.told(lambda: elsewhere.reply(req, b"x"))[1])


class Requests(Case):
    def test_what_is_none_is_told_and_skipped(self) -> None:
        self.server.push.send(b"nonsense")
        self.server.send({"METHOD": "JSON"}, b"{", "@chat")
        self.server.send(GET, b"good")
        req, told = self.told(self.conn.recv)
        self.assertEqual(req.body, b"good")
        self.assertEqual(told.count("skipped a message: "), 2)

    def test_json_of_any_kind(self) -> None:
        self.server.send({"METHOD": "POST"}, b"{")
        self.server.send({"METHOD": "POST"}, b'{"a":1}')
        self.server.send({"METHOD": "JSON"}, b'{"b":1}', "@chat")
        self.server.disconnect()
        req, told = self.told(self.conn.recv_json)
        self.assertEqual((req.data, told.count("skipped")), ({"a": 1}, 1))
        self.assertEqual(self.conn.recv_json().data, {"b": 1})
        self.assertTrue(self.conn.recv_json().is_disconnect())

    def test_nobody_waits_for_ever(self) -> None:
        self.assertIsNone(self.conn.recv(timeout=0))
        self.assertIsNone(self.conn.recv_json(timeout=0.01))
        self.server.push.send(b"nonsense")
        self.assertIsNone(self.told(lambda: self.conn.recv(timeout=0.5))[0])

    def test_all_requests_may_go_to_each(self) -> None:
        pub = zmq.Context.instance().socket(zmq.XPUB)
        pub.bind("tcp://127.0.0.1:*")
        conn = handler.Connection("", pub.last_endpoint.decode(), self.server.replies_to, all_requests=True)
        pub.recv()
        pub.send(b"uuid 7 / 2:{},3:abc,")
        self.assertEqual(conn.recv().body, b"abc")
        conn.shutdown()
        pub.close(0)


if __name__ == "__main__":
    unittest.main()
