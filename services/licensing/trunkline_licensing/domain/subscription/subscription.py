"""One subscription: everything billing sent about it, judged together (S1-S4, S7, X4, DOMAIN §10.12, D10.14).

                   started               expired
    (unknown) ---------------> Active -------------> Expired
                                 ^  |  reactivated      |
                                 |  +<------------------+
                      renewed,   |  |                   |
             quantity changed,   |  | terminated        | terminated
               number swapped ---+  v                   v
                                 Terminated (final) <---+

A fact that is dated ahead of the clock is scheduled until its instant. A fact waits until its organization is
registered and the start is known. From then on every fact is on record as accepted or refused, and each public event
carries the subscription after *all* facts whose instants have come, so that the newest one is all a consumer needs. A
late fact may change the verdict on others: these are then recorded again (`revised`). The state depends on the facts
received and on which of their instants have come, never on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from trunkline.clock import rfc3339
from trunkline.errors import Refused
from trunkline.eventstore.decider import Decider
from trunkline.limits import MOST_AHEAD
from trunkline_licensing.domain.subscription.errors import FactDismissed, NumberImpossible, TooFarAhead, TooManyFacts
from trunkline_licensing.domain.subscription.events import (
    ACCEPTED,
    EVENTS,
    Accepted,
    AnyEvent,
    Awaits,
    SubscriptionFactRefused,
    SubscriptionFactScheduled,
    SubscriptionFactWaiting,
)
from trunkline_licensing.domain.subscription.facts import After, AnyFact, Name, Started, Terminated, apply, number_named
from trunkline_licensing.domain.subscription.order import by_sequence, by_time, fold, order_open, overtakes
from trunkline_licensing.domain.subscription.record import Judged, JudgedFacts

T = TypeVar("T")

MOST_FACTS: Final = 10_000
"""Facts of one subscription; loading them all for one decision then takes about 0.2 s."""
MORE_FOR_TERMINATIONS: Final = 100
"""A subscription that is full can still be terminated."""

# -- state ------------------------------------------------------------------------------------------------------------


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A fact without a verdict, and what it waits for."""

    fact: AnyFact
    awaits: Awaits


class Subscription(msgspec.Struct, frozen=True):
    """All that decisions need to know of a subscription.

    Attributes:
        id: the subscription's id.
        after: what all judged facts come to; None as long as no start counts.
        facts: every judged fact, in the order of arrival.
        waiting: every fact that waits, by name.
        scheduled: every fact that is dated ahead and has not been judged since, by name (D10.14).
        newest: the last fact in order: a fact that comes after it needs no new fold.
        sequenced: whether every judged fact has a sequence, which then orders them.
        last_end: the latest instant of a judged expiry or termination.
    """

    id: str
    after: After | None = None
    facts: JudgedFacts = JudgedFacts.of()
    waiting: Mapping[Name, Waiting] = {}
    scheduled: Mapping[Name, AnyFact] = {}
    newest: AnyFact | None = None
    sequenced: bool = True
    last_end: datetime | None = None

    @property
    def size(self) -> int:
        """How many facts are on record."""
        return len(self.facts) + len(self.waiting) + len(self.scheduled)


def evolve(s: Subscription, event: AnyEvent) -> Subscription:
    """The subscription after one more event. Assigns only; never guards."""
    match event:
        case SubscriptionFactScheduled():
            return replace(s, scheduled={**s.scheduled, event.fact.name: event.fact})
        case SubscriptionFactWaiting():
            name = event.fact.name
            waiting = {**_without(s.waiting, name), name: Waiting(event.fact, event.awaits)}
            return replace(s, waiting=waiting, scheduled=_without(s.scheduled, name))
        case SubscriptionFactRefused(code=TooManyFacts.code):
            return s
        case SubscriptionFactRefused():
            return _judged(s, Judged(event.fact, event.code), s.after, revised=event.revised)
        case _:
            return _judged(s, Judged(event.fact, None), event.after, revised=event.revised)


def _judged(s: Subscription, judged: Judged, after: After | None, *, revised: bool) -> Subscription:
    fact = judged.fact
    if revised:
        return replace(s, after=after, facts=s.facts.with_replaced(judged))
    facts = s.facts.with_added(judged)
    waiting = _without(s.waiting, fact.name) if s.waiting else s.waiting
    scheduled = _without(s.scheduled, fact.name) if s.scheduled else s.scheduled
    if not judged.takes_part:
        return replace(s, after=after, facts=facts, waiting=waiting, scheduled=scheduled)
    sequenced = s.sequenced and fact.sequence is not None
    newest, last_end = s.newest, s.last_end
    if sequenced != s.sequenced:  # the order is another one from here on
        newest = max((j.fact for j in facts if j.takes_part), key=by_time)
    elif newest is None or _later(fact, newest, sequenced=sequenced):
        newest = fact
    if fact.ENDS and (last_end is None or fact.at > last_end):
        last_end = fact.at
    return Subscription(s.id, after, facts, waiting, scheduled, newest, sequenced, last_end)


def _without(named: Mapping[Name, T], name: Name) -> Mapping[Name, T]:
    if name not in named:
        return named
    return {other: value for other, value in named.items() if other != name}


def _later(fact: AnyFact, than: AnyFact, *, sequenced: bool) -> bool:
    order = by_sequence if sequenced else by_time
    return order(fact) > order(than)


def due(s: Subscription) -> datetime | None:
    """When a scheduled fact is to be judged (D10.14); None: there is none."""
    return min(fact.at for fact in s.scheduled.values()) if s.scheduled else None


SUBSCRIPTION: Decider[Subscription] = Decider("subscription", Subscription, evolve, EVENTS, due=due)


def awaited(s: Subscription) -> frozenset[tuple[Awaits, str]]:
    """What the subscription's facts wait for (S7): an organization by its id, or the start of the subscription."""
    return frozenset(
        (w.awaits, w.fact.organization_id if w.awaits == "organization" else s.id) for w in s.waiting.values()
    )


def overtaken(s: Subscription) -> Mapping[Name, AnyFact]:
    """The scheduled facts that will not count, as billing has sent since that the subscription goes on, and by what."""
    if not s.sequenced or not s.scheduled:
        return {}
    by = overtakes([*(j.fact for j in s.facts if j.takes_part), *s.scheduled.values()])[0]
    return {name: fact for name, fact in by.items() if name in s.scheduled}


# -- decisions --------------------------------------------------------------------------------------------------------


class Received(msgspec.Struct, frozen=True, gc=False):
    """A fact of billing as it comes in.

    Attributes:
        fact: what billing sent.
        organization_known: whether the fact's organization is registered.
        number_possible: whether the number that the fact names can exist at all (DOMAIN §9).
    """

    fact: AnyFact
    organization_known: bool
    number_possible: bool = True


def needs_fold(s: Subscription, received: Received, now: datetime) -> bool:
    """Whether a fact can be judged only together with all the others: several of these are better heard at once."""
    fact = received.fact
    return fact.at <= now and (bool(s.waiting) or (s.newest is not None and _amid(s, s.newest, fact)))


def receive(s: Subscription, received: Received, now: datetime) -> Sequence[AnyEvent]:
    """What follows from a fact of billing (S2, S3, S7, D10.14). Received again, nothing.

    Args:
        s: the subscription so far, with `fall_due` applied.
        received: the fact.
        now: the service's present instant.
    """
    fact = received.fact
    if _known(s, fact.name):
        return []
    if (aside := _set_aside(received, s.size, now)) is not None:
        return [aside, *(_judge(evolve(s, aside), ()) if _takes_back(s, aside) else ())]
    if s.waiting:
        return _judge(s, [fact])
    if s.newest is None:
        if not isinstance(fact, Started):
            return [SubscriptionFactWaiting(at=fact.at, fact=fact, awaits="subscription")]
    elif _amid(s, s.newest, fact):
        return _judge(s, [fact])
    outcome = apply(s.after, fact)
    return [_refused(fact, outcome) if isinstance(outcome, Refused) else _accepted(fact, outcome)]


def receive_together(s: Subscription, received: Sequence[Received], now: datetime) -> Sequence[AnyEvent]:
    """What follows from several facts at once: the same in the end as from one after the other, with a single fold."""
    events: list[AnyEvent] = []
    ready: dict[Name, AnyFact] = {}
    anew = False
    for one in received:
        name = one.fact.name
        if _known(s, name) or name in ready:
            continue
        aside = _set_aside(one, s.size + len(ready), now)
        if aside is None:
            ready[name] = one.fact
        else:
            events.append(aside)
            anew = anew or _takes_back(s, aside)
            s = evolve(s, aside)
    return [*events, *(_judge(s, list(ready.values())) if ready or anew else ())]


def fall_due(s: Subscription, known: Collection[str], now: datetime) -> Sequence[AnyEvent]:
    """What follows from the scheduled facts whose instant has come (D10.14); asked again, nothing.

    Args:
        s: the subscription so far.
        known: the organizations that are registered, among those of `due_organizations`.
        now: the service's present instant.
    """
    came = [fact for fact in s.scheduled.values() if fact.at <= now]
    waits = [fact for fact in came if fact.organization_id not in known]
    events: list[AnyEvent] = [SubscriptionFactWaiting(at=fact.at, fact=fact, awaits="organization") for fact in waits]
    for event in events:
        s = evolve(s, event)
    ready = [fact for fact in came if fact.organization_id in known]
    return [*events, *(_judge(s, ready) if ready else ())]


def due_organizations(s: Subscription, now: datetime) -> frozenset[str]:
    """The organizations of scheduled facts whose instant has come."""
    return frozenset(fact.organization_id for fact in s.scheduled.values() if fact.at <= now)


def organization_registered(s: Subscription, organization_id: str) -> Sequence[AnyEvent]:
    """What follows for a subscription when an organization it may have waited for is known (S7)."""
    ready = [
        w.fact for w in s.waiting.values() if w.awaits == "organization" and w.fact.organization_id == organization_id
    ]
    return _judge(s, ready) if ready else []


def dismiss(s: Subscription, chosen: Name | None, remark: str) -> Sequence[AnyEvent]:
    """Refuse for good what waits, because a person says so (S7, O7); heard again, it stays refused.

    Args:
        s: the subscription so far.
        chosen: (source, id) of the fact that is meant; None: all that wait.
        remark: why.
    """
    return [
        _refused(w.fact, FactDismissed(remark=remark))
        for name, w in s.waiting.items()
        if chosen is None or name == chosen
    ]


def _known(s: Subscription, name: Name) -> bool:
    return name in s.facts or name in s.waiting or name in s.scheduled


def _set_aside(received: Received, size: int, now: datetime) -> AnyEvent | None:
    """What becomes of a fact that cannot be folded with the others now; None: it can."""
    fact = received.fact
    at = min(fact.at, now)
    if size >= MOST_FACTS + (MORE_FOR_TERMINATIONS if isinstance(fact, Terminated) else 0):
        return _refused(fact, TooManyFacts(most=MOST_FACTS), at=at)
    if not received.number_possible:
        return _refused(fact, NumberImpossible(number=number_named(fact)), at=at)
    if fact.at > now:
        if fact.at - now > MOST_AHEAD:
            return _refused(fact, TooFarAhead(kind=fact.KIND, at=rfc3339(fact.at), now=rfc3339(now)), at=at)
        return SubscriptionFactScheduled(at=now, fact=fact)
    if not received.organization_known:
        return SubscriptionFactWaiting(at=fact.at, fact=fact, awaits="organization")
    return None


def _amid(s: Subscription, newest: AnyFact, fact: AnyFact) -> bool:
    """Whether a fact may change what others come to: it is not the last one in order, or is bound up with an end."""
    return (
        (s.sequenced and fact.sequence is None)
        or not _later(fact, newest, sequenced=s.sequenced)
        or order_open(fact, newest, by_sequence if s.sequenced else by_time)
        or (s.last_end is not None and fact.at <= s.last_end)
        or (fact.CONTINUES and bool(s.scheduled))
    )


def _takes_back(s: Subscription, aside: AnyEvent) -> bool:
    """Whether an end that is scheduled may be one that a reactivation on record has overtaken: then that counts."""
    if not isinstance(aside, SubscriptionFactScheduled) or not aside.fact.ENDS or s.newest is None or not s.sequenced:
        return False
    sequence, newest = aside.fact.sequence, s.newest.sequence
    return sequence is not None and newest is not None and sequence < newest


def _judge(s: Subscription, ready: Sequence[AnyFact]) -> Sequence[AnyEvent]:
    """Judge everything anew, with some more facts; what comes out as it was on record is not recorded again."""
    facts = [j.fact for j in s.facts if j.takes_part]
    facts += [w.fact for w in s.waiting.values() if w.awaits == "subscription"]
    facts += ready
    if not any(isinstance(fact, Started) for fact in facts):
        return [SubscriptionFactWaiting(at=fact.at, fact=fact, awaits="subscription") for fact in ready]
    coming = {fact.name for fact in ready}
    after, verdicts = fold(facts, [fact for name, fact in s.scheduled.items() if name not in coming])
    assert after is not None, "the first start counts"
    events: list[AnyEvent] = []
    for fact, refusal in verdicts:
        before = s.facts.get(fact.name)
        if before is None or before.refused != (refusal.code if refusal else None):
            revised = before is not None
            events.append(
                _refused(fact, refusal, revised=revised) if refusal else _accepted(fact, after, revised=revised)
            )
    if after != s.after and all(isinstance(event, SubscriptionFactRefused) for event in events):
        # Only refusals, yet the whole is another: the newest public event must carry it all the same.
        newest = next(fact for fact, refusal in reversed(verdicts) if refusal is None)
        events.append(_accepted(newest, after, revised=True))
    return events


def _accepted(fact: AnyFact, after: After, *, revised: bool = False) -> Accepted:
    return ACCEPTED[type(fact)](at=fact.at, fact=fact, after=after, revised=revised)  # type: ignore[arg-type]


def _refused(
    fact: AnyFact, refusal: Refused, *, revised: bool = False, at: datetime | None = None
) -> SubscriptionFactRefused:
    return SubscriptionFactRefused(
        at=at or fact.at, fact=fact, code=refusal.code, reason=refusal.sentence, revised=revised
    )
