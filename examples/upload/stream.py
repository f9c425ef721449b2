"""Answers uploads with their length and SHA-256: python3 stream.py [REQUESTS_FROM REPLIES_TO]

The server sends a long body in pieces (upload.stream), no more of it than it has been given credits for.  Run one of
these for each send_spec: of several, each would get some of the pieces.
"""

import hashlib
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import handler, request  # noqa: E402

WINDOW = 256 * 1024  # how many bytes may be on their way
TYPE = "application/octet-stream"  # what is taken, and what a file is whose type isn't told
PLAIN = {"Content-Type": "text/plain"}  # of each answer


class Upload:
    def __init__(self):
        self.digest, self.length = hashlib.sha256(), 0
        self.credits = 0  # how many bytes the server may still send


def main(requests_from="tcp://127.0.0.1:9993", replies_to="tcp://127.0.0.1:9992"):
    conn = handler.Connection("", requests_from, replies_to)
    uploads = {}
    while True:
        req = conn.recv()
        if req.is_disconnect():
            if upload := uploads.pop((req.sender, req.conn_id), None):
                print(f"the client has left after {upload.length} bytes", file=sys.stderr)
        elif req.path == request.NOTICE:
            continue  # with download.flow_control the server also tells what it has written
        elif "METHOD" in req.headers:
            begin(conn, req, uploads)
        else:
            go_on(conn, req, uploads)


def begin(conn, req, uploads):
    """A request, with what has come of its body: all of it if it is short."""
    if req.headers.get("Content-Type", TYPE) != TYPE:
        conn.reply_http(req, f"only {TYPE} is taken here\n", 403, headers={**PLAIN, "Connection": "close"})
        return conn.close(req)  # the end, whatever is still to come
    uploads[req.sender, req.conn_id] = Upload()
    add(conn, req, uploads)


def go_on(conn, req, uploads):
    """A piece of a body, for which credits were given."""
    upload = uploads.get((req.sender, req.conn_id))
    if not upload or upload.length != int(req.headers["UPLOAD_STREAM"]):
        print(f"a piece of {req.conn_id} is missing", file=sys.stderr)
        return conn.close(req)
    upload.credits -= len(req.body)
    add(conn, req, uploads)


def add(conn, req, uploads):
    upload = uploads[req.sender, req.conn_id]
    upload.digest.update(req.body)
    upload.length += len(req.body)
    if "UPLOAD_STREAM" in req.headers and "UPLOAD_STREAM_DONE" not in req.headers:
        if upload.credits <= WINDOW // 2:
            conn.credits(req, WINDOW - upload.credits)
            upload.credits = WINDOW
    else:
        conn.reply_http(req, f"{upload.length} {upload.digest.hexdigest()}\n", headers=PLAIN)
        del uploads[req.sender, req.conn_id]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
