"""How much each of several callers has of something at once, within a bound (T6)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from trunkline.errors import Refused


class Shares:
    """How much each of several has of something at once. Thread-safe."""

    def __init__(self, most: int) -> None:
        """Bound each one's share."""
        self.most = most
        self._lock = threading.Lock()
        self._taken: Counter[Hashable] = Counter()

    def take(self, who: Hashable, refused: Refused, amount: int = 1) -> None:
        """Take some. Raises `refused` where that is more than the share."""
        with self._lock:
            if self._taken[who] + amount > self.most:
                raise refused
            self._taken[who] += amount

    def give_back(self, who: Hashable, amount: int = 1) -> None:
        """Give back what was taken."""
        with self._lock:
            self._taken[who] -= amount
            if not self._taken[who]:
                del self._taken[who]

    @contextmanager
    def held(self, who: Hashable, refused: Refused, amount: int = 1) -> Iterator[None]:
        """Have some for the block."""
        self.take(who, refused, amount)
        try:
            yield
        finally:
            self.give_back(who, amount)
