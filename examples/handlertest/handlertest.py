"""Tells what it was asked: python3 handlertest.py [REQUESTS_FROM REPLIES_TO] (send_spec and recv_spec)."""

import json
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "python"))

from mongrel2 import handler, request  # noqa: E402

SENDER_ID = "82209006-86ff-4982-b5ea-d1e29e55d481"

# A browser that took this for a page would run the scripts of whoever made the request.
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


def main(requests_from="tcp://127.0.0.1:9981", replies_to="tcp://127.0.0.1:9980"):
    conn = handler.Connection(SENDER_ID, requests_from, replies_to)
    while True:
        print("waits for a request", file=sys.stderr)
        req = conn.recv()
        if req.is_disconnect():
            print(f"{req.conn_id} has gone", file=sys.stderr)
        elif req.path == request.NOTICE:
            continue  # with download.flow_control the server also tells what it has written
        elif req.headers.get("Killme"):
            print(f"{req.conn_id} wants to be killed", file=sys.stderr)
            conn.reply(req, b"")
        else:
            conn.reply_http(req, page(req), headers=PLAIN)


def page(req):
    headers = json.dumps(req.headers, indent=2, ensure_ascii=False)
    return f"SENDER: {req.sender}\nIDENT: {req.conn_id}\nPATH: {req.path}\nHEADERS: {headers}\nBODY: {req.body!r}\n"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    main(*sys.argv[1:])
