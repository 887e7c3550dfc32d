"""How many files a service writes at one time, and how many of them for one party (T6)."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from typing import ClassVar, Final

from trunkline.errors import Refused
from trunkline.files.pieces import PrefetchedStream
from trunkline.shares import Shares

MOST_EXPORTS: Final = 4
MOST_EXPORTS_OF_PARTY: Final = 2
"""Of one partner or organization: whoever reads slowly leaves something to the others."""

BUSY: Final = {429: "too many exports of one party", 503: "too many exports at one time"}
"""What an operation that writes a file may answer."""


class ExportsBusy(Refused):
    """{count} exports are being written already, the most at one time; try again in a moment."""

    status: ClassVar[int] = 503


class PartyExportsBusy(Refused):
    """{most} exports of your party are being written already, the most of one party; try again in a moment."""

    status: ClassVar[int] = 429


class ExportSlots:
    """The slots of one service. Thread-safe."""

    def __init__(self) -> None:
        """Begin with all of them free."""
        self._all = threading.BoundedSemaphore(MOST_EXPORTS)
        self._shares = Shares(MOST_EXPORTS_OF_PARTY)

    def pieces(self, party_id: str | None, file: Iterator[bytes]) -> PrefetchedStream:
        """A file that has a slot from now until it is closed.

        Args:
            party_id: for whom it is written; None: for the platform, which has no share of its own.
            file: its pieces.

        Raises:
            ExportsBusy, PartyExportsBusy: as they say; and what making the first piece raises.
        """
        if party_id is not None:
            self._shares.take(party_id, PartyExportsBusy(most=self._shares.most))
        if not self._all.acquire(blocking=False):
            self._give_back(party_id)
            raise ExportsBusy(count=MOST_EXPORTS)
        return PrefetchedStream(self._held(party_id, file))

    def _held(self, party_id: str | None, file: Iterator[bytes]) -> Generator[bytes, None, None]:
        try:
            yield from file
        finally:
            self._all.release()
            self._give_back(party_id)

    def _give_back(self, party_id: str | None) -> None:
        if party_id is not None:
            self._shares.give_back(party_id)
