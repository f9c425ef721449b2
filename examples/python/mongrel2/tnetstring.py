"""Netstrings, `5:hello,`, and tnetstrings, whose closing byte is a type: `2:12#`.  Bytes in, values out, and back.

Strings are bytes here; who knows that they are text decodes them.
"""

import re
from typing import Any, Tuple

DEPTH = 32  # how deep lists and dictionaries may nest

SIZE = re.compile(rb"([0-9]{1,9}):")
INTEGER = re.compile(rb"-?[0-9]{1,20}\Z")
TRUTHS = {b"true": True, b"false": False}


def split(data: bytes, start: int = 0) -> Tuple[bytes, bytes, int]:
    """What the netstring that begins at `start` holds, its closing byte, and where it ends."""
    size = SIZE.match(data, start)
    if not size:
        raise ValueError("a netstring does not begin with its size")
    end = size.end() + int(size[1])
    if end >= len(data):
        raise ValueError("a netstring is shorter than its size says")
    return data[size.end() : end], data[end : end + 1], end + 1


def netstring(data: bytes, start: int = 0) -> Tuple[bytes, int]:
    """What the netstring that begins at `start` holds, and where it ends."""
    inner, closing, end = split(data, start)
    if closing != b",":
        raise ValueError("a netstring does not end where its size says")
    return inner, end


def parse(data: bytes, start: int = 0, depth: int = 0) -> Tuple[Any, int]:
    """The value of the tnetstring that begins at `start`, and where it ends."""
    if depth > DEPTH:
        raise ValueError(f"a tnetstring nests deeper than {DEPTH}")
    inner, kind, end = split(data, start)
    if kind == b",":
        return inner, end
    if kind == b"#" and INTEGER.match(inner):
        return int(inner), end
    if kind == b"^":
        return float(inner), end
    if kind == b"!" and inner in TRUTHS:
        return TRUTHS[inner], end
    if kind == b"~" and not inner:
        return None, end
    if kind == b"]":
        return _values(inner, depth), end
    if kind == b"}":
        return _dictionary(_values(inner, depth)), end
    raise ValueError(f"{inner[:20]!r} is no tnetstring of the type {kind!r}")


def _values(data: bytes, depth: int) -> list:
    values, at = [], 0
    while at < len(data):
        value, at = parse(data, at, depth + 1)
        values.append(value)
    return values


def _dictionary(values: list) -> dict:
    names = values[::2]
    if len(values) % 2 or not all(isinstance(name, bytes) for name in names):
        raise ValueError("a dictionary is not of strings and values")
    return dict(zip(names, values[1::2]))


def render(value: Any) -> bytes:
    """A value as a tnetstring; a `str` as its UTF-8."""
    if isinstance(value, str):
        return _closed(value.encode(), b",")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _closed(bytes(value), b",")
    if isinstance(value, bool):
        return _closed(b"true" if value else b"false", b"!")
    if isinstance(value, int):
        return _closed(b"%d" % value, b"#")
    if isinstance(value, float):
        return _closed(repr(value).encode(), b"^")
    if value is None:
        return b"0:~"
    if isinstance(value, dict):
        return _closed(b"".join(render(name) + render(inner) for name, inner in value.items()), b"}")
    if isinstance(value, (list, tuple)):
        return _closed(b"".join(map(render, value)), b"]")
    raise TypeError(f"{type(value).__name__} is no type of tnetstrings")


def _closed(data: bytes, kind: bytes) -> bytes:
    return b"%d:%b%b" % (len(data), data, kind)
