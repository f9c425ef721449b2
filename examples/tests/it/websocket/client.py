"""Talks with an echo: python3 client.py URL; ends with a traceback if something else comes back."""

import socket
import sys

from websockets.sync.client import connect

SECONDS = 120  # how long anything may take

# A length in the frame's second byte, in two more bytes, and in eight: the ends of each.
LENGTHS = [0, 1, 125, 126, 127, 18 * 1024, 65535, 65536, 100 * 1024]


def open_socket(**options):
    return connect(sys.argv[1], proxy=None, open_timeout=SECONDS, close_timeout=SECONDS, max_size=None, **options)


def expect(what, got, expected):
    if (type(got), got) != (type(expected), expected):
        raise AssertionError(f"{what}: {got!r:.200} instead of {expected!r:.200}")


def messages(client):
    for sent in ["Grüße", "", b"\x00\xff\x80", *("x" * size for size in LENGTHS), *(b"\xfe" * size for size in LENGTHS)]:
        client.send(sent)
        expect(f"{len(sent)} sent", client.recv(timeout=SECONDS), sent)


def fragments(client):
    client.send(["in ", "three ", "pieces"])
    expect("fragments of a text", client.recv(timeout=SECONDS), "in three pieces")
    client.send([b"\x01", b"", b"\x02"])
    expect("fragments of bytes", client.recv(timeout=SECONDS), b"\x01\x02")


def many(client):
    """More than one on its way."""
    for number in range(100):
        client.send(str(number))
    expect("many", [client.recv(timeout=SECONDS) for _ in range(100)], [str(number) for number in range(100)])


def pings(client):
    for data in [b"", bytes(range(100)), b"p" * 125]:
        expect(f"pong of {len(data)} bytes", client.ping(data).wait(SECONDS), True)


def closes(client, code, reason):
    client.close(code, reason)
    frames = client.protocol.close_sent, client.protocol.close_rcvd
    expect("close", [(frame.code, frame.reason) for frame in frames], [(code, reason)] * 2)
    expect("who closed first", client.protocol.close_rcvd_then_sent, False)


def subprotocol(chosen, *offered):
    with open_socket(subprotocols=offered) as client:
        expect(f"of {offered}", client.subprotocol, chosen)


def vanishes():
    """A client that leaves without a word; the server tells the handler."""
    client = open_socket()
    client.send("never read")
    client.socket.shutdown(socket.SHUT_RDWR)


vanishes()
client = open_socket()
for talk in [messages, fragments, pings, many]:
    talk(client)
expect("subprotocol without an offer", client.subprotocol, None)
closes(client, 1000, "")
closes(open_socket(), 1000, "done")
closes(open_socket(), 4321, "Grüße")
subprotocol("echo", "echo")
subprotocol("echo", "chat", "echo")
subprotocol(None, "echoes")
