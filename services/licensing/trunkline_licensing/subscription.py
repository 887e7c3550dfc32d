"""One subscription: everything billing said of it, judged together (S1-S4, S7, X4, DOMAIN §10.12).

                   started               expired
    (unknown) ---------------> Active -------------> Expired
                                 ^  |  reactivated      |
                                 |  +<------------------+
                      renewed,   |  |                   |
             quantity changed,   |  | terminated        | terminated
               number swapped ---+  v                   v
                                 Terminated (final) <---+

A fact waits until its organization is registered and the start has been heard. From then on every fact is on record
as accepted or refused, and each public event carries the subscription after *all* facts heard so far, so that the
newest one is all a listener needs. A late fact may change the verdict on others: these are then recorded again
(`revised`). Nothing here depends on the present instant, so that any order of hearing ends in the same state.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from trunkline.refusal import Refused
from trunkline.stream import Decider
from trunkline_licensing.subscription_events import (
    ACCEPTED,
    EVENTS,
    Accepted,
    AnyEvent,
    Awaits,
    SubscriptionFactRefused,
    SubscriptionFactWaiting,
)
from trunkline_licensing.subscription_facts import (
    After,
    AnyFact,
    Started,
    apply,
    by_sequence,
    by_time,
    fold,
    number_named,
    order_open,
)
from trunkline_licensing.subscription_refusals import FactDismissed, NumberImpossible

# -- state ------------------------------------------------------------------------------------------------------------


class Judged(msgspec.Struct, frozen=True, gc=False):
    """A fact with its verdict: `refused` is the code of the refusal, None where the fact counts."""

    fact: AnyFact
    refused: str | None

    @property
    def takes_part(self) -> bool:
        """Whether the fact has a place in the order at all: one with an impossible number never has, nor one that
        a person dismissed while it waited.
        """
        return self.refused not in (NumberImpossible.code, FactDismissed.code)


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A fact without a verdict, and what it waits for."""

    fact: AnyFact
    awaits: Awaits


class Subscription(msgspec.Struct, frozen=True):
    """All that decisions need to know of a subscription.

    Attributes:
        id: the subscription's id.
        after: what all judged facts come to; None as long as no start counts.
        facts: every judged fact, in the order of hearing.
        waiting: every fact that has no verdict yet.
        newest: the last fact in order: a fact that comes after it needs no new fold.
        sequenced: whether every fact so far has a sequence, which then orders them.
    """

    id: str
    after: After | None = None
    facts: tuple[Judged, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    newest: AnyFact | None = None
    sequenced: bool = True


def evolve(s: Subscription, event: AnyEvent) -> Subscription:
    """The subscription after one more event. Assigns only; never guards."""
    match event:
        case SubscriptionFactWaiting():
            return replace(s, waiting=(*_without(s.waiting, event.fact), Waiting(event.fact, event.awaits)))
        case SubscriptionFactRefused():
            return _judged(s, Judged(event.fact, event.code), s.after, revised=event.revised)
        case _:
            return _judged(s, Judged(event.fact, None), event.after, revised=event.revised)


def _judged(s: Subscription, judged: Judged, after: After | None, *, revised: bool) -> Subscription:
    fact = judged.fact
    if revised:
        facts = tuple(judged if _same(j.fact, fact) else j for j in s.facts)
        return Subscription(s.id, after, facts, s.waiting, s.newest, s.sequenced)
    facts = (*s.facts, judged)
    waiting = _without(s.waiting, fact) if s.waiting else s.waiting
    if not judged.takes_part:
        return Subscription(s.id, after, facts, waiting, s.newest, s.sequenced)
    sequenced = s.sequenced and fact.sequence is not None
    newest = s.newest
    if sequenced != s.sequenced:  # the order is another one from here on
        newest = max((j.fact for j in facts if j.takes_part), key=by_time)
    elif newest is None or _later(fact, newest, sequenced=sequenced):
        newest = fact
    return Subscription(s.id, after, facts, waiting, newest, sequenced)


def _same(one: AnyFact, other: AnyFact) -> bool:
    return one.id == other.id and one.source == other.source


def _without(waiting: tuple[Waiting, ...], fact: AnyFact) -> tuple[Waiting, ...]:
    return tuple(w for w in waiting if not _same(w.fact, fact))


def _later(fact: AnyFact, than: AnyFact, *, sequenced: bool) -> bool:
    order = by_sequence if sequenced else by_time
    return order(fact) > order(than)


SUBSCRIPTION: Decider[Subscription] = Decider("subscription", Subscription, evolve, EVENTS)


def awaited(s: Subscription) -> frozenset[tuple[Awaits, str]]:
    """What the subscription's facts wait for (S7): an organization by its id, or the start of the subscription."""
    return frozenset((w.awaits, w.fact.organization_id if w.awaits == "organization" else s.id) for w in s.waiting)


# -- decisions --------------------------------------------------------------------------------------------------------


def hear(
    s: Subscription, fact: AnyFact, *, organization_known: bool, number_possible: bool = True
) -> Sequence[AnyEvent]:
    """What follows from a fact of billing (S2, S3, S7). Heard again, nothing.

    Args:
        s: the subscription so far.
        fact: what billing said.
        organization_known: whether the fact's organization is registered.
        number_possible: whether the number that the fact names can exist at all (DOMAIN §9).
    """
    if any(_same(j.fact, fact) for j in s.facts):
        return []
    if not number_possible:
        return [_refused(fact, NumberImpossible(number=number_named(fact)))]
    if s.waiting:
        return _heard_beside_waiting(s, fact, organization_known=organization_known)
    if not organization_known:
        return [SubscriptionFactWaiting(at=fact.at, fact=fact, awaits="organization")]
    if s.newest is None:
        if not isinstance(fact, Started):
            return [SubscriptionFactWaiting(at=fact.at, fact=fact, awaits="subscription")]
    elif (
        (s.sequenced and fact.sequence is None)
        or not _later(fact, s.newest, sequenced=s.sequenced)
        or order_open(fact, s.newest, by_sequence if s.sequenced else by_time)
    ):
        return _judge(s, [fact])
    outcome = apply(s.after, fact)
    return [_refused(fact, outcome) if isinstance(outcome, Refused) else _accepted(fact, outcome)]


def organization_registered(s: Subscription, organization_id: str) -> Sequence[AnyEvent]:
    """What follows for a subscription when an organization it may have waited for is known (S7)."""
    ready = [w.fact for w in s.waiting if w.awaits == "organization" and w.fact.organization_id == organization_id]
    return _judge(s, ready) if ready else []


def dismiss(s: Subscription, chosen: tuple[str, str] | None, remark: str) -> Sequence[AnyEvent]:
    """Refuse for good what waits, because a person says so (S7, O7); heard again, it stays refused.

    Args:
        s: the subscription so far.
        chosen: (source, id) of the fact that is meant; None: all that wait.
        remark: why.
    """
    return [
        _refused(w.fact, FactDismissed(remark=remark))
        for w in s.waiting
        if chosen is None or (w.fact.source, w.fact.id) == chosen
    ]


def _heard_beside_waiting(s: Subscription, fact: AnyFact, *, organization_known: bool) -> Sequence[AnyEvent]:
    if any(_same(w.fact, fact) for w in s.waiting):
        return []
    if not organization_known:
        return [SubscriptionFactWaiting(at=fact.at, fact=fact, awaits="organization")]
    return _judge(s, [fact])


def _judge(s: Subscription, ready: Sequence[AnyFact]) -> Sequence[AnyEvent]:
    """Judge everything anew, with some more facts; what comes out as it was on record is not said again."""
    verdicts_before = {(j.fact.source, j.fact.id): j.refused for j in s.facts}
    facts = [j.fact for j in s.facts if j.takes_part]
    facts += [w.fact for w in s.waiting if w.awaits == "subscription"]
    facts += ready
    after, verdicts = fold(facts)
    if after is None:
        return [SubscriptionFactWaiting(at=fact.at, fact=fact, awaits="subscription") for fact in ready]
    events: list[AnyEvent] = []
    for fact, refusal in verdicts:
        revised = (key := (fact.source, fact.id)) in verdicts_before
        if not revised or verdicts_before[key] != (refusal.code if refusal else None):
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


def _refused(fact: AnyFact, refusal: Refused, *, revised: bool = False) -> SubscriptionFactRefused:
    return SubscriptionFactRefused(at=fact.at, fact=fact, code=refusal.code, reason=refusal.sentence, revised=revised)
