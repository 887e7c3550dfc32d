"""The pieces of a file that is being made: the first one is made before anything is answered."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator


class PrefetchedStream(Iterator[bytes]):
    """Pieces of a file, the first of which is made at once; they can be done with from any thread.

    So what goes wrong at the beginning is still a problem, not a broken file.
    """

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        """Make the first piece; what its making raises, comes from here."""
        self._pieces, self._one_at_a_time = pieces, threading.Lock()
        self._first: bytes | None = next(pieces, b"")

    def __next__(self) -> bytes:
        with self._one_at_a_time:
            first, self._first = self._first, None
            return next(self._pieces) if first is None else first

    def close(self) -> None:
        """End it where it stands, and with it what it has taken."""
        with self._one_at_a_time:
            self._pieces.close()
