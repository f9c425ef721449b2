"""The WSGI adapter: environ, framing, broken applications, uploads and flow control, with a played server."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
sys.path.append(str(HERE))

import apps  # noqa: E402
import played  # noqa: E402
from mongrel2.answer import Answer  # noqa: E402
from mongrel2.environ import environ, host, split_path  # noqa: E402
from mongrel2.request import Headers, Request  # noqa: E402

GET = {"METHOD": "GET", "VERSION": "HTTP/1.1", "PATTERN": "/", "URL_SCHEME": "http", "REMOTE_ADDR": "192.0.2.1"}


def answered(app, method="GET", version="HTTP/1.1", keeps_open=True, values=None):
    """The messages that an application's answer makes; what it raises is the last."""
    sent = []
    answer = Answer(sent.append, lambda: sent.append("cut"), method, version, keeps_open)
    try:
        answer.run(app(values or {"PATH_INFO": "/", "QUERY_STRING": ""}, answer.start))
    except Exception as error:
        answer.fail()
        sent.append(type(error))
    return sent


def app_of(pieces, headers=(), status="200 OK"):
    def app(_environ, start_response):
        start_response(status, [("Date", "now"), *headers])
        return pieces

    return app


class Framing(unittest.TestCase):
    def check(self, app, expected, **others):
        head, *rest = expected
        head = b"HTTP/1.1 " + head.replace(b"\n", b"\r\n")
        self.assertEqual(answered(app, **others), [head, *rest])

    def test_a_list_is_one_message(self):
        self.check(app_of([b"ab", b"", b"c"]), [b"200 OK\nDate: now\nContent-Length: 3\n\nabc"])
        self.check(app_of([]), [b"200 OK\nDate: now\nContent-Length: 0\n\n"])
        self.check(app_of([b"abc"], [("content-length", "3")]), [b"200 OK\nDate: now\ncontent-length: 3\n\nabc"])

    def test_pieces_go_out_as_they_come(self):
        expected = [b"200 OK\nDate: now\nTransfer-Encoding: chunked\n\n2\n" + b"ab\n", b"1\r\nc\r\n", b"0\r\n\r\n"]
        self.check(app_of(iter([b"", b"ab", b"c"])), expected)
        self.check(app_of(iter([])), [b"200 OK\nDate: now\nContent-Length: 0\n\n"])
        expected = [b"200 OK\nDate: now\nContent-Length: 3\n\nab", b"c"]
        self.check(app_of(iter([b"ab", b"c"]), [("Content-Length", "3")]), expected)

    def test_old_clients_know_no_chunks(self):
        expected = [b"200 OK\nDate: now\nConnection: close\n\nab", b"c", b""]
        self.check(app_of(iter([b"ab", b"c"])), expected, version="HTTP/1.0")
        expected = [b"200 OK\nDate: now\nContent-Length: 1\nConnection: keep-alive\n\na"]
        self.check(app_of([b"a"]), expected, version="HTTP/1.0")
        self.check(app_of([b"a"]), [b"200 OK\nDate: now\nContent-Length: 1\n\na"], version="HTTP/1.0", keeps_open=False)

    def test_some_answers_have_no_body(self):
        self.check(app_of([b"abc"]), [b"200 OK\nDate: now\nContent-Length: 3\n\n"], method="HEAD")
        self.check(app_of(iter([b"abc"])), [b"200 OK\nDate: now\n\n"], method="HEAD")
        self.check(app_of([b""], status="304 Not Modified"), [b"304 Not Modified\nDate: now\n\n"])
        self.check(app_of([b"x"], status="204 "), [b"204 \nDate: now\n\n"])

    def test_a_broken_answer_looks_like_none(self):
        for app, error in [(apps.too_much, ValueError), (apps.too_little, ValueError), (apps.raises_late, KeyError)]:
            sent = answered(app)
            self.assertEqual(sent[-2:], [b"", error], app.__name__)
            self.assertNotIn(b"HTTP/1.1 200 OK\r\n\r\n", b"".join(sent[:-1]), app.__name__)
        for app, end in [(apps.raises_late, "cut"), (apps.too_little, b"")]:
            self.assertEqual(answered(app, version="HTTP/1.0")[-2], end, "an old client sees it by a reset, or a length")
        for app in [apps.raises, apps.starts_never, apps.starts_twice, apps.text, apps.splits, apps.hops]:
            head, error = answered(app)
            self.assertTrue(head.startswith(b"HTTP/1.1 500 Internal Server Error\r\n"), app.__name__)
            self.assertNotIn(b"secret", head)
        for status in ["", "abc", "99 x", "101 Switching Protocols", "200 OK\r\nx: y", "2000 OK"]:
            self.assertTrue(answered(app_of([], status=status))[0].startswith(b"HTTP/1.1 500 "), status)
        for length in ["-1", "x", "1, 2", "١"]:
            self.assertTrue(answered(app_of([], [("Content-Length", length)]))[0].startswith(b"HTTP/1.1 500 "), length)

    def test_an_application_may_change_its_mind(self):
        (message,) = answered(apps.recovers)
        self.assertTrue(message.startswith(b"HTTP/1.1 400 Bad Request\r\n") and message.endswith(b"\r\n\r\nrecovered"))

    def test_write_comes_before_what_is_returned(self):
        *_, first, second, end = answered(apps.writes)
        self.assertTrue(first.endswith(b"9\r\nwritten, \r\n"), first)
        self.assertEqual((second, end), (b"8\r\nreturned\r\n", b"0\r\n\r\n"))


class Environ(unittest.TestCase):
    def made(self, path="/a", prefix=None, length=None, **headers):
        req = Request("uuid", "7", path, Headers({**GET, **headers}), b"", {})
        return environ(req, io.BytesIO(), length, prefix)

    def test_paths(self):
        for path, pattern, prefix, expected in [
            ("/", "/", None, ("", "/")),
            ("/a/b", "/", None, ("", "/a/b")),
            ("/app/b", "/app/", None, ("/app", "/b")),
            ("/app/", "/app/", None, ("/app", "/")),
            ("/app", "/app", None, ("/app", "")),
            ("/application", "/app", None, ("", "/application")),
            ("/users/7", "/users/([0-9]+)", None, ("", "/users/7")),
            ("/a/b", "/a/", "", ("", "/a/b")),
            ("/a/b", "/", "/a", ("/a", "/b")),
            ("/%C3%A9/%2F%00", "/", None, ("", "/Ã©//\0")),
        ]:
            made = self.made(path, prefix, PATTERN=pattern)
            self.assertEqual((made["SCRIPT_NAME"], made["PATH_INFO"]), expected, path)
        self.assertEqual(split_path("/a%2Fb", "/a"), ("", "/a%2Fb"))

    def test_what_a_client_says_is_never_what_the_server_knows(self):
        bad = {"remote_addr": "6", "x_forwarded_for": "6", "proxy": "http://6", "https": "on", "url_scheme": "https"}
        made = self.made(**bad, **{"x-forwarded-for": "192.0.2.1", "script-name": "/x"})
        self.assertEqual((made["REMOTE_ADDR"], made["HTTP_X_FORWARDED_FOR"]), ("192.0.2.1", "192.0.2.1"))
        self.assertEqual(made["wsgi.url_scheme"], "http")
        self.assertFalse({"HTTP_PROXY", "HTTPS", "HTTP_REMOTE_ADDR", "HTTP_URL_SCHEME"} & set(made))
        self.assertEqual((made["HTTP_HTTPS"], made["HTTP_SCRIPT_NAME"], made["SCRIPT_NAME"]), ("on", "/x", ""))
        self.assertEqual(self.made(URL_SCHEME="https")["HTTPS"], "on")

    def test_the_rest(self):
        fields = {"content-type": "a/b", "content-length": "99", "cookie": ["a=1", "b=2"], "accept": ["x", "y"]}
        made = self.made(length=0, QUERY="a=é", **fields)
        self.assertEqual((made["CONTENT_LENGTH"], made["CONTENT_TYPE"], made["QUERY_STRING"]), ("0", "a/b", "a=Ã©"))
        self.assertEqual((made["HTTP_COOKIE"], made["HTTP_ACCEPT"]), ("a=1; b=2", "x, y"))
        self.assertFalse({"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(made))
        self.assertNotIn("CONTENT_LENGTH", self.made())
        for field, expected in [("a:1", ("a", "1")), ("a", ("a", "80")), ("[::1]:9", ("[::1]", "9"))]:
            self.assertEqual(host(field, "80"), expected)
        self.assertEqual(host("", "80"), ("localhost", "80"))
        self.assertEqual(host("[::1]", "80"), ("[::1]", "80"))


class Gateway(unittest.TestCase):
    """The program itself."""

    def setUp(self):
        self.server = played.Server()
        self.folder = tempfile.TemporaryDirectory()
        self.ident = 7
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(self.server.stop)

    def start(self, *words, app="apps"):
        addresses = [self.server.requests_from, self.server.replies_to]
        command = [sys.executable, "-m", "mongrel2.wsgi", app, *addresses, *words]
        env = {**os.environ, "PYTHONPATH": f"{HERE.parent}:{HERE}", "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(command, env=env, cwd=self.folder.name, stderr=subprocess.PIPE, text=True)
        self.said, self.news = [], threading.Condition()
        played.in_background(self.listen)
        self.addCleanup(self.end)

    def listen(self):
        for line in self.process.stderr:
            with self.news:
                self.said.append(line)
                self.news.notify_all()

    def wait_for(self, text):
        with self.news:
            self.assertTrue(self.news.wait_for(lambda: text in "".join(self.said), played.WAIT), text)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def send(self, path, body=b"", **headers):
        self.server.send({**GET, **headers}, body, path, self.ident)

    def ask(self, path, body=b"", **headers):
        self.send(path, body, **headers)
        idents, data = self.server.recv()
        self.assertEqual(idents, str(self.ident))
        return data

    def echoed(self, data):
        """What /echo tells: in one piece, as wsgiref's validator passes it on."""
        head, _, body = data.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK") and head.endswith(b"chunked"), data)
        self.assertEqual(self.server.recv()[1], b"0\r\n\r\n")
        size, told, _ = body.split(b"\r\n")
        self.assertEqual(int(size, 16), len(told))
        return json.loads(told)

    def test_good_and_broken_applications(self):
        self.start()
        told = self.echoed(self.ask("/echo/x", b"\x01\x02", QUERY="q"))
        self.assertEqual((told["size"], told["sum"], told["environ"]["QUERY_STRING"]), (2, 3, "q"))
        self.assertEqual(told["environ"]["CONTENT_LENGTH"], "2")
        for path in ["/raises", "/exits", "/text", "/nothing"]:
            data = self.ask(path)
            self.assertTrue(data.startswith(b"HTTP/1.1 500 "), data)
            self.assertNotIn(b"secret", data)
        self.wait_for("the secret of the application")
        self.assertTrue(self.ask("/empty").startswith(b"HTTP/1.1 204 "))
        self.assertTrue(self.ask("/raises_late").endswith(b"a\r\nsome of it\r\n"))
        self.assertEqual(self.server.recv(), ("7", b""))
        self.wait_for("closed late")

    def test_what_is_no_request_of_http(self):
        self.start()
        self.server.push.send(b"nonsense")
        self.assertEqual(self.ask("@chat", b"{}", METHOD="JSON"), b"")
        self.assertTrue(self.ask("/echo", b"", METHOD="WEBSOCKET_HANDSHAKE").startswith(b"HTTP/1.1 501 "))
        self.server.send({"METHOD": "JSON"}, b'{"type":"tomorrow"}', "@*")
        self.echoed(self.ask("/echo"))

    def test_an_upload_in_a_file(self):
        self.start("--max-body", "1000000")
        name, path = "/up.XYZ", Path(self.folder.name) / "up.XYZ"
        path.write_bytes(b"\x01" * 500_000)
        start = {"x-mongrel2-upload-start": name}
        self.send("/echo", **start)
        told = self.echoed(self.ask("/echo", **start, **{"x-mongrel2-upload-done": name}))
        self.assertEqual((told["size"], told["sum"], told["environ"]["CONTENT_LENGTH"]), (500_000, 500_000, "500000"))
        self.assertFalse(path.exists())
        for done, code in [(name, b"500"), ("/other", b"400")]:
            data = self.ask("/echo", **start, **{"x-mongrel2-upload-done": done})
            self.assertTrue(data.startswith(b"HTTP/1.1 " + code))
            self.assertEqual(self.server.recv(), ("7", b""))
        self.assertTrue(self.ask("/echo", **start, **{"content-length": "1000001"}).startswith(b"HTTP/1.1 413 "))
        self.assertEqual(self.server.recv(), ("7", b""))

    def piece(self, offset, body, **headers):
        self.server.send({"UPLOAD_STREAM": str(offset), **headers}, body, "/echo")

    def test_an_upload_in_pieces(self):
        self.start("--max-body", "3000000")
        self.send("/echo", b"\x01" * 10, METHOD="POST", UPLOAD_STREAM="0")
        self.assertEqual(self.server.recv(), ("X 7", b"30:3:ctl,20:7:credits,7:1048576#}]"))
        size = 10
        while size < 10 + 16 * 65536:
            self.piece(size, b"\x01" * 65536)
            size += 65536
        self.piece(size, b"", UPLOAD_STREAM_DONE="1")
        replies = [self.server.recv() for _ in range(3)]
        self.assertEqual([idents for idents, _ in replies], ["X 7", "X 7", "7"])
        told = self.echoed(replies[2][1])
        self.assertEqual((told["size"], told["sum"]), (size, size))

        self.send("/echo", b"", UPLOAD_STREAM="0")
        self.server.recv()
        self.piece(5, b"x")
        self.assertTrue(self.server.recv()[1].startswith(b"HTTP/1.1 500 "))
        self.assertEqual(self.server.recv(), ("7", b""))
        self.piece(6, b"x")  # nobody knows it
        self.send("/echo", b"", UPLOAD_STREAM="0")
        self.assertEqual(self.server.recv()[0], "X 7")
        self.piece(0, b"x" * 3_000_001)
        self.assertTrue(self.server.recv()[1].startswith(b"HTTP/1.1 413 "))
        self.assertEqual(self.server.recv(), ("7", b""))

    def test_a_client_that_leaves_ends_its_answer(self):
        self.start("--threads", "1")
        for ident in (7, 8):
            self.server.send(GET, b"", "/endless", ident)
            while self.server.recv()[0] != str(ident):
                pass  # what was on its way to the one before
            self.server.disconnect(ident)
        self.wait_for("closed endless\nclosed endless\n")
        self.server.send(GET, b"", "/empty", 9)
        while self.server.recv()[0] != "9":
            pass

    def test_a_slow_client_is_waited_for(self):
        self.start()
        self.send("/pieces", QUERY="10,1000", DOWNLOAD_CREDITS="3000")
        sent = [len(self.server.recv()[1]) for _ in range(2)]
        # The second request has no credits of its own, and nothing of the first comes until some is written.
        self.ident = 8
        self.echoed(self.ask("/echo"))
        while len(sent) < 11:
            self.server.send({"METHOD": "JSON", "DOWNLOAD_CREDITS": str(sent[-1])}, b'{"type":"credits"}', "@*", 7)
            self.server.send({"METHOD": "JSON", "DOWNLOAD_CREDITS": "0"}, b'{"type":"credits"}', "@*", 7)
            sent.append(len(self.server.recv()[1]))
            self.assertLessEqual(sum(sent[-2:]), 3000)

    def test_too_many_at_once_are_told_so(self):
        self.start("--threads", "1", "--backlog", "1")
        self.send("/slow")
        self.wait_for("slow has begun")
        self.ident = 8
        self.send("/release")
        self.ident = 9
        self.assertTrue(self.ask("/echo").startswith(b"HTTP/1.1 503 "))

    def test_it_ends_what_has_begun(self):
        self.start()
        self.send("/slow")
        self.wait_for("slow has begun")
        self.process.send_signal(signal.SIGTERM)
        self.ident = 8
        self.ask("/release")
        self.ident = 7
        self.assertTrue(self.server.recv()[1].endswith(b"slow"))
        self.assertEqual(self.process.wait(played.WAIT), 0)

    def test_it_ends_when_nothing_is_to_do(self):
        self.start()
        self.echoed(self.ask("/echo"))
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(played.WAIT), 0)

    def test_an_application_that_is_not_there(self):
        self.start(app="nothing:app")
        self.wait_for("cannot load 'nothing:app'")
        self.assertEqual(self.process.wait(played.WAIT), 2)


if __name__ == "__main__":
    unittest.main()
