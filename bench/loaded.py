"""An inventory of any size whose streams are copied into the log as the services would have written them.

Going through the intake takes a minute for 100,000 numbers; this takes half a minute for a million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import psycopg

from bench.servers import Databases
from bench.speech import Ids, heard
from bench.world import Subscription
from trunkline.application import all_migrations
from trunkline.clock import DAY
from trunkline.contracts import licensing
from trunkline.contracts.cloudevents.envelope import encode
from trunkline.eventstore.decider import Event
from trunkline.eventstore.recorded_event import EventMetadata, stored_name
from trunkline.eventstore.schema import migrate
from trunkline.messaging.records import IncomingRecord, OutgoingRecord
from trunkline_numbers.domain.number.events import Listing, NumberAdded, NumberAssigned, NumberReserved
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.party_replica import PARTY, PartyReceived
from trunkline_numbers.domain.subscription.events import SubscriptionReceived, SubscriptionServed
from trunkline_numbers.domain.subscription.subscription import SUBSCRIPTION
from trunkline_numbers.wiring import service as numbers_service

ORGANIZATIONS = 50
LISTING = Listing(country="SG", sku="SG-DID", vendor="Vendor", voice_carrier="default")
Row = tuple[str, int, str, bytes]


@dataclass(frozen=True)
class Loaded:
    """A numbers database with so many numbers, each with a subscription.

    Attributes:
        ends_at: when every reservation ends; None: all numbers are assigned.
    """

    url: str
    subscriptions: Sequence[Subscription]
    started_at: datetime
    ends_at: datetime | None

    @property
    def size(self) -> int:
        """How many numbers."""
        return len(self.subscriptions)

    def expired(self, count: int) -> list[IncomingRecord]:
        """Licensing says of the subscriptions spread evenly over the inventory that they expired yesterday."""
        at = datetime.now(UTC).replace(microsecond=0) - DAY
        step = self.size // count
        return heard((_said(s, self.started_at, at) for s in self.subscriptions[: count * step : step]), "loaded")


def load(databases: Databases, size: int, *, reserved: bool) -> Loaded:
    """Make a database.

    Args:
        databases: where.
        size: how many numbers.
        reserved: every subscription has expired, and every reservation ends at one instant; else all are active.
    """
    ids = Ids(11)
    started_at = (datetime.now(UTC) - timedelta(days=60)).replace(microsecond=0)
    partner, organizations = ids(), [ids() for _ in range(ORGANIZATIONS)]
    subscriptions = [
        Subscription(ids(), organizations[place % ORGANIZATIONS], f"+65{60_000_000 + place}") for place in range(size)
    ]
    ends_at = started_at + 57 * DAY if reserved else None
    url = databases.create()
    migrate(url, all_migrations(numbers_service()))
    write = _Writer(started_at)
    with psycopg.connect(url, autocommit=True) as conn:
        events = chain(write.parties(partner, organizations), write.lives(subscriptions, ends_at))
        log = "stored_events (originator_id, originator_version, topic, state)"
        _copy(conn, log, ("text", "int8", "text", "bytea"), events)
        if ends_at is not None:
            rows = ((NUMBER.stream(s.number), ends_at, 3) for s in subscriptions)
            _copy(conn, "deadlines (key, due_at, generation)", ("text", "timestamptz", "int8"), rows)
    databases.settle(url)
    return Loaded(url, subscriptions, started_at, ends_at)


def _copy(conn: psycopg.Connection[Any], table: str, types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with conn.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


class _Writer:
    """Streams as rows of the log."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._encode = numbers_service().codec().encode

    def parties(self, partner: str, organizations: Sequence[str]) -> Iterator[Row]:
        """One reseller and its customers."""
        emails: dict[str, Any] = {"owner_email": "owner@reseller.example", "support_email": "support@reseller.example"}
        reseller = PartyReceived(at=self._at, sequence=1, kind="partner", name="Reseller", **emails)
        yield from self._stream(PARTY.stream(partner), [reseller])
        for organization in organizations:
            email = "billing@customer.example"
            customer = PartyReceived(
                at=self._at, sequence=1, kind="organization", name="Customer", partner_id=partner, billing_email=email
            )
            yield from self._stream(PARTY.stream(organization), [customer])

    def lives(self, subscriptions: Sequence[Subscription], ends_at: datetime | None) -> Iterator[Row]:
        """Numbers that came, were assigned, and are reserved where there is an end; and their subscriptions."""
        at = self._at
        for s in subscriptions:
            life: list[Event] = [
                NumberAdded(at=at, listing=LISTING),
                NumberAssigned(at=at, subscription_id=s.id, organization_id=s.organization_id),
            ]
            if ends_at is not None:
                life.append(_reserved(s, at + DAY, ends_at))
            yield from self._stream(NUMBER.stream(s.number), life)
            had = SubscriptionReceived(
                at=at, sequence=1, organization_id=s.organization_id, product="number", status="active",
                started_at=at, number=s.number,
            )  # fmt: skip
            yield from self._stream(SUBSCRIPTION.stream(s.id), [had, SubscriptionServed(at=at, number=s.number)])

    def _stream(self, stream_id: str, events: Sequence[Event]) -> Iterator[Row]:
        for version, event in enumerate(events, start=1):
            meta = EventMetadata(event.at, event.at, "bench", "bench", "bench")
            yield stream_id, version, stored_name(type(event)), self._encode(meta, event)


def _reserved(s: Subscription, at: datetime, ends_at: datetime) -> NumberReserved:
    return NumberReserved(
        at=at, reserver_id=s.organization_id, reserver_kind="organization", cause="expired", subscription_id=s.id,
        ends_at=ends_at, free_ends_at=ends_at,
    )  # fmt: skip


def _said(s: Subscription, started_at: datetime, at: datetime) -> OutgoingRecord:
    contract = licensing.CONTRACTS["SubscriptionExpired"]
    after = licensing.SubscriptionExpired(
        subscription_id=s.id, organization_id=s.organization_id, product="number", reference=None, status="expired",
        started_at=started_at, expired_at=at, terminated_at=None, number=s.number, sku="SG-DID", swapped_out=(),
        license_code=None, quantity=None, plan_days=None, renewed_until=None,
    )  # fmt: skip
    headers, value = encode(
        contract, id=f"{s.id}-2", subject=s.id, time=at, sequence=2, correlation_id=s.id, causation_id=None, data=after
    )
    return OutgoingRecord(contract.topic, s.id.encode(), value, headers, 0)
