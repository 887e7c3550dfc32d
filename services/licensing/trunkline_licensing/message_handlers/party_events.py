"""What is said of parties (P0, S7): by messages of PartyEvents, and by commands of the doors.

Whoever registers a party wakes, in the same work, all that waited for it: subscriptions for their organization,
organizations for their partner, people for their organization. Whoever leaves gives up their extension.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trunkline.contracts import parties
from trunkline.contracts.cloudevents.envelope import Message
from trunkline.eventstore.decider import Decider, key_of
from trunkline.eventstore.event_store import ConcurrencyError
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.deduplication import heard_once
from trunkline_licensing.application.identity_removed import has_left, unassign
from trunkline_licensing.application.unique_keys import UniqueKeys
from trunkline_licensing.domain.extension.extension import user_claim
from trunkline_licensing.domain.party.directory import (
    IDENTITY,
    PARTY,
    Others,
    Party,
    claims_wanted,
    dismiss,
    fall_due,
    next_due,
    parties_named,
    retry,
    tell,
)
from trunkline_licensing.domain.party.events import AnyEvent
from trunkline_licensing.domain.party.facts import (
    Change,
    Identity,
    IdentityChanges,
    Organization,
    OrganizationChanges,
    Partner,
    PartnerChanges,
    PartyFact,
    Registration,
    Removal,
)
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION
from trunkline_licensing.message_handlers.billing_events import cause_of, organization_known

PRODUCER = "parties"


def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Hear a batch, each message once; streams, claims and waiters are read together."""
    fresh = heard_once(uow, PRODUCER, messages)
    facts = [(message, decider_of(message.data), fact_of(message)) for message in fresh]
    directory = _Directory(uow)
    directory.read([(decider, message.subject, fact) for message, decider, fact in facts])
    for message, decider, fact in facts:
        directory.tell(decider, message.subject, fact, cause_of(message))


def command(uow: UnitOfWork, decider: Decider[Party], key: str, fact: PartyFact, cause: Causation) -> Party:
    """Register, change or remove a party because somebody asks for it now.

    Args:
        uow: the command's work.
        decider: `PARTY`, or `IDENTITY` for a person.
        key: the party's id; `PLATFORM` for the platform.
        fact: without source and id (see `fact_of_data`).
        cause: who asks.

    Returns:
        The party after it; the same as before if it was so already.

    Raises:
        Refused: see `party_refusals`; nothing is recorded.
    """
    directory = _Directory(uow)
    directory.read([(decider, key, fact)])
    directory.tell(decider, key, fact, cause)
    return uow.state(decider, key)


def dismiss_waiting(
    uow: UnitOfWork, decider: Decider[Party], key: str, chosen: tuple[str, str] | None, remark: str, cause: Causation
) -> int:
    """Refuse what waits in a party's stream, because a person says so; how many facts that were (S7, O7).

    Args:
        uow: where it is recorded.
        decider: `PARTY` or `IDENTITY`.
        key: the party's id.
        chosen: (source, id) of one fact; None: all.
        remark: why.
        cause: who does it.
    """
    return _Directory(uow).dismiss(decider, key, chosen, remark, cause)


def retry_waiting(uow: UnitOfWork, awaited: Sequence[str], cause: Causation) -> None:
    """Decide again what waits for these streams, as when they change (S7)."""
    _Directory(uow).wake_streams(awaited, cause)


def scheduled_due(uow: UnitOfWork, stream_ids: Sequence[str]) -> None:
    """Let the scheduled messages about parties count whose deadline has come (D10.14).

    Args:
        uow: the timer's.
        stream_ids: `party/…` and `identity/…` streams, each once.
    """
    uow.load(_stream(stream_id) for stream_id in stream_ids)
    directory = _Directory(uow)
    for stream_id in stream_ids:
        directory.settle(*_stream(stream_id))
    uow.touch_streams(stream_ids)


class _Directory:
    """The parties within one work."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow
        self._claims = UniqueKeys(uow)

    def read(self, facts: Sequence[tuple[Decider[Party], str, PartyFact]]) -> None:
        """Read ahead, in four queries, what a batch of facts needs; what else it needs is read as it turns up."""
        uow = self._uow
        uow.load((decider, key) for decider, key, _ in facts)
        states = [(uow.state(decider, key), fact) for decider, key, fact in facts]
        uow.load((PARTY, named) for party, fact in states for named in parties_named(party, fact))
        wanted = [claim for party, fact in states for claim in claims_wanted(party, fact)]
        self._claims.read([*wanted, *(user_claim(party.key) for party, fact in states if isinstance(fact, Removal))])
        uow.waiters([party.stream for party, _ in states])

    def settle(self, decider: Decider[Party], key: str) -> None:
        """Let the scheduled messages count whose instant has come, before anything else is decided (D10.14)."""
        while (fact := next_due(before := self._uow.state(decider, key), self._uow.now)) is not None:
            events = fall_due(before, fact, self._others(before, fact))
            cause = Causation("timer", fact.id or before.stream, fact.id or before.stream)
            if self._record(decider, key, before, events, cause):
                self._wake([before.stream], cause)

    def tell(self, decider: Decider[Party], key: str, fact: PartyFact, cause: Causation) -> None:
        self.settle(decider, key)
        before = self._uow.state(decider, key)
        events = tell(before, fact, self._others(before, fact), self._uow.now)
        if self._record(decider, key, before, events, cause):
            self._wake([before.stream], cause)

    def commit_signal(self, keys: Sequence[str], cause: Causation) -> None:
        """Go on with what waited for these parties, and with what waited for those that are registered thereby."""
        self._wake([PARTY.stream(key) for key in keys if self._uow.state(PARTY, key).details is not None], cause)

    def wake_streams(self, streams: Sequence[str], cause: Causation) -> None:
        """Go on with what waits for these streams where they are registered."""
        self._uow.load(_stream(stream) for stream in streams)
        self._wake([s for s in streams if (found := _stream(s))[0] is not SUBSCRIPTION and self._known(*found)], cause)

    def dismiss(
        self, decider: Decider[Party], key: str, chosen: tuple[str, str] | None, remark: str, cause: Causation
    ) -> int:
        before = self._uow.state(decider, key)
        events = dismiss(before, chosen, remark)
        self._record(decider, key, before, events, cause)
        return len(events)

    def _known(self, decider: Decider[Party], key: str) -> bool:
        return self._uow.state(decider, key).details is not None

    def _wake(self, moved: Sequence[str], cause: Causation) -> None:
        """Go on with what waited for these streams, and so on."""
        uow = self._uow
        while moved:
            waiters = uow.waiters(moved)
            uow.load(_stream(waiter) for waiting in waiters.values() for waiter in waiting)
            woken = [(awaited, waiter) for awaited, waiting in waiters.items() for waiter in sorted(waiting)]
            moved = []
            for awaited, waiter in woken:
                decider, key = _stream(waiter)
                if decider is SUBSCRIPTION:
                    organization_known(uow, key, key_of(awaited), cause)
                    continue
                before = uow.state(decider, key)
                if self._record(decider, key, before, retry(before, self._others(before)), cause):
                    moved.append(waiter)

    def _others(self, party: Party, fact: PartyFact | None = None) -> Others:
        named = {key: self._uow.state(PARTY, key).kind for key in parties_named(party, fact)}
        return Others(
            known={key: kind for key, kind in named.items() if kind is not None},
            taken=self._claims.of_others(party.stream, claims_wanted(party, fact)),
        )

    def _record(
        self, decider: Decider[Party], key: str, before: Party, events: Sequence[AnyEvent], cause: Causation
    ) -> bool:
        """Record, with claims and waits; whether others may have waited for this: a registration, a claim given up."""
        if not events:
            return False
        uow = self._uow
        after = uow.record(decider, key, events, cause)
        self._claims.move(after.stream, before.claims, after.claims)
        if has_left(before, after):
            unassign(uow, self._claims, key, events[-1].at, cause)
        was = {waiting.awaits for waiting in before.waiting}
        now = {waiting.awaits for waiting in after.waiting}
        for awaited in was - now:
            uow.stop_waiting(awaited, after.stream)
        for awaited in now - was:
            uow.wait(awaited, after.stream, uow.now, self._reason(after, awaited))
        registered = before.details is None and after.details is not None
        return (registered and decider is PARTY) or not before.claims <= after.claims

    def _reason(self, waiting: Party, awaited: str) -> str:
        decider, key = _stream(awaited)
        other = self._uow.state(decider, key)  # read, so that a change of it meanwhile is a conflict
        if other.details is None or awaited == waiting.stream:
            return f"{key} is not registered"
        if other.claims.isdisjoint(claims_wanted(waiting)):
            msg = f"{awaited} has given up what {waiting.stream} waits for"
            raise ConcurrencyError(msg)
        return f"{key} has what is wanted"


_DECIDERS: dict[str, Decider[Any]] = {d.category: d for d in (SUBSCRIPTION, PARTY, IDENTITY)}


def _stream(stream_id: str) -> tuple[Decider[Any], str]:
    category, _, key = stream_id.partition("/")
    return _DECIDERS[category], key


# -- from the contract's words to the aggregate's ---------------------------------------------------------------------

_REGISTERED: dict[type[Any], type[Any]] = {
    parties.PartnerRegistered: Partner,
    parties.OrganizationRegistered: Organization,
    parties.IdentityRegistered: Identity,
}
_CHANGED: dict[type[Any], type[Any]] = {
    parties.PartnerChanged: PartnerChanges,
    parties.OrganizationChanged: OrganizationChanges,
    parties.IdentityChanged: IdentityChanges,
}


def decider_of(data: Any) -> Decider[Party]:
    """The kind of stream that data of a PartyEvents contract is about."""
    return IDENTITY if hasattr(data, "identity_id") else PARTY


def fact_of(message: Message) -> PartyFact:
    """A message of PartyEvents as something said of its party."""
    return fact_of_data(message.data, message.time, message.sequence, message.source, message.id)


def fact_of_data(
    data: Any,
    at: datetime,
    sequence: int | None = None,
    source: str | None = None,
    id: str | None = None,  # noqa: A002 - the message's own name for it
) -> PartyFact:
    """Data of a PartyEvents contract as something said of its party; without source and id, as a command."""
    kind = type(data)
    if kind is parties.IdentityRemoved:
        return Removal(at=at, sequence=sequence, source=source, id=id)
    wanted = _REGISTERED.get(kind) or _CHANGED[kind]
    details = wanted(**{name: getattr(data, name) for name in wanted.__struct_fields__})
    if kind in _REGISTERED:
        return Registration(at=at, sequence=sequence, source=source, id=id, details=details)
    return Change(at=at, sequence=sequence, source=source, id=id, changes=details)
