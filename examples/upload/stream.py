"""Answers uploads with their length and SHA-256: python3 stream.py [REQUESTS_FROM REPLIES_TO]

The server sends a long body in pieces (upload.stream), no more of it than it has been given credits for.  Run one of
these for each send_spec: of several, each would get some of the pieces.
"""

import hashlib
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import Server  # noqa: E402

WINDOW = 256 * 1024  # how many bytes may be on their way
TYPE = "application/octet-stream"  # what is taken, and what a file is whose type isn't told


class Upload:
    def __init__(self):
        self.digest, self.length = hashlib.sha256(), 0
        self.credits = 0  # how many bytes the server may still send


def main(requests_from="tcp://127.0.0.1:9993", replies_to="tcp://127.0.0.1:9992"):
    server = Server(requests_from, replies_to)
    uploads = {}
    while True:
        message = server.receive()
        if not message:
            continue
        if message.path == "@*":
            if upload := uploads.pop((message.server, message.client), None):
                print(f"the client has left after {upload.length} bytes", file=sys.stderr)
        elif "METHOD" in message.headers:
            begin(server, message, uploads)
        else:
            go_on(server, message, uploads)


def begin(server, message, uploads):
    """A request, with what has come of its body: all of it if it is short."""
    if message.headers.get("content-type", TYPE) != TYPE:
        server.answer(message, "403 Forbidden", f"only {TYPE} is taken here\n", ["Connection: close"])
        return server.reply(message, b"")  # the end, whatever is still to come
    uploads[message.server, message.client] = Upload()
    add(server, message, uploads)


def go_on(server, message, uploads):
    """A piece of a body, for which credits were given."""
    upload = uploads.get((message.server, message.client))
    if not upload or upload.length != int(message.headers["UPLOAD_STREAM"]):
        print(f"a piece of {message.client} is missing", file=sys.stderr)
        return server.reply(message, b"")
    upload.credits -= len(message.body)
    add(server, message, uploads)


def add(server, message, uploads):
    upload = uploads[message.server, message.client]
    upload.digest.update(message.body)
    upload.length += len(message.body)
    if "UPLOAD_STREAM" in message.headers and "UPLOAD_STREAM_DONE" not in message.headers:
        if upload.credits <= WINDOW // 2:
            server.credits(message, WINDOW - upload.credits)
            upload.credits = WINDOW
    else:
        server.answer(message, "200 OK", f"{upload.length} {upload.digest.hexdigest()}\n")
        del uploads[message.server, message.client]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
