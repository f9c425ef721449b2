"""A request as WSGI's `environ` (PEP 3333).  What a client has sent can't be taken for what the server knows."""

import sys
from typing import Any, BinaryIO, Dict, Optional, Tuple
from urllib.parse import unquote_to_bytes

from .request import Headers, Request

PORTS = {"http": "80", "https": "443"}

# Headers that have a place of their own, and one that HTTP libraries take for the address of a proxy to use.
OTHERWISE = {"content-type", "content-length", "proxy"}


def environ(req: Request, body: BinaryIO, length: Optional[int], prefix: Optional[str] = None) -> Dict[str, Any]:
    """The environ of a request whose body can be read from `body`.

    `length` is the length of the body, None without one.  `prefix` is what the path begins with that isn't the
    application's to see; if it is None, the path of the route.
    """
    headers = req.headers
    scheme = headers.get("URL_SCHEME", "http")
    script, path = split_path(req.path, pattern_prefix(headers.get("PATTERN", "")) if prefix is None else prefix)
    name, port = host(headers.get("host", ""), PORTS.get(scheme, "80"))
    values: Dict[str, Any] = {
        "REQUEST_METHOD": headers.get("METHOD", "GET"),
        "SCRIPT_NAME": unquote_to_bytes(script).decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": _native(headers.get("QUERY", "")),
        "REQUEST_URI": _native(headers.get("URI", req.path)),
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": headers.get("VERSION", "HTTP/1.1"),
        "REMOTE_ADDR": headers.get("REMOTE_ADDR", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "mongrel2.request": req,
    }
    if scheme == "https":
        values["HTTPS"] = "on"
    if length is not None:
        values["CONTENT_LENGTH"] = str(length)
    if "content-type" in headers:
        values["CONTENT_TYPE"] = _native(headers["content-type"])
    return {**values, **client_headers(headers)}


def client_headers(headers: Headers) -> Dict[str, str]:
    """The client's headers by their names in an environ.

    One with `_` in its name would pass for the one with `-` there, and is left out.
    """
    names = [name for name in headers if not name.isupper() and "_" not in name and name not in OTHERWISE]
    return {f"HTTP_{name.upper().replace('-', '_')}": _native(headers[name]) for name in names}


def pattern_prefix(pattern: str) -> str:
    """The path of a route, if it is one and not a pattern."""
    return "" if "(" in pattern or not pattern.startswith("/") else pattern


def split_path(path: str, prefix: str) -> Tuple[str, str]:
    """A path as what is behind the prefix, and what is the prefix: at a slash, or nowhere."""
    prefix = prefix.rstrip("/")
    if path == prefix or path.startswith(prefix + "/"):
        return prefix, path[len(prefix) :]
    return "", path


def host(field: str, port: str) -> Tuple[str, str]:
    """The name and the port of a Host header: `a.b:80`, `[::1]:80`."""
    name, colon, number = field.rpartition(":")
    if colon and number.isascii() and number.isdigit():
        return name or "localhost", number
    return field.rstrip(":") or "localhost", port


def _native(text: str) -> str:
    """Text as WSGI has it: each character is a byte of that number."""
    return text.encode().decode("latin-1")
