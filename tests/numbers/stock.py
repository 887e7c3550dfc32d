"""A few hundred numbers of every kind, in the views that search and export read; made of events, without a log."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from trunkline.application import all_migrations
from trunkline.clock import DAY
from trunkline.eventstore.decider import Event
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.recorded_event import EventMetadata, RecordedEvent, stored_name
from trunkline.eventstore.schema import migrate
from trunkline.projections.builds import ProjectionBuilds, table_of
from trunkline.projections.runner import ProjectionRunner
from trunkline.security.authorization import Resource, visible
from trunkline.security.principal import Branch, EmptyTree, Principal
from trunkline_numbers.domain.number import number as life
from trunkline_numbers.domain.number.errors import NumberUnknown
from trunkline_numbers.domain.number.events import (
    Listing,
    NumberAdded,
    NumberAllocated,
    NumberAssigned,
    NumberBound,
    NumberChanged,
    NumberDeleted,
    NumberLocked,
    NumberReserved,
)
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number, Party
from trunkline_numbers.queries.digit_pattern import Pattern
from trunkline_numbers.queries.filters import Scope, Wanted
from trunkline_numbers.wiring import service

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EAST, WEST = "partner-east", "partner-west"
ORGS = {"org-east-1": EAST, "org-east-2": EAST, "org-west-1": WEST, "org-own": None}
DOMAINS = {EAST: ("east.example",), WEST: ("west.example", "w.example"), None: ("platform.example",)}
PARTIES = (EAST, WEST, *ORGS)
SUBSCRIPTIONS = tuple(f"subscription-{place}" for place in range(40))


class Tree(EmptyTree):
    """Who is below whom."""

    def partner_of(self, organization_id: str) -> str | None:
        return ORGS.get(organization_id)


def party(party_id: str) -> Party:
    """A party as decisions see it."""
    if party_id in ORGS:
        return Party(party_id, "organization", ORGS[party_id], DOMAINS[ORGS[party_id]])
    return Party(party_id, "partner", party_id, DOMAINS[party_id])


def scope(party_id: str | None) -> Scope | None:
    """What a party sees; None: the platform."""
    if party_id is None:
        return None
    me = party(party_id)
    branch = (party_id, *(org for org, above in ORGS.items() if above == party_id))
    return Scope(branch, me.domains, (me.partner_id,) if me.partner_id not in (None, party_id) else ())


def seen(n: Number, party_id: str | None) -> bool:
    """Whether a party sees a number, by the gate that every other door has (P2)."""
    offered = party_id is not None and n.state == "available" and life.visible(n, party(party_id))
    held = (n.holder_id, *(getattr(n.life, field, None) for field in ("reserver_id", "organization_id")))
    free = n.state not in ("reserved", "assigned") and n.holder_id is None
    whose = tuple(p for p in (*held, n.uploader_id if free else None) if p is not None)
    branch = Branch(Principal("x", "partner-admin" if party_id else "platform-admin", party_id), Tree())
    return visible(branch, Resource(NumberUnknown(number=n.number), parties=whose, offered=offered))


def meets(n: Number, w: Wanted, party_id: str | None) -> bool:
    """Whether a number is wanted, said in Python, as far as the asker may know."""
    owner = getattr(n.life, "reserver_id", None) or getattr(n.life, "organization_id", None)
    mine = {p for p in PARTIES if party_id is None or p == party_id or ORGS.get(p) == party_id}
    own = {None if p not in mine else p for p in (owner,)}.pop()
    listing, since = n.listing, getattr(n.life, "since", NOW)
    domains = listing.domains if party_id is None else tuple(d for d in listing.domains if d in party(party_id).domains)
    domain_known = party_id is None or w.domain in party(party_id).domains
    bound = any(b.organization_id in mine for b in n.bindings)
    return all((
        not w.states or n.state in w.states,
        w.sku in (None, listing.sku), w.vendor in (None, listing.vendor),
        w.country in (None, listing.country), w.routing in (None, listing.routing),
        all(getattr(listing, c) for c in w.capabilities),
        w.golden in (None, listing.golden), w.ported_in in (None, listing.ported_in),
        w.domain is None or (domain_known and (w.domain in domains or not listing.domains)),
        w.subscription is None or (own is not None and getattr(n.life, "subscription_id", None) == w.subscription),
        w.owner is None or own == w.owner,
        w.holder is None or (n.holder_id in mine and n.holder_id == w.holder),
        w.uploader is None or (n.uploader_id in mine and n.uploader_id == w.uploader),
        w.bound in (None, bound),
        w.available_since is None or (n.state == "available" and since <= w.available_since),
        w.pattern is None or _fits(n.number[1:], w.pattern),
    ))  # fmt: skip


def _fits(digits: str, pattern: Pattern) -> bool:
    match pattern.place:
        case "begin":
            return digits.startswith(pattern.digits)
        case "end":
            return digits.endswith(pattern.digits)
        case _:
            return pattern.digits in digits


def open_views(url: str) -> Store:
    """An empty store with its views."""
    mine = service()
    migrate(url, all_migrations(mine))
    store = Store(url, mine.codec())
    ProjectionRunner(store, mine.views).prepare()
    return store


def keep(store: Store, lives: Iterable[tuple[str, list[Event]]], begun: int = 0) -> None:
    """Apply what happened to some numbers, from a version on, to the views that are searched."""
    page = [
        RecordedEvent(place, f"number/{number}", version, EventMetadata(event.at, event.at, "t", "t", "t"), event)
        for number, events in lives
        for place, (version, event) in enumerate(enumerate(events, start=begun + 1), start=1)
    ]
    for view in service().views:
        if view.name in ("number_view", "listing_view"):
            active = ProjectionBuilds(store).one(view.name, "active")
            assert active is not None
            assert view.names is not None
            kept = [event for event in page if stored_name(type(event.event)) in view.names]
            with store.connection() as conn, conn.transaction():
                view.apply(conn, table_of(active), kept)


def drawn(size: int, seed: int) -> dict[str, list[Event]]:
    """Numbers and what happened to each."""
    chance = random.Random(seed)
    numbers = {f"+{chance.choice(('65', '44', '1'))}{chance.randrange(10**7, 10**8)}" for _ in range(size)}
    return {number: _life(chance) for number in sorted(numbers)}


def folded(lives: dict[str, list[Event]]) -> list[Number]:
    """The numbers that these lives make."""
    return [NUMBER.fold(number, events) for number, events in lives.items()]


def _listing(chance: random.Random) -> Listing:
    return Listing(
        country=chance.choice(("SG", "GB", "US")),
        sku=chance.choice(("=SKU", "B", "C;-1")),
        vendor=chance.choice(("Carrier, One", "@two", "three")),
        voice=chance.random() < 0.8,
        sms=chance.random() < 0.4,
        fax=chance.random() < 0.2,
        routing=chance.choice((None, "r1", "r2")),
        golden=chance.random() < 0.2,
        ported_in=chance.random() < 0.2,
        domains=chance.choice(((), (), ("east.example",), ("west.example",), ("east.example", "w.example"))),
    )


def _life(chance: random.Random) -> list[Event]:
    uploader, holder = (chance.choice((None, None, *PARTIES)) for _ in range(2))
    at = NOW - timedelta(days=chance.randrange(10, 400))
    added = NumberAdded(
        at=at, listing=_listing(chance), uploader_id=uploader, holder_id=holder, legacy=chance.random() < 0.05
    )
    if added.legacy:
        return [added]
    more: list[Event] = []
    if chance.random() < 0.2:
        more.append(NumberChanged(at=at, listing=_listing(chance), changed=("sku",), state="available"))
    if chance.random() < 0.2:
        to = chance.choice((None, *PARTIES))
        more.append(NumberAllocated(at=at, holder_id=to, holder_kind="partner", state="available"))
    return [added, *more, *_state(chance, at + DAY)]


def _state(chance: random.Random, at: datetime) -> list[Event]:
    org, subscription, end = chance.choice(list(ORGS)), chance.choice(SUBSCRIPTIONS), NOW + 20 * DAY
    assigned = NumberAssigned(at=at, subscription_id=subscription, organization_id=org)
    bound = NumberBound(at=at, kind="trunk", user_id="u", organization_id=org, state="assigned")
    reserved = NumberReserved(
        at=at,
        reserver_id=chance.choice(PARTIES),
        reserver_kind="partner",
        cause="manual",
        ends_at=end,
        free_ends_at=end,
    )
    ways: tuple[list[Event], ...] = (
        [], [], [], [assigned], [assigned, bound], [reserved],
        [NumberLocked(at=at, ends_at=end, remark="r")], [NumberDeleted(at=at, reason="other", remark="r")],
    )  # fmt: skip
    return chance.choice(ways)
