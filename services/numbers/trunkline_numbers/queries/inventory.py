"""The numbers, to be searched page by page (N11).

`search.py` explains how one page is found.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from trunkline.eventstore.event_store import Connection, Store
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.queries.filters import Conditions
from trunkline_numbers.queries.page_window import Slice
from trunkline_numbers.queries.row_estimates import Sample
from trunkline_numbers.queries.search import Search, Total

SAMPLES: Final = 500
"""So many searches are remembered, with the sample of each."""
_read: Final = msgspec.msgpack.Decoder(Number).decode


@dataclass(frozen=True)
class Found:
    """One number found, and its version."""

    number: Number
    version: int


class Inventory:
    """All numbers, to be searched.

    For the pages after the first it keeps the first one's sample: it only decides which way is the shorter
    one, so that it may be old or forgotten.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._samples: OrderedDict[bytes, Sample] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def first_page(self, conditions: Conditions, part: Slice) -> tuple[list[Found], Total]:
        """At most `limit + 1` numbers, and how many there are.

        The estimate is taken from rows that meet the conditions, the principal's branch among them: it shows nothing of
        what others have (P2).
        """
        with _connection(self._store) as conn:
            search = Search(conn, conditions, part)
            sample = search.sample()
            self._keep(_name(conditions, part), sample)
            rows, total = search.first(sample)
            return _found(rows), total

    def next_page(self, conditions: Conditions, part: Slice, total: Total) -> list[Found]:
        """A page after the first; `total` as the first one gave it."""
        name = _name(conditions, part)
        with _connection(self._store) as conn:
            search = Search(conn, conditions, part)
            if (sample := self._kept(name)) is None:
                self._keep(name, sample := search.sample())
            return _found(search.next(sample, counted=total.is_ == "exact"))

    def _kept(self, name: bytes) -> Sample | None:
        with self._one_at_a_time:
            if name in self._samples:
                self._samples.move_to_end(name)
            return self._samples.get(name)

    def _keep(self, name: bytes, sample: Sample | None) -> None:
        with self._one_at_a_time:
            self._samples.pop(name, None)
            if sample is not None:
                self._samples[name] = sample
            if len(self._samples) > SAMPLES:
                self._samples.popitem(last=False)


def _name(conditions: Conditions, part: Slice) -> bytes:
    """What a sample is of: a branch may be long."""
    return hashlib.blake2b(repr((conditions, part.upto)).encode(), digest_size=16).digest()


_SETTINGS: Final = (
    b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;"
    b" SET LOCAL random_page_cost = 1.1; SET LOCAL work_mem = '16MB';"
    b" SET LOCAL cursor_tuple_fraction = 1;"  # what a cursor may leave unread it does not plan to
    # Joined along the numbers' order and as it is written: what is hashed or sorted first is read to its end.
    b" SET LOCAL join_collapse_limit = 1; SET LOCAL enable_hashjoin = off; SET LOCAL enable_sort = off;"
    b" SET LOCAL max_parallel_workers_per_gather = 0"  # the other cores have other work
)


@contextmanager
def _connection(store: Store) -> Iterator[Connection]:
    """A snapshot that is planned for as if most of what is read were in memory: an index is then worth its price."""
    with store.connection() as conn, conn.transaction():
        conn.execute(_SETTINGS)
        yield conn


def _found(rows: Sequence[Any]) -> list[Found]:
    return [Found(_read(folded), version) for _, version, folded in rows]
