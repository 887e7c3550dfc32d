"""A stretch of history onto topics again: under the same ids, in order, no faster than is asked for (O4).

Whoever heard it before sees what they have seen: our own services change nothing by it, others know the id and the
sequence. Nothing else follows from it: no command, no mail, no position of anybody's moves.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from trunkline.eventstore.event_store import Store
from trunkline.eventstore.history import stream_rows
from trunkline.eventstore.recorded_event import RawRow, RecordedEvent
from trunkline.messaging.kafka.client import KafkaSettings
from trunkline.messaging.outbox_page import PublishingService
from trunkline.messaging.outbox_relay import FOLLOWER, outgoing_record
from trunkline.messaging.records import OutgoingRecord

PAGE: Final = 1_000
SKEW: Final = timedelta(minutes=10)
"""How far the clocks of a service's copies may be apart, for finding an instant in the log."""

_PARTS_A_SECOND: Final = 10

SendPage = Callable[[Sequence[OutgoingRecord]], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


class LogRange(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are meant; all that is given must hold.

    Attributes:
        first, last: positions in the service's log, both included.
        since, until: when they were recorded, both included.
        stream: only the events of this stream, such as `number/+6512345678`.
        topics: only what is said on these topics; None: on any.
    """

    first: int = 1
    last: int
    since: datetime | None = None
    until: datetime | None = None
    stream: str | None = None
    topics: frozenset[str] | None = None

    @property
    def is_all_from_the_first(self) -> bool:
        """Whether nothing up to `last` is left out."""
        filters = (self.since, self.until, self.stream, self.topics)
        return self.first <= 1 and all(given is None for given in filters)

    def meant(self, event: RecordedEvent) -> bool:
        """Whether an event lies within positions and instants."""
        at = event.meta.recorded_at
        return (
            self.first <= event.position <= self.last
            and (self.since is None or self.since <= at)
            and (self.until is None or at <= self.until)
        )


class RepublishResult(msgspec.Struct, frozen=True):
    """How far it is.

    Attributes:
        position: of the log, up to which everything that is meant has been sent and is safe.
        events: how many that were.
        topics: the same for each of their own topics.
    """

    position: int
    events: int
    topics: dict[str, int]


class Page(msgspec.Struct, frozen=True):
    """What is to be sent up to a position of the log."""

    end: int
    outgoing: list[OutgoingRecord]


def published_up_to(store: Store) -> int:
    """The log position up to which history was published at all: what follows is on its way by itself."""
    return store.positions(FOLLOWER).get(FOLLOWER, 0)


def history_published(store: Store, kafka: KafkaSettings, last: int) -> None:
    """Events that were committed before the broker was there are on its topics now, up to a log position (X1)."""
    with store.connection() as conn:
        conn.execute(
            b"UPDATE brokers SET missing_up_to = 0 WHERE topic_prefix = %s AND missing_up_to <= %s",
            (kafka.topic_prefix, last),
        )


def pages(store: Store, service: PublishingService, stretch: LogRange, most: int = PAGE) -> Iterator[Page]:
    """What a stretch says, in the order of the log.

    Args:
        store: the service's.
        service: whose events they are.
        stretch: which of them.
        most: events of the log that are looked at for one page.
    """
    for end, rows in _read(store, stretch, most):
        events = (store.event(row) for row in rows if row[3] not in service.private)
        records = (
            one for event in events if stretch.meant(event) and (one := outgoing_record(service, event)) is not None
        )
        yield Page(end, [o for o in records if stretch.topics is None or o.topic in stretch.topics])


def _read(store: Store, stretch: LogRange, most: int) -> Iterator[tuple[int, list[RawRow]]]:
    """What may lie in a stretch, page by page, each with the position up to which nothing is left."""
    if stretch.stream is not None:
        rows = stream_rows(store, stretch.stream)
        yield from ((part[-1][0], part) for start in range(0, len(rows), most) if (part := rows[start : start + most]))
        return
    after, last = stretch.first - 1, stretch.last
    if stretch.since is not None:
        after = max(after, position_before(store, stretch.since - SKEW))
    if stretch.until is not None:
        last = min(last, position_before(store, stretch.until + SKEW))
    while after < last and (rows := store.read_log(after, most)):
        after = min(last, rows[-1][0])
        yield after, rows


def position_before(store: Store, instant: datetime) -> int:
    """The log position of the last event that was recorded at an instant or before it; 0: there is none.

    Exact where the clocks of all copies agree; where they do not, off by as much as they are apart.
    """
    low, high = 0, store.end_of_log()
    while low < high:
        middle = (low + high) // 2
        rows = store.read_log(middle, 1)
        if rows and store.event(rows[0]).meta.recorded_at <= instant:
            low = rows[0][0]
        else:
            high = middle
    return low


async def republish(
    found: Iterator[Page], send_page: SendPage, rate: int, clock: Callable[[], float], sleep: Sleep
) -> AsyncIterator[RepublishResult]:
    """Send what pages hold; how far it is, after each part that is safe.

    Args:
        found: the pages; they are read in a thread.
        send_page: delivers in order and returns once it is safe.
        rate: most events a second, counted from the first one on; up to a tenth of a second's share goes at once.
        clock: seconds that never go back.
        sleep: waits for so many seconds.
    """
    begun = clock()
    count = 0
    topics: Counter[str] = Counter()
    share = max(1, min(PAGE, rate // _PARTS_A_SECOND))
    while (page := await asyncio.to_thread(next, found, None)) is not None:
        for start in range(0, len(page.outgoing), share):
            part = page.outgoing[start : start + share]
            if (early := begun + count / rate - clock()) > 0:
                await sleep(early)
            await send_page(part)
            count += len(part)
            topics.update(o.topic for o in part)
            yield RepublishResult(part[-1].position, count, dict(topics))
        yield RepublishResult(page.end, count, dict(topics))
