"""A page of the outbox: the records that a stretch of the log publishes, without the streams that are set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from trunkline.contracts.cloudevents.envelope import Contract, encode
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.failed_items import concerns_item
from trunkline.eventstore.recent_events import CommittedEvent
from trunkline.eventstore.recorded_event import RawRow, RecordedEvent, stored_name
from trunkline.messaging.records import OutgoingRecord

PAGE: Final = 1000
_NONE: Final[Mapping[str, int]] = {}


class PublishingService(Protocol):
    """The part of a service definition that publishing needs."""

    @property
    def name(self) -> str:
        """`licensing` or `numbers`."""
        ...

    @property
    def private(self) -> frozenset[str]:
        """The stored names that are never published, so that publishing need not read them."""
        ...

    @property
    def published(self) -> Callable[[RecordedEvent], tuple[Contract, Any] | None]:
        """A stored event -> the contract and the data that are published of it; None for a private one."""
        ...


class Page:
    """What a stretch of the log publishes.

    Attributes:
        end: the log position after it.
        outgoing: records to send.
        failures: stream id -> position of its first event that cannot be published, and why; the stream's later events
            are left out too.
    """

    __slots__ = ("end", "failures", "outgoing")

    def __init__(self, end: int) -> None:
        self.end = end
        self.outgoing: list[OutgoingRecord] = []
        self.failures: dict[str, tuple[int, Exception]] = {}


def read_page(
    store: Store, service: PublishingService, after: int, limit: int = PAGE, aside: Mapping[str, int] = _NONE
) -> Page | None:
    """The next page of what a service publishes after a log position; None at the log's end.

    Args:
        store: the service's store.
        service: its `published` decides what is published of an event.
        after: the position already sent.
        limit: most events of the log read at once.
        aside: stream id -> the position from which on it is set aside.
    """
    rows = store.read_log(after, limit)
    if not rows:
        return None
    private = service.private
    page = Page(rows[-1][0])
    for row in rows:
        if row[3] not in private and not _is_aside(page, aside, row[1], row[0]):
            _add_row(page, store, service, row)
    return page


def page_of(
    service: PublishingService,
    after: int,
    written: Sequence[CommittedEvent],
    aside: Mapping[str, int] = _NONE,
    epoch: int = 0,
) -> Page:
    """The same of what was just written in this process: it follows `after` without a gap, in one epoch."""
    private = service.private
    page = Page(after + len(written))
    for position, (stream_id, version, meta, event) in enumerate(written, start=after + 1):
        if stored_name(type(event)) not in private and not _is_aside(page, aside, stream_id, position):
            _add(page, service, RecordedEvent(position, stream_id, version, meta, event, epoch))
    return page


def stream_records(
    store: Store, service: PublishingService, stream_id: str, first: int, last: int
) -> Iterator[tuple[int, OutgoingRecord | None]]:
    """What one stream publishes between two log positions, one event after another, with its position.

    Raises what reading or publishing an event raises, when that event comes.
    """
    for row in store.read_stream_log(stream_id, first, last):
        record = None if row[3] in service.private else outgoing_record(service, store.event(row))
        yield row[0], record


def streams_at(store: Store, positions: Iterable[int]) -> dict[int, str]:
    """Log position -> the stream of the event there."""
    sql = "SELECT notification_id, originator_id FROM stored_events WHERE notification_id = ANY(%s)"
    return dict(store.fetch(sql, (list(positions),)))


def outgoing_record(service: PublishingService, event: RecordedEvent) -> OutgoingRecord | None:
    """What a service says of one event, as a record to send; None for what it keeps to itself."""
    contract_event = service.published(event)
    if contract_event is None:
        return None
    contract, data = contract_event
    subject = event.key
    headers, value = encode(
        contract,
        id=event.id,
        subject=subject,
        time=event.event.at,
        sequence=event.sequence,
        epoch=event.epoch,
        correlation_id=event.meta.correlation_id,
        causation_id=event.meta.causation_id,
        data=data,
    )
    return OutgoingRecord(contract.topic, subject.encode(), value, headers, event.position)


def _is_aside(page: Page, aside: Mapping[str, int], stream_id: str, position: int) -> bool:
    if not aside and not page.failures:
        return False
    return stream_id in page.failures or position >= aside.get(stream_id, position + 1)


def _add_row(page: Page, store: Store, service: PublishingService, row: RawRow) -> None:
    try:
        event = store.event(row)
    except Exception as error:  # noqa: BLE001 - `_fail` raises what is not the event's own
        _fail(page, row[1], row[0], error)
    else:
        _add(page, service, event)


def _add(page: Page, service: PublishingService, event: RecordedEvent) -> None:
    try:
        record = outgoing_record(service, event)
    except Exception as error:  # noqa: BLE001 - as above
        _fail(page, event.stream_id, event.position, error)
    else:
        if record is not None:
            page.outgoing.append(record)


def _fail(page: Page, stream_id: str, position: int, error: Exception) -> None:
    if not concerns_item(error):
        raise error
    page.failures[stream_id] = (position, error)
