"""An application's answer on its way to the client: PEP 3333's `start_response` and `write`, and the framing of HTTP.

What is told to be an answer is one whole, or the connection is closed, so that half of it never looks complete.
"""

import re
from email.utils import formatdate
from typing import Any, Callable, List, Optional, Tuple
from wsgiref.util import is_hop_by_hop

from . import response

STATUS = re.compile(r"([2-9][0-9]{2})(?: (.*))?\Z")


class Answer:
    """The answer to one request; `send` takes the bytes, and `b""` for the end of the connection, `cut` resets it."""

    def __init__(
        self, send: Callable[[bytes], None], cut: Callable[[], None], method: str, version: str, keeps_open: bool
    ) -> None:
        self._send, self._cut = send, cut
        self._is_head = method == "HEAD"
        self._is_old = version == "HTTP/1.0"
        self._keeps_open = keeps_open
        self._code, self._phrase = 0, ""
        self._headers: List[Tuple[str, str]] = []
        self._length: Optional[int] = None  # as told
        self._size = 0  # bytes of the body so far
        self._is_chunked = False
        self.has_begun = False  # whether the head is on its way

    def start(self, status: str, headers: List[Tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        """WSGI's start_response."""
        try:
            if exc_info and self.has_begun:
                raise exc_info[1].with_traceback(exc_info[2])
            if self._code and not exc_info:
                raise RuntimeError("start_response is called again, without exc_info")
        finally:
            exc_info = None  # a frame that has itself as its traceback is never freed
        matched = STATUS.match(status)
        if not matched:
            raise ValueError(f"{status!r} is no status of an answer")
        for name, value in headers:
            if is_hop_by_hop(name):
                raise ValueError(f"{name!r} is the server's to set")
        self._code, self._phrase, self._headers = int(matched[1]), matched[2] or "", list(headers)
        self._length = content_length(self._headers)
        response.head(self._code, self._phrase, self._headers)  # raises for what can't be sent
        return self.write

    def write(self, data: bytes) -> None:
        """Sends a piece of the body, and the head before the first."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"an answer is made of bytes, not {type(data).__name__}")
        if len(data):
            self._write(bytes(data))

    def run(self, pieces: Any) -> None:
        """Sends all that an application has returned."""
        if self._length is None and not self.has_begun and isinstance(pieces, (list, tuple)):
            # It is all there: one message, and its length is known.
            data = b"".join(pieces)
            if data or self._has_body():
                self._length = len(data)
            pieces = [data]
        for piece in pieces:
            self.write(piece)
        self.finish()

    def finish(self) -> None:
        """The end of the body."""
        if not self.has_begun:
            self._begin(b"", is_all=True)
        elif self._is_chunked:
            self._send(b"0\r\n\r\n")
        if self._has_body() and self._length is not None and self._size < self._length:
            raise ValueError(f"the application has sent {self._size} bytes of {self._length}")
        if not self._is_framed():
            self._send(b"")

    def fail(self) -> None:
        """The application is broken: the client is told so, or else its connection is closed."""
        if self.has_begun:
            # Where the end of the connection is that of the answer, only a reset tells.
            return self._send(b"") if self._is_framed() else self._cut()
        self._code, self._phrase, self._headers = 500, "Internal Server Error", [("Content-Type", "text/plain")]
        text = b"The application has failed.\n"
        self._length, self._size = len(text), 0
        self._write(text)
        self.finish()

    def _write(self, data: bytes) -> None:
        excess = self._length is not None and self._size + len(data) > self._length
        if excess:
            data = data[: self._length - self._size]
        self._size += len(data)
        if not self.has_begun:
            self._begin(data)
        elif self._has_body() and data:
            self._send(self._chunk(data))
        if excess:
            raise ValueError(f"the application sends more than the {self._length} bytes that it has told of")

    def _begin(self, data: bytes, is_all: bool = False) -> None:
        if not self._code:
            raise RuntimeError("the application has not called start_response")
        if self._has_body() and self._length is None:
            if is_all:
                self._length = 0
            else:
                self._is_chunked = not self._is_old
        self.has_begun = True
        head = response.head(self._code, self._phrase, [*self._headers, *self._framing()])
        self._send(head + self._chunk(data) if self._has_body() else head)

    def _framing(self) -> List[Tuple[str, str]]:
        names = {name.lower() for name, _ in self._headers}
        fields = [] if "date" in names else [("Date", formatdate(usegmt=True))]
        if self._is_chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        elif self._length is not None and "content-length" not in names and self._code not in (204, 304):
            fields.append(("Content-Length", str(self._length)))
        if not self._is_framed():
            fields.append(("Connection", "close"))
        elif self._is_old and self._keeps_open:
            fields.append(("Connection", "keep-alive"))
        return fields

    def _chunk(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked and data else data

    def _has_body(self) -> bool:
        return not self._is_head and self._code not in (204, 304)

    def _is_framed(self) -> bool:
        """Whether the client sees where the answer ends."""
        return not self._has_body() or self._is_chunked or self._length is not None


def content_length(headers: List[Tuple[str, str]]) -> Optional[int]:
    """What an application tells of its answer's length; it may tell nothing."""
    told = {value.strip() for name, value in headers if name.lower() == "content-length"}
    if not told:
        return None
    (length,) = told if len(told) == 1 else ("",)
    if not (length.isascii() and length.isdigit()):
        raise ValueError(f"{', '.join(sorted(told))!r} is no Content-Length")
    return int(length)
