"""The newest end of a log in memory, so that what was just committed need not be read again to be said.

It is a shortcut only: whoever follows the log takes from it what continues exactly where it stands, and reads the
store for everything else. Positions are handed out under the writers' lock, so a stretch without a gap is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Final, NamedTuple

from trunkline.eventstore.decider import Event
from trunkline.eventstore.recorded_event import EventMetadata

MOST: Final = 10_000
"""Events kept; a follower that is further behind reads the store."""


class CommittedEvent(NamedTuple):
    """One event as it was written."""

    stream_id: str
    version: int
    meta: EventMetadata
    event: Event


class RecentEvents:
    """Stretches of the log, by where they begin. Thread-safe."""

    def __init__(self) -> None:
        """Empty, and nobody takes from it yet."""
        self.wanted = False
        """Whether a follower takes from it; nothing is kept while none does."""
        self.end = 0
        """The highest position committed in this process."""
        self._guard = Lock()
        self._stretches: dict[int, Sequence[CommittedEvent]] = {}
        self._kept = 0

    def add(self, end: int, written: Sequence[CommittedEvent]) -> None:
        """Keep what a commit has written, the last of it at position `end`."""
        with self._guard:
            self.end = max(self.end, end)
            if not self.wanted:
                return
            if self._kept + len(written) > MOST:
                self._clear()
            self._stretches[end - len(written) + 1] = written
            self._kept += len(written)

    def take(self, after: int, most: int) -> list[CommittedEvent]:
        """What follows a position without a gap, about `most` events at a time; empty where it is not here."""
        found: list[CommittedEvent] = []
        with self._guard:
            while len(found) < most and (stretch := self._stretches.pop(after + len(found) + 1, None)) is not None:
                found += stretch
                self._kept -= len(stretch)
            if not found and self._stretches and max(self._stretches) <= after:
                self._clear()  # said already, from the store
        return found

    def clear(self) -> None:
        """Forget everything: somebody else follows the log, or it was followed by reading it."""
        with self._guard:
            self._clear()

    def _clear(self) -> None:
        self._stretches.clear()
        self._kept = 0
