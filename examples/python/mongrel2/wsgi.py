"""Runs a WSGI application (PEP 3333) behind mongrel2: python3 -m mongrel2.wsgi module:app REQUESTS_FROM REPLIES_TO

One thread receives; others run the application.  As many of these processes as the work needs share it, but with
download.flow_control or upload.stream one for each send_spec: of several each would get some of the notices and pieces.
"""

import argparse
import importlib
import io
import os
import queue
import signal
import sys
import tempfile
import threading
import time
import traceback
from typing import Any, BinaryIO, Callable, Dict, Optional, Tuple

from . import handler
from .answer import Answer
from .environ import environ
from .flow import Flow, Gone
from .request import NOTICE, Request

START, DONE = "x-mongrel2-upload-start", "x-mongrel2-upload-done"
NO_HTTP = {"JSON", "XML", "WEBSOCKET"}

WINDOW = 1024 * 1024  # bytes of a streamed upload on their way
IN_MEMORY = 256 * 1024  # bytes of it that need no file
GRACE = 10.0  # seconds that requests have to end when the process shall


class Stop(Exception):
    """A signal has come while nothing was to do."""


class Upload:
    """A streamed body that isn't whole yet."""

    def __init__(self, req: Request) -> None:
        self.req = req
        self.file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115: who reads it closes it
        self.size = 0
        self.credits = 0  # bytes that the server may still send


class Gateway:
    """An application and its connection with a server."""

    def __init__(self, app: Callable[..., Any], conn: handler.Connection, options: argparse.Namespace) -> None:
        self.app, self.conn, self.options = app, conn, options
        self.flows: Dict[Tuple[str, str], Flow] = {}
        self.uploads: Dict[Tuple[str, str], Upload] = {}
        self.work: "queue.Queue[Tuple[Request, BinaryIO, Optional[int], Flow]]" = queue.Queue()
        self.is_ending = self.is_waiting = False

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT, and ends what has begun."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        for _ in range(self.options.threads):
            threading.Thread(target=self.serve, daemon=True).start()
        while req := self.receive():
            self.take(req)
        deadline = time.monotonic() + GRACE
        while self.work.unfinished_tasks and time.monotonic() < deadline:
            if req := self.conn.recv(timeout=0.05):
                self.take(req)
        self.conn.shutdown()

    def stop(self, *_: Any) -> None:
        """Of a signal."""
        self.is_ending = True
        if self.is_waiting:
            self.is_waiting = False
            raise Stop

    def receive(self) -> Optional[Request]:
        """The next message; None if there is none and none is wanted any more."""
        while True:
            if req := self.conn.recv(timeout=0):
                return req
            try:
                self.is_waiting = True
                if self.is_ending:
                    return None
                self.conn.requests.poll()
                self.is_waiting = False
            except Stop:
                return None

    # What comes in.

    def take(self, req: Request) -> None:
        """Any message."""
        about = (req.sender, req.conn_id)
        if req.is_disconnect():
            self.uploads.pop(about, None)
            if flow := self.flows.pop(about, None):
                flow.end()
        elif req.is_notice("credits"):
            if flow := self.flows.get(about):
                flow.written(number(req.headers.get("DOWNLOAD_CREDITS")) or 0)
        elif req.path == NOTICE:
            pass  # of a later version of the server
        elif "UPLOAD_STREAM" in req.headers:
            self.take_piece(about, req)
        elif req.headers.get("METHOD") in NO_HTTP:
            self.conn.close(req)
        elif req.headers.get("METHOD") == "WEBSOCKET_HANDSHAKE":
            self.conn.reply_http(req, "There is no WebSocket here.\n", 501)
        elif self.is_welcome(req):
            self.take_request(req)

    def take_request(self, req: Request) -> None:
        """A request whose body is with it, or in a file, or still to come."""
        start, done = req.headers.get(START), req.headers.get(DONE)
        if not start:
            has_body = req.body or "content-length" in req.headers
            return self.enqueue(req, io.BytesIO(req.body), len(req.body) if has_body else None)
        if not done:
            return None
        if start != done:  # the server always sends both, and no client can send either
            return self.refuse(req, 400, "This is not the upload that has begun.\n")
        path = os.path.join(self.options.chroot, done.lstrip("/"))
        try:
            file = open(path, "rb")  # noqa: SIM115: who reads it closes it
            os.unlink(path)  # it is ours, and needs no name
        except OSError as error:
            handler.warn(f"cannot read an upload: {error}")
            return self.refuse(req, 500, "The upload is lost.\n")
        return self.enqueue(req, file, os.fstat(file.fileno()).st_size)

    def take_piece(self, about: Tuple[str, str], req: Request) -> None:
        """A piece of a streamed body; the first has the headers."""
        if "METHOD" in req.headers:
            if not self.is_welcome(req):
                return None
            self.uploads[about] = Upload(req)
        upload = self.uploads.get(about)
        if not upload:
            return None  # it was refused
        if number(req.headers["UPLOAD_STREAM"]) != upload.size:
            del self.uploads[about]
            return self.refuse(req, 500, "A piece of the upload is missing.\n")
        if upload.size + len(req.body) > self.options.max_body:
            del self.uploads[about]
            return self.refuse(req, 413, "This is too long.\n")
        try:
            upload.file.write(req.body)
        except OSError as error:
            handler.warn(f"cannot keep an upload: {error}")
            del self.uploads[about]
            return self.refuse(req, 500, "There is no room for the upload.\n")
        upload.size += len(req.body)
        if "METHOD" not in req.headers:
            upload.credits -= len(req.body)
        if "UPLOAD_STREAM_DONE" in req.headers:
            del self.uploads[about]
            upload.file.seek(0)
            self.enqueue(upload.req, upload.file, upload.size)
        elif upload.credits <= WINDOW // 2:
            self.conn.credits(req, WINDOW - upload.credits)
            upload.credits = WINDOW
        return None

    def is_welcome(self, req: Request) -> bool:
        """Whether a request may be taken; if not, it has been answered."""
        if (number(req.headers.get("content-length")) or 0) > self.options.max_body:
            self.refuse(req, 413, "This is too long.\n")
        elif self.work.qsize() >= self.options.backlog:
            self.refuse(req, 503, "Too many others are waiting.\n")
        else:
            return True
        return False

    def refuse(self, req: Request, code: int, text: str) -> None:
        """An answer that the application isn't asked for; the connection is closed, whatever is still to come."""
        self.conn.reply_http(req, text, code, headers={"Content-Type": "text/plain", "Connection": "close"})
        self.conn.close(req)

    def enqueue(self, req: Request, body: BinaryIO, length: Optional[int]) -> None:
        """A whole request, for the next thread that has nothing to do."""
        about = (req.sender, req.conn_id)
        flow = self.flows.get(about)
        if not flow or flow.limit is None:
            flow = self.flows[about] = Flow(number(req.headers.get("DOWNLOAD_CREDITS")))
        self.work.put((req, body, length, flow))

    # What the application does.

    def serve(self) -> None:
        """A thread: one request after the other."""
        while True:
            req, body, length, flow = self.work.get()
            try:
                with body:
                    self.answer(req, environ(req, body, length, self.options.script_name), flow)
            except Gone:
                pass
            except Exception:  # this thread is still needed, whatever has come
                traceback.print_exc()
            finally:
                self.forget(req, flow)
                self.work.task_done()

    def forget(self, req: Request, flow: Flow) -> None:
        """Nothing stays of a request: that its connection is gone may be told to another process."""
        about = (req.sender, req.conn_id)
        if flow.limit is None and self.flows.get(about) is flow:
            self.flows.pop(about, None)

    def answer(self, req: Request, values: Dict[str, Any], flow: Flow) -> None:
        """Has the application answer a request."""
        values["wsgi.multithread"] = self.options.threads > 1

        def send(data: bytes) -> None:
            flow.pass_on(len(data))
            self.conn.reply(req, data)

        def cut() -> None:
            self.conn.cancel(req)
            self.flows.pop((req.sender, req.conn_id), None)  # no notice will come

        answer = Answer(send, cut, values["REQUEST_METHOD"], values["SERVER_PROTOCOL"], not req.should_close())
        try:
            pieces = self.app(values, answer.start)
            try:
                answer.run(pieces)
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
        except Gone:
            raise
        except (Exception, SystemExit):  # the trace is for whoever runs this, not for the client
            traceback.print_exc()
            answer.fail()


def number(text: Optional[str]) -> Optional[int]:
    """A decimal number, or None."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def load(name: str) -> Callable[..., Any]:
    """The application that `module:attribute` names."""
    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in (attribute or "application").split("."):
        found = getattr(found, part)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m mongrel2.wsgi", description="Runs a WSGI application.")
    parser.add_argument("app", metavar="MODULE:APP", help="the application; without `:APP` its name is `application`")
    parser.add_argument("requests_from", help="the server's send_spec")
    parser.add_argument("replies_to", help="the server's recv_spec")
    parser.add_argument("--threads", type=int, default=8, help="requests at the same time; 8")
    parser.add_argument("--backlog", type=int, default=1000, help="requests that wait before others get 503; 1000")
    parser.add_argument("--max-body", type=int, default=1 << 30, metavar="BYTES", help="longest body; 1 GiB")
    parser.add_argument("--chroot", default=".", help="the server's, where the paths of uploads begin; this folder")
    parser.add_argument("--script-name", metavar="PREFIX", help="of paths; the route's path")
    options = parser.parse_args()
    if options.threads < 1:
        parser.error("there has to be a thread")
    try:
        app = load(options.app)
    except (ImportError, AttributeError) as error:
        parser.error(f"cannot load {options.app!r}: {error}")
    conn = handler.Connection("", options.requests_from, options.replies_to)
    handler.warn(f"serves {options.app}")
    Gateway(app, conn, options).run()


if __name__ == "__main__":
    main()
