"""What a number was, and what became of it, as far as an asker may know (N13, P2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import RecordedEvent, recorded
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.security.authorization import Resource, authorize, visible
from trunkline_numbers.api.number_schemas import Happened, shown_event
from trunkline_numbers.application.visibility import Visibility, parties_of
from trunkline_numbers.domain.number.evolution import evolve
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number


def events_of(store: Store, key: str) -> Iterator[RecordedEvent]:
    """Everything that was written down of a number, in order."""
    for stream_id, version, name, state in store.read_streams([NUMBER.stream(key)]):
        yield recorded(store.codec, (0, stream_id, version, name, state))


def number_at(uow: UnitOfWork, key: str, at: datetime) -> Number:
    """The number after all that occurred at or before an instant.

    Args:
        uow: the number is in hand there, with what fell due and no timer has recorded yet.
        key: the number.
        at: the instant.
    """
    n = NUMBER.initial(key)
    stored = ((event.event, event.meta) for event in events_of(uow.store, key))
    for event, meta in (*stored, *uow.get(NUMBER, key).new):
        if meta.occurred_at > at:
            break
        n = evolve(n, event)
    return n


@dataclass(frozen=True)
class NumberHistory:
    """What an asker may know of a number's past.

    Attributes:
        happened: every event while it was, or thereby came or went, in the asker's sight.
        since: from when on it has been in sight, or was when it was last; of what was before there may be gaps.
    """

    happened: list[Happened]
    since: datetime | None


def past_of(store: Store, key: str, visibility: Visibility) -> NumberHistory:
    """Read a number's past through an asker's eyes (P2).

    Raises:
        NumberUnknown: it never was in the asker's branch, and is not in its sight.
        NotAllowed, ScopeMissing: the asker reads no numbers.
    """
    n = NUMBER.initial(key)
    happened: list[Happened] = []
    since: datetime | None = None
    seen = owned = False
    for event in events_of(store, key):
        was_seen, n = seen, evolve(n, event.event)
        seen = visible(visibility.branch, visibility.number(n))
        since = event.meta.occurred_at if seen and not was_seen else since
        owned = owned or (n.state != "absent" and visibility.branch.holds_any(parties_of(n)))
        if (seen or was_seen) and (shown := shown_event(event, n, visibility)) is not None:
            happened.append(shown)
    resource = visibility.number(n)
    if owned and not seen:  # it was in the branch once: what happened then stays known there
        resource = Resource(resource.unknown, offered=True)
    authorize(visibility.branch, "see numbers", resource)
    return NumberHistory(happened, since)
