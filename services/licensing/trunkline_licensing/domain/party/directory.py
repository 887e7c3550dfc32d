"""The directory of parties: platform, partners, organizations and their people (P0).

    (unknown) -- registered --> known -- changed --> known      an identity also:  known -- removed --> removed (final)

Each party is one stream: `party/<uuid>` (`party/platform` for the platform), `identity/<uuid>` for a person. What is
said before it can be understood waits (S7): a change before its registration, an organization before its partner, a
person before the organization, and whoever is to have what another party still has (to be the owner, a domain): the
other's part of a handover may be on its way. A command does not wait: it is refused, as somebody reads the answer.
A message that is dated ahead of the clock is scheduled: it counts once its instant comes (D10.14).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from trunkline.clock import rfc3339
from trunkline.errors import Refused
from trunkline.eventstore.decider import Decider
from trunkline.limits import MOST_AHEAD
from trunkline_licensing.domain.party.errors import (
    AlreadyRegistered,
    ChangeOutdated,
    DomainTaken,
    FactDismissed,
    IdentityIsRemoved,
    KindMismatch,
    OwnerPresent,
    PartyAboveUnknown,
    PartyUnknown,
    SaidBefore,
)
from trunkline_licensing.domain.party.events import (
    IDENTITY_EVENTS,
    PARTY_EVENTS,
    AnyEvent,
    IdentityChanged,
    IdentityFactRefused,
    IdentityFactScheduled,
    IdentityFactWaiting,
    IdentityRegistered,
    IdentityRemoved,
    OrganizationChanged,
    OrganizationRegistered,
    PartnerChanged,
    PartnerRegistered,
    PartyFactRefused,
    PartyFactScheduled,
    PartyFactWaiting,
    PlatformChanged,
    PlatformRegistered,
)
from trunkline_licensing.domain.party.facts import (
    Change,
    Changes,
    Details,
    Identity,
    IdentityChanges,
    Kind,
    PartyFact,
    Registration,
    Removal,
    Told,
    belongs_to,
    claims_of,
    kind_of,
    newer,
)
from trunkline_licensing.domain.subscription.errors import TooFarAhead

PLATFORM = "platform"
"""The platform's key, as there is only one."""

# -- state ------------------------------------------------------------------------------------------------------------


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """Something said too early, and the stream it waits for: to be registered, or to give up what is wanted."""

    fact: PartyFact
    awaits: str


class Party(msgspec.Struct, frozen=True):
    """All that decisions need to know of a party.

    Attributes:
        stream: its stream id, such as `party/<uuid>`.
        details: what it is now (what it was, once removed); None: unknown.
        registered: what it was registered as.
        removed: whether the person has left.
        newest: field -> what it was set by.
        waiting: what was said too early.
        scheduled: messages that are dated ahead and have not counted since (D10.14).
    """

    stream: str
    details: Details | None = None
    registered: Details | None = None
    removed: bool = False
    newest: Mapping[str, Told] = {}
    waiting: tuple[Waiting, ...] = ()
    scheduled: tuple[PartyFact, ...] = ()

    @property
    def key(self) -> str:
        """The party's id."""
        return self.stream.partition("/")[2]

    @property
    def kind(self) -> Kind | None:
        """What kind of party it is; None: unknown."""
        return None if self.details is None else kind_of(self.details)

    @property
    def claims(self) -> frozenset[str]:
        """What nobody else can have."""
        return frozenset() if self.removed else claims_of(self.details)


def evolve(p: Party, event: AnyEvent) -> Party:
    """The party after one more event. Assigns only; never guards."""
    if p.waiting:
        p = replace(p, waiting=tuple(w for w in p.waiting if not _same(w.fact, event.fact)))
    if p.scheduled:
        p = replace(p, scheduled=tuple(fact for fact in p.scheduled if not _same(fact, event.fact)))
    match event:
        case PartyFactScheduled():
            return replace(p, scheduled=(*p.scheduled, event.fact))
        case PartyFactWaiting():
            return replace(p, waiting=(*p.waiting, Waiting(event.fact, event.awaits)))
        case PartyFactRefused():
            return p
        case PlatformChanged() | PartnerChanged() | OrganizationChanged() | IdentityChanged():
            newest = {**p.newest, **dict.fromkeys(event.applied, event.fact)}
            return replace(p, details=event.after, newest=newest)
        case IdentityRemoved():
            return replace(p, removed=True)
        case _:
            newest = dict.fromkeys(event.after.__struct_fields__, event.fact)
            return replace(p, details=event.after, registered=event.after, newest=newest)


def _same(one: PartyFact, other: PartyFact) -> bool:
    return one.id == other.id and one.source == other.source


def due(p: Party) -> datetime | None:
    """When a scheduled message counts (D10.14); None: there is none."""
    return min((fact.at for fact in p.scheduled), default=None)


PARTY: Decider[Party] = Decider("party", lambda key: Party(f"party/{key}"), evolve, PARTY_EVENTS, due=due)
IDENTITY: Decider[Party] = Decider("identity", lambda key: Party(f"identity/{key}"), evolve, IDENTITY_EVENTS, due=due)

_EVENTS: Mapping[Kind, tuple[type[Any], type[Any]]] = {
    "platform": (PlatformRegistered, PlatformChanged),
    "partner": (PartnerRegistered, PartnerChanged),
    "organization": (OrganizationRegistered, OrganizationChanged),
    "identity": (IdentityRegistered, IdentityChanged),
}

# -- what a decision needs to know of others --------------------------------------------------------------------------


class Others(msgspec.Struct, frozen=True):
    """The other parties, as far as a decision depends on them.

    Attributes:
        known: party id -> kind, of those among `parties_named` that are registered.
        taken: those of `claims_wanted` that another party has -> that party's stream.
    """

    known: Mapping[str, Kind]
    taken: Mapping[str, str]


def parties_named(p: Party, fact: PartyFact | None = None) -> set[str]:
    """The partners and organizations that the party, and what is said of it, belongs to."""
    named = {above[1] for details in _details(p, fact) if (above := belongs_to(details))}
    for changes in _changes(p, fact):
        for field in ("partner_id", "organization_id"):
            if isinstance(key := getattr(changes, field, None), str):
                named.add(key)
    return named


def claims_wanted(p: Party, fact: PartyFact | None = None) -> set[str]:
    """Every claim that a decision on the party may look at; some of them it will not."""
    wanted = {claim for details in _details(p, fact) for claim in claims_of(details)}
    for changes in _changes(p, fact):
        if isinstance(changes, IdentityChanges):
            wanted |= {f"owner:{key}" for key in parties_named(p, fact)}
        elif isinstance(domains := getattr(changes, "domains", None), tuple):
            wanted |= {f"domain:{domain}" for domain in domains}
    return wanted


def _details(p: Party, fact: PartyFact | None) -> list[Details]:
    facts = [*(w.fact for w in p.waiting), fact]
    return [*([p.details] if p.details else []), *(f.details for f in facts if isinstance(f, Registration))]


def _changes(p: Party, fact: PartyFact | None) -> list[Changes]:
    return [f.changes for f in (*(w.fact for w in p.waiting), fact) if isinstance(f, Change)]


# -- decisions --------------------------------------------------------------------------------------------------------


def tell(p: Party, fact: PartyFact, others: Others, now: datetime) -> Sequence[AnyEvent]:
    """What follows from something said of a party, and from what waited for it.

    A message always has a recorded outcome (X6): it counts, waits, is scheduled or is refused. Said again, nothing.

    Args:
        p: the party so far, with `next_due` applied until there is none.
        fact: the message or command.
        others: the other parties.
        now: the service's present instant.

    Raises:
        Refused: the fact is a command and does not count; it never waits.
    """
    if not fact.by_hand:
        if any(_same(w.fact, fact) for w in p.waiting) or any(_same(known, fact) for known in p.scheduled):
            return []
        if fact.at - now > MOST_AHEAD:
            kind = type(fact).__name__.lower()
            return [_refused(p, fact, TooFarAhead(kind=kind, at=rfc3339(fact.at), now=rfc3339(now)), at=now)]
        if fact.at > now:
            scheduled = IdentityFactScheduled if p.stream.startswith("identity/") else PartyFactScheduled
            return [scheduled(at=now, fact=fact)]
    return _with_retries(p, fact, _outcome(p, fact, others), others)


def next_due(p: Party, now: datetime) -> PartyFact | None:
    """The scheduled message whose instant came first; None: all of them lie ahead (D10.14)."""
    came = [fact for fact in p.scheduled if fact.at <= now]
    return min(came, key=lambda fact: (fact.at, not isinstance(fact, Registration), fact.id or ""), default=None)


def fall_due(p: Party, fact: PartyFact, others: Others) -> Sequence[AnyEvent]:
    """What follows from a scheduled message now that its instant has come."""
    outcome = _outcome(p, fact, others) or [_refused(p, fact, SaidBefore(key=p.key))]
    return _with_retries(p, fact, outcome, others)


def _with_retries(p: Party, fact: PartyFact, events: list[AnyEvent], others: Others) -> list[AnyEvent]:
    for event in events:
        p = evolve(p, event)
    return [*events, *retry(p, others)] if isinstance(fact, Registration) and events else events


def retry(p: Party, others: Others) -> list[AnyEvent]:
    """What follows for a party from what it waited for, now that more is known; in the order it was to count."""
    events: list[AnyEvent] = []
    for waiting in sorted(p.waiting, key=lambda w: (not isinstance(w.fact, Registration), w.fact.at, w.fact.id)):
        outcome = _outcome(p, waiting.fact, others) or [_refused(p, waiting.fact, SaidBefore(key=p.key))]
        for event in outcome:
            if not (isinstance(event, PartyFactWaiting) and event.awaits == waiting.awaits):
                events.append(event)
                p = evolve(p, event)
    return events


def dismiss(p: Party, chosen: tuple[str | None, str | None] | None, remark: str) -> list[AnyEvent]:
    """Refuse what waits, because a person says so (S7, O7).

    Args:
        p: the party so far.
        chosen: (source, id) of the fact that is meant; None: all that wait.
        remark: why.
    """
    return [
        _refused(p, w.fact, FactDismissed(remark=remark))
        for w in p.waiting
        if chosen is None or (w.fact.source, w.fact.id) == chosen
    ]


def _outcome(p: Party, fact: PartyFact, others: Others) -> list[AnyEvent]:
    try:
        match fact:
            case Registration():
                return _register(p, fact, others)
            case Change():
                return _change(p, fact, others)
            case Removal():
                return _remove(p, fact)
    except Refused as refusal:
        if fact.by_hand:
            raise
        return [_refused(p, fact, refusal)]


def _register(p: Party, fact: Registration, others: Others) -> list[AnyEvent]:
    if p.removed:
        raise IdentityIsRemoved(key=p.key)
    if p.details is not None:
        if fact.details in (p.registered, p.details):
            return []
        raise AlreadyRegistered(key=p.key)
    if waits := _unknown_above(p, fact, fact.details, others):
        return waits
    if waits := _taken(p, fact, claims_of(fact.details), others):
        return waits
    return [_EVENTS[kind_of(fact.details)][0](at=fact.at, fact=fact, after=fact.details)]


def _change(p: Party, fact: Change, others: Others) -> list[AnyEvent]:
    if p.details is None:
        return _waits(p, fact, p.stream, PartyUnknown(key=p.key))
    if p.removed:
        raise IdentityIsRemoved(key=p.key)
    if kind_of(fact.changes) != kind_of(p.details):
        raise KindMismatch(key=p.key, kind=kind_of(p.details), other=kind_of(fact.changes))
    named = {name: value for name, value in asdict(fact.changes).items() if value is not UNSET}
    applied = {name: value for name, value in named.items() if newer(fact, p.newest[name])}
    if named and not applied:
        raise ChangeOutdated(key=p.key)
    after = replace(p.details, **applied)
    if not applied or (fact.by_hand and after == p.details):
        return []
    if belongs_to(after) != belongs_to(p.details) and (waits := _unknown_above(p, fact, after, others)):
        return waits
    if waits := _taken(p, fact, claims_of(after) - p.claims, others):
        return waits
    return [_EVENTS[kind_of(after)][1](at=fact.at, fact=fact, after=after, applied=tuple(applied))]


def _remove(p: Party, fact: Removal) -> list[AnyEvent]:
    if p.details is None:
        return _waits(p, fact, p.stream, PartyUnknown(key=p.key))
    if p.removed:
        return []
    assert isinstance(p.details, Identity)  # only people leave: the contracts know no other removal
    return [IdentityRemoved(at=fact.at, fact=fact, after=p.details)]


def _unknown_above(p: Party, fact: PartyFact, details: Details, others: Others) -> list[AnyEvent]:
    above = belongs_to(details)
    if above is None or others.known.get(above[1]) == above[0]:
        return []
    return _waits(p, fact, PARTY.stream(above[1]), PartyAboveUnknown(kind=above[0], key=above[1]))


def _waits(p: Party, fact: PartyFact, awaits: str, refusal: Refused) -> list[AnyEvent]:
    if fact.by_hand:
        raise refusal
    waiting = IdentityFactWaiting if p.stream.startswith("identity/") else PartyFactWaiting
    return [waiting(at=fact.at, fact=fact, awaits=awaits)]


def _refused(p: Party, fact: PartyFact, refusal: Refused, at: datetime | None = None) -> AnyEvent:
    refused = IdentityFactRefused if p.stream.startswith("identity/") else PartyFactRefused
    return refused(at=at or fact.at, fact=fact, code=refusal.code, reason=refusal.sentence)


def _taken(p: Party, fact: PartyFact, wanted: Collection[str], others: Others) -> list[AnyEvent]:
    """What another party has is waited for; the first one in the alphabet, for the rest comes up again then."""
    for claim in sorted(wanted):
        holder = others.taken.get(claim)
        if holder is not None:
            kind, _, name = claim.partition(":")
            return _waits(p, fact, holder, OwnerPresent() if kind == "owner" else DomainTaken(domain=name))
    return []
