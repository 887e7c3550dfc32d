"""Items that a loop could not do: set aside with their cause, retried with back-off, so that the others go on.

A loop that follows the log keeps one row for each stream, with the position of the first event that is not done; later
events of that stream wait behind it. Other loops keep one row for each of their items. Only the copy of a service that
runs a loop adds and settles its rows; operators change when a row is tried next, from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
import psycopg
import structlog

from trunkline.availability import is_unavailable
from trunkline.eventstore.event_store import CheckpointConflict, Connection, Store
from trunkline.eventstore.recorded_event import UnknownEvent
from trunkline.telemetry import FAILED_TRIES
from trunkline.text import storable

log = structlog.get_logger(__name__)

BACK_OFF: Final = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 900, 3600))
"""Between two tries of an item; the last one is repeated."""
KINDS: Final = (
    "relay", "follower", "projection", "deadlines", "uploads", "bulk", "states", "dead letters", "rebuild",
)  # fmt: skip
"""Every kind of loop that sets items aside: what stands before the first slash of its name."""
MOST: Final = 1_000
"""Items that one loop sets aside; beyond, it is the loop that fails."""
_CAUSE_CHARS: Final = 1_000

_COLUMNS = "loop, key, position, cause, tries, failed_at, last_try_at, next_try_at, status"
ADD: Final = (
    f"INSERT INTO failed_items ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'waiting')"
    " ON CONFLICT (loop, key) DO UPDATE SET position = EXCLUDED.position, cause = EXCLUDED.cause,"
    " tries = EXCLUDED.tries, last_try_at = EXCLUDED.last_try_at, next_try_at = EXCLUDED.next_try_at,"
    " status = EXCLUDED.status"
)
SETTLE: Final = "SELECT trunkline_settle_failed_item(%s, %s, %s, %s)"
"""Parameters: loop, key, expected position, the next one or null where all is done."""

Row = tuple[str, str, int, str, int, datetime, datetime, datetime]


class FailedItem(msgspec.Struct, frozen=True, gc=False):
    """One item as the table has it.

    Attributes:
        loop: such as `deadlines`, `follower/notices`, `projection/numbers_g1`.
        key: a stream, an upload, a dead letter: whatever the loop's items are.
        position: of the first event that is not done; the generation of a deadline; else 0.
        next_try_at: when it is tried again by itself; None once it is discarded.
    """

    loop: str
    key: str
    position: int
    cause: str
    tries: int
    failed_at: datetime
    last_try_at: datetime
    next_try_at: datetime | None
    status: Literal["waiting", "discarded"]


class TooManyFailedItems(Exception):
    """A loop has set aside as many items as it may: it is not the items that are at fault."""


def concerns_item(error: BaseException) -> bool:
    """Whether an exception may be one item's own fault, so that the others can go on without it.

    It is not where a server is away, where another copy was faster, where a newer release wrote the log, and where
    PostgreSQL reports damage.
    """
    return (
        isinstance(error, Exception)
        and not isinstance(error, CheckpointConflict | UnknownEvent | TooManyFailedItems)
        and not is_unavailable(error)
        and not is_corrupted(error)
    )


def is_corrupted(error: BaseException) -> bool:
    """Whether PostgreSQL reports that stored data is damaged."""
    return isinstance(error, psycopg.errors.DataCorrupted | psycopg.errors.IndexCorrupted)


def kind_of(loop: str) -> str:
    """One of `KINDS`."""
    return loop.partition("/")[0]


def cause_of(error: BaseException) -> str:
    """A failure as one line for operators."""
    lines = str(error).splitlines() or [""]
    return storable(f"{type(error).__name__}: {lines[0]}".rstrip(": "))[:_CAUSE_CHARS]


def new_row(loop: str, key: str, position: int, error: BaseException, now: datetime, before: FailedItem | None) -> Row:
    """The parameters of `ADD` for an item that has failed at `now`, once more where it failed `before`."""
    again = before is not None and before.position == position
    tries = before.tries + 1 if before is not None and again else 1
    first = before.failed_at if before is not None and again else now
    following = now + BACK_OFF[min(tries, len(BACK_OFF)) - 1]
    return (loop, key, position, cause_of(error), tries, first, now, following)


class FailedItems:
    """The items that one loop of one store has set aside. Used by the one copy of a service that runs the loop.

    They are kept in memory; as long as there are none, nothing is asked of the database.
    """

    def __init__(self, store: Store, now: Callable[[], datetime], loop: str) -> None:
        """Prepare; see `load`.

        Args:
            store: the service's.
            now: the service's clock.
            loop: its name in the table.
        """
        self._store = store
        self._now = now
        self.loop = loop
        self._items: dict[str, FailedItem] = {}

    @property
    def keys(self) -> list[str]:
        """What is set aside, waiting or discarded: the loop passes it over."""
        return list(self._items)

    @property
    def positions(self) -> dict[str, int]:
        """What is set aside, and from which position on."""
        return {key: item.position for key, item in self._items.items()} if self._items else {}

    def __bool__(self) -> bool:
        """Whether anything is set aside."""
        return bool(self._items)

    def __contains__(self, key: str) -> bool:
        """Whether an item is set aside."""
        return key in self._items

    def among(self, keys: Sequence[str]) -> list[str]:
        """Those of some keys that are set aside."""
        return [key for key in keys if key in self._items] if self._items else []

    def tries(self, key: str) -> int:
        """How often an item that is set aside has been tried."""
        return self._items[key].tries

    def load(self) -> None:
        """Read the items: at the start of each term of the loop."""
        rows = self._store.fetch(f"SELECT {_COLUMNS} FROM failed_items WHERE loop = %s", (self.loop,))
        self._items = {row[1]: FailedItem(*row) for row in rows}

    def due(self) -> list[FailedItem]:
        """What is to be tried now, the longest waiting first; read anew where there is anything."""
        if not self._items:
            return []
        self.load()
        now = self._now()
        found = [i for i in self._items.values() if i.next_try_at is not None and i.next_try_at <= now]
        return sorted(found, key=lambda item: (item.next_try_at, item.key))

    def row(self, key: str, error: BaseException, position: int = 0) -> Row:
        """The parameters of `ADD`, for whoever writes it in a transaction of its own; call `added` after the commit.

        Raises:
            TooManyFailedItems: the loop has `MOST` already.
        """
        if key not in self._items and len(self._items) >= MOST:
            msg = f"{self.loop} has set aside {MOST} items; it stops, since the fault cannot be in each of them"
            raise TooManyFailedItems(msg) from error
        return new_row(self.loop, key, position, error, self._now(), self._items.get(key))

    def added(self, row: Row) -> None:
        """A row of `row` is committed."""
        item = FailedItem(*row, "waiting")
        self._items[item.key] = item
        FAILED_TRIES.labels(kind_of(self.loop)).inc()
        log.warning("set aside", loop=self.loop, item=item.key, tries=item.tries, cause=item.cause)

    def add(self, key: str, error: BaseException, position: int = 0) -> None:
        """Set an item aside, in a transaction of its own. Raises psycopg.Error, TooManyFailedItems."""
        row = self.row(key, error, position)
        with self._store.connection() as conn:
            conn.execute(ADD.encode(), row)
        self.added(row)

    def add_again(self, item: FailedItem, error: BaseException, position: int | None = None) -> None:
        """Put one more failed try of an item on record, unless another copy has settled it meanwhile.

        Args:
            item: as it was before the try, or as far as the try has moved it.
            error: why it failed.
            position: of what failed, where that is not the item's own.
        """
        self.load()
        found = self._items.get(item.key)
        if found is not None and found.position == item.position:
            self.add(item.key, error, item.position if position is None else position)

    def settled(self, key: str) -> None:
        """An item is done, and its row was removed with it."""
        if self._items.pop(key, None) is not None:
            log.info("done after it had failed", loop=self.loop, item=key)

    def settle(self, item: FailedItem) -> None:
        """Remove the row of an item that is done, where it still is the one that was tried."""
        with self._store.connection() as conn:
            conn.execute(
                b"DELETE FROM failed_items WHERE loop = %s AND key = %s AND position = %s",
                (item.loop, item.key, item.position),
            )
        self.settled(item.key)

    def ready(self, items: Sequence[str]) -> list[str]:
        """Those of a loop's present items that are to be tried: the sound ones, and those whose next try is due.

        What is set aside and no longer among the present items is forgotten.
        """
        if not self._items:
            return list(items)
        due = {item.key for item in self.due()}
        for key in self._items.keys() - set(items):
            self.settle_key(key)
        return [key for key in items if key not in self._items or key in due]

    @contextmanager
    def attempt(self, key: str) -> Iterator[None]:
        """Try one item in the block: its own failure sets it aside, its success settles it.

        Raises what no item is to blame for.
        """
        try:
            yield
        except Exception as error:
            if not concerns_item(error):
                raise
            self.add(key, error)
        else:
            if key in self._items:
                self.settle_key(key)

    def settle_key(self, key: str) -> None:
        """Remove the row of an item that was done in another way than by a try of the loop, if there is one."""
        with self._store.connection() as conn:
            conn.execute(b"DELETE FROM failed_items WHERE loop = %s AND key = %s", (self.loop, key))
        self.settled(key)


def failed_streams(conn: Connection, loops: Sequence[str]) -> dict[str, dict[str, FailedItem]]:
    """Loop -> key -> item, read within a transaction."""
    rows = conn.execute(f"SELECT {_COLUMNS} FROM failed_items WHERE loop = ANY(%s)".encode(), (list(loops),))
    found: dict[str, dict[str, FailedItem]] = {}
    for row in rows.fetchall():
        item = FailedItem(*row)
        found.setdefault(item.loop, {})[item.key] = item
    return found


def failed_items_page(
    store: Store,
    limit: int,
    after: tuple[datetime, str, str] | None = None,
    loop: str | None = None,
    status: str | None = None,
) -> list[FailedItem]:
    """What is set aside, the oldest first.

    Args:
        store: the service's.
        limit: how many at most.
        after: (failed_at, loop, key) of the last one already seen.
        loop: only that loop's.
        status: only those in this status.
    """
    where, params = ["true"], list[object]()
    if after is not None:
        where.append("(failed_at, loop, key) > (%s, %s, %s)")
        params += after
    for column, value in (("loop", loop), ("status", status)):
        if value is not None:
            where.append(f"{column} = %s")
            params.append(value)
    rows = store.fetch(
        f"SELECT {_COLUMNS} FROM failed_items WHERE {' AND '.join(where)} ORDER BY failed_at, loop, key LIMIT %s",
        (*params, limit),
    )
    return [FailedItem(*row) for row in rows]


def failed_item_counts(store: Store) -> dict[str, int]:
    """Loop -> how many items wait to be tried again; loops without any are left out."""
    return dict(store.fetch("SELECT loop, count(*) FROM failed_items WHERE status = 'waiting' GROUP BY loop"))
