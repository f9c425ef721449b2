"""What goes to clients, as bytes: HTTP answers (RFC 9112) and WebSocket frames (RFC 6455)."""

import re
from http import HTTPStatus
from typing import Iterable, Mapping, Optional, Tuple, Union

Body = Union[str, bytes, bytearray, memoryview]
Fields = Union[Mapping[str, object], Iterable[Tuple[str, object]]]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10  # opcodes of frames
LONGEST_CONTROL = 125  # bytes in a close, ping or pong (RFC 6455, section 5.5)

NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def as_bytes(body: Body) -> bytes:
    """A `str` as UTF-8, with question marks for what has none; bytes as they are."""
    return body.encode(errors="replace") if isinstance(body, str) else bytes(body)


def http(
    body: Body, code: int = 200, status: Optional[str] = None, headers: Fields = (), is_head: bool = False
) -> bytes:
    """A whole answer.  Its Content-Length is added; one to HEAD, and one that can't have a body, gets none.

    Raises ValueError where a header would become something else on its way, or contradict the length.
    """
    data = as_bytes(body)
    bodiless = code < 200 or code in (204, 304)
    fields = _without(headers, "content-length")
    if any(name.lower() == "transfer-encoding" for name, _ in fields):
        raise ValueError("a whole answer has no Transfer-Encoding")
    if not bodiless:
        fields.append(("Content-Length", len(data)))
    answer = head(code, status, fields)
    return answer if is_head or bodiless else answer + data


def head(code: int, status: Optional[str] = None, headers: Fields = ()) -> bytes:
    """Status line and headers, with the empty line behind them."""
    if not 100 <= code <= 999:
        raise ValueError(f"{code} is no HTTP status")
    lines = [f"HTTP/1.1 {code} {phrase(code) if status is None else _checked(status)}"]
    for name, value in _pairs(headers):
        if not NAME.match(name):
            raise ValueError(f"{name!r} is no name of a header")
        lines.append(f"{name}: {_checked(str(value))}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def phrase(code: int) -> str:
    """What is customary behind a status; nothing behind one that isn't."""
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def frame(body: Body, opcode: Optional[int] = None, rsvd: int = 0) -> bytes:
    """A WebSocket frame with a whole message: a text if it is a `str`, unless the opcode says otherwise.

    Raises ValueError for a close, ping or pong that is too long.
    """
    if opcode is None:
        opcode = TEXT if isinstance(body, str) else BINARY
    data = as_bytes(body)
    size = len(data)
    if opcode & 8 and size > LONGEST_CONTROL:
        raise ValueError(f"a control frame has at most {LONGEST_CONTROL} bytes")
    first = 0x80 | (rsvd & 7) << 4 | opcode & 15
    if size < 126:
        return bytes([first, size]) + data
    if size < 65536:
        return bytes([first, 126]) + size.to_bytes(2, "big") + data
    return bytes([first, 127]) + size.to_bytes(8, "big") + data


def _pairs(headers: Fields) -> Iterable[Tuple[str, object]]:
    return headers.items() if isinstance(headers, Mapping) else headers


def _without(headers: Fields, name: str) -> list:
    return [pair for pair in _pairs(headers) if pair[0].lower() != name]


def _checked(text: str) -> str:
    if CONTROL.search(text):
        raise ValueError(f"{text!r} has control characters")
    return text
