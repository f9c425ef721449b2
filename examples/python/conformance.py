"""The library as `m2sh conformance handler` tries it: for each path of a request one thing is done.

    m2sh conformance handler -- python3 conformance.py

The two addresses come last.  The manual has what each path is to do: `m2sh conformance`, libraries for handlers.
"""

import json
import sys
from typing import Any, Callable, Dict

from mongrel2 import handler, response
from mongrel2.request import Request

conn = handler.Connection("conformance", *sys.argv[1:])


def understood(req: Request) -> None:
    conn.reply_json(
        req,
        {
            "server": req.sender,
            "id": req.conn_id,
            "path": req.path,
            "method": req.headers.get("METHOD"),
            "headers": req.headers,
            "bytes": len(req.body),
        },
    )


def notice(req: Request) -> None:
    """What the server says of a connection is told the next one."""
    others = [int(req.conn_id) + 1]
    if req.is_disconnect():
        conn.deliver_json(req.sender, others, {"type": "disconnect"})
    elif req.is_notice("credits"):
        written = int(req.headers["DOWNLOAD_CREDITS"])
        conn.deliver_json(req.sender, others, {"type": "credits", "bytes": written})


def upload(req: Request) -> None:
    start, done = (req.headers.get(f"x-mongrel2-upload-{what}") for what in ("start", "done"))
    if done is not None:
        if done != start:
            raise ValueError("no client can name a file")
        conn.reply(req, done)
    elif start is None:
        piece(req)


def piece(req: Request) -> None:
    offset = int(req.headers["UPLOAD_STREAM"])
    if "UPLOAD_STREAM_DONE" in req.headers:
        conn.reply(req, str(offset + len(req.body)))
    else:
        conn.credits(req, len(req.body))


def http(req: Request) -> None:
    wanted = json.loads(req.body)
    conn.reply_http(req, wanted["body"], wanted["status"], headers=wanted["headers"])


def deliver(req: Request, send: Callable[..., None], *names: str) -> None:
    wanted = json.loads(req.body)
    send(req.sender, wanted["ids"], *(wanted[name] for name in names))


def deliver_http(uuid: str, idents: list, body: str, code: int, headers: Dict[str, str]) -> None:
    conn.deliver_http(uuid, idents, body, code, headers=headers)


CALLS: Dict[str, Callable[[Request], Any]] = {
    "@*": notice,
    "@json": lambda req: conn.reply_json(req, req.data),
    "/reply": lambda req: conn.reply(req, req.body),
    "/close": conn.close,
    "/request": understood,
    "/http": http,
    "/http/body": lambda req: conn.reply_http(req, req.body),
    "/accept": conn.accept_websocket,
    "/accept/chat": lambda req: conn.accept_websocket(req, "chat"),
    "/text": lambda req: conn.reply_websocket(req, req.body.decode()),
    "/binary": lambda req: conn.reply_websocket(req, req.body),
    "/ping": lambda req: conn.reply_websocket(req, req.body, response.PING),
    "/pong": lambda req: conn.reply_websocket(req, req.body, response.PONG),
    "/end": lambda req: conn.reply_websocket(req, (1000).to_bytes(2, "big") + b"bye", response.CLOSE),
    "/deliver": lambda req: deliver(req, conn.deliver, "body"),
    "/deliver/http": lambda req: deliver(req, deliver_http, "body", "status", "headers"),
    "/deliver/json": lambda req: deliver(req, conn.deliver_json, "value"),
    "/deliver/websocket": lambda req: deliver(req, conn.deliver_websocket, "body"),
    "/deliver/close": lambda req: deliver(req, conn.deliver_close),
    "/keep-alive": conn.keep_alive,
    "/credits": lambda req: conn.credits(req, int(req.body)),
    "/cancel": conn.cancel,
    "/sendfile": lambda req: conn.sendfile(req, req.body.decode()),
    "/upload": upload,
}

while True:
    req = conn.recv()
    try:
        CALLS.get(req.path, lambda req: conn.reply(req, "unsupported"))(req)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        conn.reply(req, f"refused: {error}")
