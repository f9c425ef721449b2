"""A terminal for the board: python3 client.py [HOST PORT]

It shows what it is sent and sends what is typed, and knows nothing else of boards.
"""

import base64
import getpass
import json
import signal
import socket
import sys


def main(host="localhost", port="6767"):
    try:
        connection = socket.create_connection((host, int(port)))
    except OSError as error:
        sys.exit(f"cannot connect to {host} port {port}: {error}")
    send(connection, "")
    with connection.makefile("rb") as stream:
        for word in words(stream):
            print(harmless(word.get("msg", "")), end="", flush=True)
            if word.get("type") == "exit":
                return
            line = ask(harmless(word.get("prompt", "")), word.get("hidden"))
            if line is None:
                return
            send(connection, line)
    sys.exit("the server has closed the connection")


def send(connection, line):
    """A message for the route @bbs: JSON and a NUL."""
    connection.sendall(b"@bbs " + json.dumps({"type": "msg", "msg": line}).encode() + b"\0")


def words(stream):
    """What comes from the server: base64 of JSON, and a NUL."""
    data = b""
    while piece := stream.read1(65536):
        *whole, data = (data + piece).split(b"\0")
        for message in whole:
            yield json.loads(base64.b64decode(message))


def ask(prompt, is_hidden):
    """What is typed; None at the end of the input."""
    if is_hidden and sys.stdin.isatty():
        return getpass.getpass(prompt)
    print(prompt, end="", flush=True)
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def harmless(text):
    """What a terminal may show."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in str(text))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
