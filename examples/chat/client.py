"""Sits in the chat from a terminal, over a JSON socket: python3 client.py NAME [HOST PORT]"""

import base64
import json
import signal
import socket
import sys
import threading


def main(name, host="localhost", port="6767"):
    try:
        connection = socket.create_connection((host, int(port)))
    except OSError as error:
        sys.exit(f"cannot connect to {host} port {port}: {error}")
    send(connection, {"type": "join", "user": name})
    threading.Thread(target=show, args=[connection], daemon=True).start()
    for line in sys.stdin:
        if line.strip():
            send(connection, {"type": "msg", "msg": line.strip()})


def send(connection, word):
    """A message for the route @chat: JSON and a NUL."""
    connection.sendall(b"@chat " + json.dumps(word).encode() + b"\0")


def show(connection):
    with connection.makefile("rb") as stream:
        for word in words(stream):
            print(line(word), flush=True)
    print("* the server has closed the connection", flush=True)


def words(stream):
    """What comes from the server: base64 of JSON, and a NUL."""
    data = b""
    while piece := stream.read1(65536):
        *whole, data = (data + piece).split(b"\0")
        for message in whole:
            yield json.loads(base64.b64decode(message))


def line(word):
    """A word of the room's, which has nothing in it that would do something to a terminal."""
    kind = word.get("type")
    if kind == "msg":
        return f"{word['user']}: {word['msg']}"
    if kind == "userList":
        return f"* here are {', '.join(word['users'])}"
    if kind == "error":
        return f"* sorry: {word['error']}"
    return f"* {word.get('user')} has {'come' if kind == 'join' else 'left'}"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    if not 1 <= len(sys.argv[1:]) <= 3:
        sys.exit("usage: python3 client.py NAME [HOST PORT]")
    main(*sys.argv[1:])
