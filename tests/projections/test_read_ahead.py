"""When pages are read while those before them are being worked on (O3)."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from trunkline.eventstore.stream_reader import read_ahead


class Source:
    """Gives pages, and notes who has asked for them and whether it was closed."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self._count = count
        self._error = error
        self.read: list[int] = []
        self.closed = threading.Event()
        self.asked = threading.Semaphore(0)

    def pages(self) -> Generator[int, None, None]:
        try:
            for number in range(self._count):
                self.read.append(number)
                self.asked.release()
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.closed.set()


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_then_they_are_the_same_in_the_same_order(count: int) -> None:
    """O3: none is lost, none comes twice."""
    source = Source(count)
    assert list(read_ahead(source.pages())) == list(range(count))
    assert source.closed.is_set()


def test_then_one_is_read_while_the_one_before_it_is_worked_on_and_no_more() -> None:
    """O3: memory stays flat."""
    source = Source(5)
    reading = read_ahead(source.pages())
    assert next(reading) == 0
    for _ in range(2):
        source.asked.acquire()
    assert source.read == [0, 1]
    assert next(reading) == 1
    source.asked.acquire()
    assert source.read == [0, 1, 2]
    reading.close()  # type: ignore[attr-defined]


def test_then_whoever_goes_away_leaves_nothing_open() -> None:
    """O3: a fold that fails lets the snapshot go that the pages are read in."""
    source = Source(5)

    def fold() -> None:
        for page in read_ahead(source.pages()):
            raise ValueError(page)

    with pytest.raises(ValueError, match="0"):
        fold()
    assert source.closed.is_set()


def test_then_what_reading_raises_comes_in_its_place() -> None:
    """O3: after the pages before it."""
    found: list[int] = []
    with pytest.raises(OSError, match="gone"):
        found.extend(read_ahead(Source(2, OSError("gone")).pages()))
    assert found == [0, 1]
