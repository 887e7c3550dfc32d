"""How long to wait before the next try, and whether what one client talks to answers."""

from __future__ import annotations

import random
from typing import Final

from trunkline.availability import Availability

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


class Reach(Availability):
    """`Availability` of something that one client alone talks to."""

    @property
    def there(self) -> bool:
        """Whether it answered last."""
        return self.available

    def lost(self, why: object) -> None:
        """It does not answer; `why` is logged the first time."""
        self.mark_lost(why)

    def back(self) -> None:
        """It answers."""
        self.mark_restored()
