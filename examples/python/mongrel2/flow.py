"""How many bytes may be on their way to a client (the setting download.flow_control).

A client for which more wait than the server holds loses its connection; so whoever has much to send waits here for what
was sent before to be written.
"""

import threading
from typing import Optional

PATIENCE = 300.0  # seconds without a byte written: the server has closed slower connections long before


class Gone(Exception):
    """The client has left."""


class Flow:
    """A connection's account."""

    def __init__(self, limit: Optional[int]) -> None:
        self.limit = limit  # bytes that the server takes before they are written; None without flow control
        self._waiting = 0  # bytes that it hasn't written yet
        self._is_gone = False
        self._changed = threading.Condition()

    def pass_on(self, size: int) -> None:
        """Waits until so many bytes may be sent.  Raises Gone if nobody wants them any more."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_gone or self._has_room(size), PATIENCE):
                self._is_gone = True
            if self._is_gone:
                raise Gone
            self._waiting += size

    def written(self, size: int) -> None:
        """The server has written so many bytes."""
        with self._changed:
            self._waiting = max(0, self._waiting - size)
            self._changed.notify_all()

    def end(self) -> None:
        """The connection is closed."""
        with self._changed:
            self._is_gone = True
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return self.limit is None or not self._waiting or self._waiting + size <= self.limit
