"""A large and varied inventory to search and export: partners, their organizations, and numbers in every state.

It is made of events, which the views themselves apply, page by page. Unlike `loaded.py`, which makes a log of one kind
of number, it leaves the log empty: nothing that searches or exports reads it, and a million numbers take a minute.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from bench.servers import Databases
from bench.speech import Ids
from trunkline.application import all_migrations
from trunkline.clock import DAY
from trunkline.eventstore.decider import Event
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import EventMetadata, RecordedEvent, stored_name
from trunkline.eventstore.schema import migrate
from trunkline.projections.builds import ProjectionBuilds, table_of
from trunkline.projections.runner import Projection, ProjectionRunner
from trunkline_numbers.domain.number.events import (
    Listing,
    NumberAdded,
    NumberAssigned,
    NumberBound,
    NumberDeleted,
    NumberLocked,
    NumberReserved,
)
from trunkline_numbers.domain.policy import ReservationCause
from trunkline_numbers.queries.filters import Scope
from trunkline_numbers.wiring import service as numbers_service

PAGE = 20_000
PARTNERS, ORGANIZATIONS = 20, 100
# country, calling code, digits after it, share of the numbers
COUNTRIES = (("SG", "65", 8, 40), ("GB", "44", 10, 20), ("US", "1", 10, 15), ("DE", "49", 11, 10), ("MY", "60", 9, 10),
             ("NZ", "64", 9, 3), ("IS", "354", 7, 2))  # fmt: skip
STATES = (("assigned", 55), ("available", 30), ("reserved", 10), ("locked", 3), ("deleted", 2))
ROUTES = tuple(f"route-{place}" for place in range(1, 21))


@dataclass
class Stock:
    """What is in it, for questions to name.

    Attributes:
        now: the instant at which it stands.
        partners: each with its organizations.
        samples: some numbers with all that was said of them.
    """

    now: datetime
    partners: dict[str, list[str]]
    samples: list[tuple[str, list[Event]]] = field(default_factory=list)

    def domain(self, partner: str) -> str:
        """A partner's portal."""
        return f"portal-{list(self.partners).index(partner)}.example"


@dataclass(frozen=True)
class Stocked:
    """A numbers database with so many numbers in its views."""

    url: str
    size: int
    stock: Stock

    def scopes(self) -> dict[str, Scope]:
        """What a reseller sees, and what one of its organizations does."""
        partner, organizations = next(iter(self.stock.partners.items()))
        domains = (self.stock.domain(partner),)
        return {
            "a partner": Scope((partner, *organizations), domains, ()),
            "an organization": Scope((organizations[0],), domains, (partner,)),
        }


def stocked(databases: Databases, size: int) -> Stocked:
    """Make a database."""
    ids, now, service = Ids(7), datetime(2026, 3, 1, tzinfo=UTC), numbers_service()
    stock = Stock(now, {ids(): [ids() for _ in range(ORGANIZATIONS)] for _ in range(PARTNERS)})
    url = databases.create()
    migrate(url, all_migrations(service))
    store = Store(url, service.codec())
    ProjectionRunner(store, service.views).prepare()
    views = [view for view in service.views if view.name in ("number_view", "listing_view")]
    lives = _numbers(stock, ids, size)
    applying: list[Future[None]] = []
    with ThreadPoolExecutor(len(views)) as pool:  # each view takes a page while the next one is drawn
        while page := list(islice(lives, PAGE)):
            flat = [event for life in page for event in life]
            for applied in applying:
                applied.result()
            applying = [pool.submit(_apply, store, view, flat) for view in views]
        for applied in applying:
            applied.result()
    store.close()
    databases.settle(url)
    return Stocked(url, size, stock)


def _apply(store: Store, view: Projection, page: Sequence[RecordedEvent]) -> None:
    active = ProjectionBuilds(store).one(view.name, "active")
    assert active is not None
    kept = page if view.names is None else [e for e in page if stored_name(type(e.event)) in view.names]
    with store.connection() as conn, conn.transaction():
        conn.execute(b"SET LOCAL synchronous_commit = off")
        view.apply(conn, table_of(active), kept)


def _numbers(stock: Stock, ids: Ids, size: int) -> Iterator[list[RecordedEvent]]:
    """The life of each number, as the log would have it."""
    chance = random.Random(3)
    lives = _Lives(stock, ids, chance)
    for country, code, length, share in COUNTRIES:
        digits = chance.sample(range(10 ** (length - 1), 10**length - 1), size * share // 100)
        for place, local in enumerate(sorted(digits)):
            number, life = f"+{code}{local}", lives.of(country)
            if place % 500 == 0:
                stock.samples.append((number, life))
            yield [_recorded(number, version, event) for version, event in enumerate(life, start=1)]


def _recorded(number: str, version: int, event: Event) -> RecordedEvent:
    return RecordedEvent(
        version, f"number/{number}", version, EventMetadata(event.at, event.at, "bench", "bench", "bench"), event
    )


class _Lives:
    """Draws what happens to a number: half are one partner's, most serve somebody."""

    def __init__(self, stock: Stock, ids: Ids, chance: random.Random) -> None:
        self._stock, self._ids, self._chance = stock, ids, chance
        self._partners = list(stock.partners)
        self._states = random.choices([s for s, _ in STATES], [w for _, w in STATES], k=100_000)

    def of(self, country: str) -> list[Event]:
        """All that happened to one number."""
        chance, stock = self._chance, self._stock
        partner = self._partners[min(chance.randrange(PARTNERS), chance.randrange(PARTNERS))]
        organization = chance.choice(stock.partners[partner])
        owned = chance.random()
        added = NumberAdded(
            at=stock.now - timedelta(minutes=chance.randrange(1_000, 1_500_000)),
            listing=self._listing(country, partner),
            uploader_id=partner if chance.random() < 0.4 else None,
            uploader_kind="partner",
            holder_id=partner if owned < 0.3 else organization if owned < 0.5 else None,
            holder_kind="partner" if owned < 0.3 else "organization",
        )
        return [added, *self._life(added.at, partner, organization)]

    def _listing(self, country: str, partner: str) -> Listing:
        chance = self._chance
        return Listing(
            country=country,
            sku=f"{country}-{min(chance.randrange(8), chance.randrange(8))}",
            vendor=f"{country} Carrier {min(chance.randrange(3), chance.randrange(3))}",
            voice=chance.random() < 0.97,
            sms=chance.random() < 0.35,
            fax=chance.random() < 0.08,
            routing=chance.choice(ROUTES) if chance.random() < 0.6 else None,
            golden=chance.random() < 0.01,
            ported_in=chance.random() < 0.05,
            domains=(self._stock.domain(partner),) if chance.random() < 0.3 else (),
        )

    def _life(self, added: datetime, partner: str, organization: str) -> list[Event]:
        chance, now = self._chance, self._stock.now
        at = added + (now - added) * chance.random()
        subscription, ends_at = self._ids(), now + 20 * DAY
        assigned = NumberAssigned(at=at, subscription_id=subscription, organization_id=organization)
        match chance.choice(self._states):
            case "assigned" if chance.random() < 0.7:
                bound = NumberBound(
                    at=at, kind="trunk", user_id=self._ids(), organization_id=organization, state="assigned"
                )
                return [assigned, bound]
            case "assigned":
                return [assigned]
            case "reserved" if chance.random() < 0.5:
                return [_reserved(at, organization, "manual", None, ends_at)]
            case "reserved":
                return [assigned, _reserved(at, organization, "expired", subscription, ends_at)]
            case "locked":
                return [NumberLocked(at=at, ends_at=ends_at, notice_at=None, remark="bench")]
            case "deleted":
                return [NumberDeleted(at=at, reason="other", remark="bench")]
            case _:
                return []


def _reserved(
    at: datetime, reserver: str, cause: ReservationCause, subscription: str | None, ends_at: datetime
) -> NumberReserved:
    return NumberReserved(
        at=at,
        reserver_id=reserver,
        reserver_kind="organization",
        cause=cause,
        ends_at=ends_at,
        free_ends_at=ends_at,
        subscription_id=subscription,
    )
