"""Answers uploads with their SHA-256: python3 upload.py [FOLDER REQUESTS_FROM REPLIES_TO]

The server has written a long body to a file (upload.temp_store) whose path counts from FOLDER, the server's chroot.
"""

import hashlib
import os
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import handler, request  # noqa: E402

START, DONE = "X-Mongrel2-Upload-Start", "X-Mongrel2-Upload-Done"

PLAIN = {"Content-Type": "text/plain"}  # of each answer


def main(folder=".", requests_from="tcp://127.0.0.1:9995", replies_to="tcp://127.0.0.1:9994"):
    conn = handler.Connection("", requests_from, replies_to)
    while True:
        req = conn.recv()
        if req.path != request.NOTICE:  # the client has gone, and the server has removed the file; or it tells of credits
            take(conn, req, folder)


def take(conn, req, folder):
    start, done = req.headers.get(START), req.headers.get(DONE)
    if start and not done:
        return print(f"upload of {req.conn_id} has begun in {start}", file=sys.stderr)
    if start != done:  # the server always sends both, and no client can send either
        return conn.reply_http(req, "this is not the upload that has begun\n", 400, headers=PLAIN)
    try:
        digest = digest_of_file(folder, done) if done else hashlib.sha256(req.body).hexdigest()
    except OSError as error:
        print(f"cannot read the upload {done}: {error}", file=sys.stderr)
        return conn.reply_http(req, "the upload is lost\n", 500, headers=PLAIN)
    conn.reply_http(req, f"{digest}\n", headers=PLAIN)


def digest_of_file(folder, path):
    path = os.path.join(folder, path.lstrip("/"))
    try:
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while piece := file.read(1024 * 1024):
                digest.update(piece)
        return digest.hexdigest()
    finally:
        os.remove(path)  # it is ours since the upload is done


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
