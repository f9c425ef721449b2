"""Answers uploads with their SHA-256: python3 upload.py [FOLDER REQUESTS_FROM REPLIES_TO]

The server has written a long body to a file (upload.temp_store) whose path counts from FOLDER, the server's chroot.
"""

import hashlib
import os
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import Server  # noqa: E402

START, DONE = "x-mongrel2-upload-start", "x-mongrel2-upload-done"


def main(folder=".", requests_from="tcp://127.0.0.1:9995", replies_to="tcp://127.0.0.1:9994"):
    server = Server(requests_from, replies_to)
    while True:
        message = server.receive()
        if message and message.path != "@*":  # a notice: the client has gone, and the server has removed the file
            take(server, message, folder)


def take(server, message, folder):
    start, done = message.headers.get(START), message.headers.get(DONE)
    if start and not done:
        return print(f"upload of {message.client} has begun in {start}", file=sys.stderr)
    if start != done:  # the server always sends both, and no client can send either
        return server.answer(message, "400 Bad Request", "this is not the upload that has begun\n")
    try:
        digest = digest_of_file(folder, done) if done else hashlib.sha256(message.body).hexdigest()
    except OSError as error:
        print(f"cannot read the upload {done}: {error}", file=sys.stderr)
        return server.answer(message, "500 Internal Server Error", "the upload is lost\n")
    server.answer(message, "200 OK", f"{digest}\n")


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
