"""How long to wait before the next try, and saying once that something is away and once that it is back."""

from __future__ import annotations

import random
from typing import Final

import structlog

log = structlog.get_logger(__name__)

FIRST: Final = 0.05
MOST: Final = 5.0
_draw: Final = random.SystemRandom().uniform


class Backoff:
    """Pauses in seconds: each about twice the one before it, up to a limit, and never the same for two copies."""

    def __init__(self, first: float = FIRST, most: float = MOST) -> None:
        """Begin with about `first` seconds and stay below `most`."""
        self._first = first
        self._most = most
        self._next = first

    def pause(self) -> float:
        """The next pause, between half of its size and all of it, so that many copies do not come in step."""
        size, self._next = self._next, min(self._next * 2, self._most)
        return _draw(size / 2, size)

    def reset(self) -> None:
        """Begin anew: a try has succeeded."""
        self._next = self._first


class Reach:
    """Whether something outside answers. Each change is logged once, however often it is tried between them."""

    def __init__(self, what: str) -> None:
        """Watch over `what`, named as it is to appear in the log; it counts as there until it is lost."""
        self._what = what
        self._why: str | None = None

    @property
    def there(self) -> bool:
        """Whether it answered last."""
        return self._why is None

    def lost(self, why: object) -> None:
        """It does not answer; `why` is logged the first time."""
        if self._why is None:
            self._why = str(why) or type(why).__name__
            log.warning("out of reach; trying again until it is back", what=self._what, why=self._why)

    def back(self) -> None:
        """It answers."""
        if self._why is not None:
            self._why = None
            log.info("in reach again", what=self._what)
