"""An inventory that both services know: parties, numbers, and active subscriptions that have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench.servers import Databases
from bench.speech import Ids, billed, heard, party
from trunkline.application import all_migrations
from trunkline.clock import DAY
from trunkline.contracts import billing, parties
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.schema import migrate
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.outbox_relay import FOLLOWER, read_page
from trunkline.messaging.records import IncomingRecord, OutgoingRecord
from trunkline.projections.runner import ProjectionRunner
from trunkline.service_definition import ServiceDefinition
from trunkline_licensing.wiring import service as licensing_service
from trunkline_numbers.domain.number import operator_commands
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.policy import DEFAULT
from trunkline_numbers.wiring import service as numbers_service

BATCH = 1_000
ORGANIZATIONS = 50


@dataclass(frozen=True)
class Subscription:
    """One subscription of the inventory."""

    id: str
    organization_id: str
    number: str


@dataclass
class World:
    """Two prepared databases, to be copied, and what is in them.

    Attributes:
        licensing_url, numbers_url: nobody is connected to them.
        subscriptions: active ones, each with a number.
        started_at: of all of them.
    """

    licensing_url: str
    numbers_url: str
    subscriptions: Sequence[Subscription]
    started_at: datetime
    ids: Ids = field(default_factory=lambda: Ids(2))

    def expiries(self, chosen: Sequence[Subscription]) -> list[OutgoingRecord]:
        """Billing says of these that they expired yesterday."""
        at = datetime.now(UTC).replace(microsecond=0) - DAY
        return [
            billed("expired", self.ids, at, 2, billing.Expired(subscription_id=s.id, organization_id=s.organization_id))
            for s in chosen
        ]

    def expired(self, databases: Databases, chosen: Sequence[Subscription]) -> list[IncomingRecord]:
        """What licensing says of it, as numbers hears it: really produced by licensing, on a copy."""
        url = databases.copy(self.licensing_url)
        store = open_store(url, licensing_service())
        before = store.end_of_log()
        hear(store, licensing_service(), self.expiries(chosen), "expiries")
        records = heard(outbox(store, licensing_service(), before), "world")
        store.close()
        databases.drop(url)
        return records


def build(databases: Databases, size: int) -> World:
    """Make the inventory through the services' own intakes.

    Args:
        databases: where.
        size: how many numbers, each with an active subscription.
    """
    ids = Ids(1)
    started_at = (datetime.now(UTC) - timedelta(days=60)).replace(microsecond=0)
    partner = ids()
    organizations = [ids() for _ in range(ORGANIZATIONS)]
    subscriptions = [
        Subscription(ids(), organizations[place % ORGANIZATIONS], f"+65{60_000_000 + place}") for place in range(size)
    ]
    licensing, numbers = licensing_service(), numbers_service()
    world = World(databases.create(), databases.create(), subscriptions, started_at)
    licensing_store = open_store(world.licensing_url, licensing)
    numbers_store = open_store(world.numbers_url, numbers)
    hear(licensing_store, licensing, _parties(ids, started_at, partner, organizations), "parties")
    starts = [_start(ids, started_at, s) for s in subscriptions]
    with ThreadPoolExecutor() as pool:  # each service beside the other, as long as neither needs it
        adding = pool.submit(_add_numbers, numbers_store, [s.number for s in subscriptions], started_at)
        hear(licensing_store, licensing, starts, "starts")
        adding.result()
        told = list(outbox(licensing_store, licensing, 0))
        settling = pool.submit(settle, databases, licensing_store, licensing)
        hear(numbers_store, numbers, told, "licensing")
        settling.result()
    settle(databases, numbers_store, numbers)
    return world


def open_store(url: str, service: ServiceDefinition) -> Store:
    """A service's store, migrated."""
    migrate(url, all_migrations(service))
    return Store(url, service.codec())


def hear(store: Store, service: ServiceDefinition, outgoing: Sequence[OutgoingRecord], name: str) -> None:
    """Let a service hear records in batches, as from a cluster called `name`."""
    intake = Inbox(store, service, lambda: datetime.now(UTC))
    records = heard((o for o in outgoing if o.topic in intake.topics), name)
    for start in range(0, len(records), BATCH):
        intake.accept(records[start : start + BATCH])


def outbox(store: Store, service: ServiceDefinition, after: int) -> Iterator[OutgoingRecord]:
    """All that a service says of its log after a position."""
    while (page := read_page(store, service, after)) is not None:
        yield from page.outgoing
        after = page.end


def _parties(ids: Ids, at: datetime, partner: str, organizations: Sequence[str]) -> list[OutgoingRecord]:
    reseller = parties.PartnerRegistered(
        partner_id=partner, name="Reseller", owner_email="owner@reseller.example",
        support_email="support@reseller.example", domains=("reseller.example",),
    )  # fmt: skip
    told = [party("partner", ids, at, reseller)]
    for place, organization in enumerate(organizations):
        customer = parties.OrganizationRegistered(
            organization_id=organization, partner_id=partner, name=f"Customer {place}",
            billing_email=f"billing{place}@customer.example",
        )  # fmt: skip
        told.append(party("organization", ids, at, customer))
    return told


def _start(ids: Ids, at: datetime, s: Subscription) -> OutgoingRecord:
    bought = billing.NumberStarted(
        subscription_id=s.id, organization_id=s.organization_id, number=s.number, sku="SG-DID"
    )  # fmt: skip
    return billed("started", ids, at, 1, bought)


def _add_numbers(store: Store, numbers: Sequence[str], at: datetime) -> None:
    listing = Listing(country="SG", sku="SG-DID", vendor="Vendor")
    cause = Causation("bench", "bench", "bench")
    for start in range(0, len(numbers), BATCH):
        page = numbers[start : start + BATCH]

        def add(uow: UnitOfWork, page: Sequence[str] = page) -> None:
            uow.load((NUMBER, number) for number in page)
            for number in page:
                n = uow.state(NUMBER, number)
                uow.record(NUMBER, number, operator_commands.add(n, listing, None, None, DEFAULT, at), cause)

        run(store, lambda: at, add)


def settle(databases: Databases, store: Store, service: ServiceDefinition) -> None:
    """All that has happened has been said, and is in the views; nobody is connected any more."""
    store.move(FOLLOWER, None, store.end_of_log())
    projector = ProjectionRunner(store, service.views)
    projector.prepare()
    while projector.step():
        pass
    store.close()
    databases.settle(store.url)
