"""What the server sends a handler: a request, a message of a socket, a piece of an upload, or a notice."""

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple, Union

from . import tnetstring

HEAD = re.compile(rb"([^ ]+) ([0-9]{1,20}) ([^ ]*) ")

NOTICE = "@*"  # the path of what the server itself has to say; no client can send it


class Headers(Dict[str, str]):
    """Headers by their names: the client's in lower case, the server's in upper case.

    A name with capitals and small letters finds the client's header: `headers["Content-Length"]`.  One in capitals
    finds only what the server has said, whatever clients send.  Of a header that came several times the values are
    joined, as RFC 9110, section 5.3, has it; `all` tells them apart.
    """

    def __init__(self, values: Dict[str, Union[str, List[str]]]) -> None:
        super().__init__()
        self._lists: Dict[str, List[str]] = {}
        for name, value in values.items():
            if isinstance(value, list):
                self._lists[name] = value
                value = ("; " if name == "cookie" else ", ").join(value)
            super().__setitem__(name, value)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(_spelling(name))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(_spelling(name))

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(_spelling(name), default)

    def all(self, name: str) -> List[str]:
        """Each value of a header; none if it didn't come."""
        name = _spelling(name)
        return self._lists.get(name) or ([super().__getitem__(name)] if name in self else [])


def _spelling(name: str) -> str:
    return name if name.isupper() else name.lower()


@dataclass
class Request:
    """A message of the server's; `data` is the JSON of a JSON socket's message or a notice, else empty."""

    sender: str  # the UUID that replies begin with
    conn_id: str
    path: str
    headers: Headers
    body: bytes
    data: Any

    @classmethod
    def parse(cls, message: bytes) -> "Request":
        """Raises ValueError for what is no message."""
        head = HEAD.match(message)
        if not head:
            raise ValueError("it does not begin with a UUID, an id and a path")
        headers, end = _headers(message, head.end())
        body, end = tnetstring.netstring(message, end)
        if end != len(message):
            raise ValueError("something follows its end")
        data = parse_json(body) if headers.get("METHOD") == "JSON" else {}
        sender, conn_id, path = (_text(part) for part in head.groups())
        return cls(sender, conn_id, path, headers, body, data)

    def is_notice(self, kind: str) -> bool:
        """Whether the server itself says so; a client's own word isn't taken for it."""
        return self.path == NOTICE and isinstance(self.data, dict) and self.data.get("type") == kind

    def is_disconnect(self) -> bool:
        """Whether this is the notice that the connection is gone."""
        return self.is_notice("disconnect")

    def should_close(self) -> bool:
        """Whether the client's connection ends with the answer.  The server sees to that; the handler need not."""
        options = [word.strip().lower() for word in self.headers.get("connection", "").split(",")]
        if self.headers.get("VERSION") == "HTTP/1.0":
            return "keep-alive" not in options
        return "close" in options


def parse_json(text: bytes) -> Any:
    """Raises ValueError for what is no JSON, or nests so deep that it can't be meant."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON nests too deep") from None


def _headers(message: bytes, start: int) -> Tuple[Headers, int]:
    inner, kind, end = tnetstring.split(message, start)
    if kind == b",":
        values = parse_json(inner)
    else:
        values, end = tnetstring.parse(message, start)
        values = _texts(values)
    if not isinstance(values, dict) or not all(map(_is_value, values.values())):
        raise ValueError("the headers are not names with strings")
    return Headers(values), end


def _texts(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, list):
        return [_texts(element) for element in value]
    if isinstance(value, dict):
        return {_text(name): _texts(inner) for name, inner in value.items()}
    return value


def _text(data: bytes) -> str:
    """As the server makes JSON of bytes: UTF-8, or else each byte is the character of that number."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _is_value(value: Any) -> bool:
    return isinstance(value, str) or isinstance(value, list) and all(isinstance(one, str) for one in value)
