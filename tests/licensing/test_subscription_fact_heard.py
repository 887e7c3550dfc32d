"""When one fact of a subscription is heard: what it changes, what refuses it, what it waits for (S2, S3, S7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trunkline_licensing.domain.subscription import subscription
from trunkline_licensing.domain.subscription.events import (
    AnyEvent,
    SubscriptionActivated,
    SubscriptionExpired,
    SubscriptionFactRefused,
    SubscriptionFactWaiting,
    SubscriptionNumberSwapped,
    SubscriptionQuantityChanged,
    SubscriptionReactivated,
    SubscriptionRenewed,
    SubscriptionTerminated,
)
from trunkline_licensing.domain.subscription.facts import (
    After,
    AnyFact,
    Expired,
    NumberSwapped,
    QuantityChanged,
    Reactivated,
    Renewed,
    Started,
    SwappedOut,
    Terminated,
)
from trunkline_licensing.domain.subscription.subscription import (
    SUBSCRIPTION,
    Received,
    Subscription,
    awaited,
    evolve,
    organization_registered,
)

SUBSCRIPTION_ID = "5ab5c1b7-0000-4000-8000-000000000001"
ORG = "0a9e0000-0000-4000-8000-000000000001"
OTHER_ORG = "0a9e0000-0000-4000-8000-000000000002"


def day(n: float) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=n)


def fact(kind: type[AnyFact], on: float, *, org: str = ORG, id_: str | None = None, **own: Any) -> AnyFact:
    name = id_ or f"{kind.KIND}-{on}"
    return kind(source="/billing", id=name, at=day(on), organization_id=org, **own)


def started(on: float = 0, **own: Any) -> AnyFact:
    return fact(Started, on, **{"product": "number", "number": "+6512345678", "sku": "DID", **own})


def licensed(on: float = 0, **own: Any) -> AnyFact:
    return fact(Started, on, product="license", license_code="phone_system", quantity=5, **own)


def swapped(on: float, old: str = "+6512345678", new: str = "+6587654321", **own: Any) -> AnyFact:
    return fact(NumberSwapped, on, old_number=old, new_number=new, **own)


def receive(
    s: Subscription, one: AnyFact, *, organization_known: bool, number_possible: bool = True
) -> Sequence[AnyEvent]:
    return subscription.receive(s, Received(one, organization_known, number_possible), day(1000))


def given(*facts: AnyFact, organization_known: bool = True) -> Subscription:
    s = SUBSCRIPTION.initial(SUBSCRIPTION_ID)
    for one in facts:
        s = after(s, receive(s, one, organization_known=organization_known))
    return s


def after(s: Subscription, events: Any) -> Subscription:
    for event in events:
        s = evolve(s, event)
    return s


def when(s: Subscription, one: AnyFact) -> AnyEvent:
    [event] = receive(s, one, organization_known=True)
    return event


def state(s: Subscription) -> After:
    assert s.after is not None
    return s.after


def test_then_a_start_makes_it_active() -> None:
    """S2, S4: the start counts from its own instant and carries what was bought."""
    event = when(given(), started())
    assert isinstance(event, SubscriptionActivated)
    assert event.at == day(0)
    assert event.after == After(
        organization_id=ORG, product="number", started_at=day(0), number="+6512345678", sku="DID"
    )


def test_then_an_expiry_makes_it_expired() -> None:
    """S2."""
    event = when(given(started()), fact(Expired, 30))
    assert isinstance(event, SubscriptionExpired)
    assert (event.after.status, event.after.expired_at) == ("expired", day(30))


def test_then_a_reactivation_makes_it_active_again() -> None:
    """S2."""
    event = when(given(started(), fact(Expired, 30)), fact(Reactivated, 31))
    assert isinstance(event, SubscriptionReactivated)
    assert (event.after.status, event.after.expired_at) == ("active", None)


@pytest.mark.parametrize("before", [(), (fact(Expired, 30),)], ids=["active", "expired"])
def test_then_a_termination_ends_it(before: tuple[AnyFact, ...]) -> None:
    """S2: from active as from expired; when it expired stays on record (DOMAIN §10.5)."""
    event = when(given(started(), *before), fact(Terminated, 40))
    assert isinstance(event, SubscriptionTerminated)
    assert (event.after.status, event.after.terminated_at) == ("terminated", day(40))
    assert event.after.expired_at == (day(30) if before else None)


@pytest.mark.parametrize("before", [(), (fact(Expired, 30),)], ids=["active", "expired"])
def test_then_a_renewal_counts_while_it_is_not_terminated(before: tuple[AnyFact, ...]) -> None:
    """S2."""
    event = when(given(started(), *before), fact(Renewed, 40, renewed_until=day(70)))
    assert isinstance(event, SubscriptionRenewed)
    assert event.after.renewed_until == day(70)


@pytest.mark.parametrize("quantity", [0, 7])
def test_then_a_quantity_counts_even_zero(quantity: int) -> None:
    """S2."""
    event = when(given(licensed()), fact(QuantityChanged, 1, quantity=quantity))
    assert isinstance(event, SubscriptionQuantityChanged)
    assert event.after.quantity == quantity


def test_then_a_swap_gives_the_new_number_and_remembers_the_old_one() -> None:
    """S4, N9."""
    event = when(given(started()), swapped(3))
    assert isinstance(event, SubscriptionNumberSwapped)
    assert event.after.number == "+6587654321"
    assert event.after.swapped_out == (SwappedOut("+6512345678", day(3)),)


def test_then_a_swap_of_a_number_it_does_not_have_gives_the_new_one_all_the_same() -> None:
    """N9: a subscription whose old number it does not hold gets the new one alone."""
    event = when(given(started()), swapped(3, old="+6511112222"))
    assert isinstance(event, SubscriptionNumberSwapped)
    assert event.after.number == "+6587654321"


def test_then_a_number_that_comes_back_stays_among_those_swapped_out() -> None:
    """§10.12: entries are history, `number` says what it has."""
    s = given(started(), swapped(3), swapped(4, old="+6587654321", new="+6512345678"))
    assert state(s).number == "+6512345678"
    assert state(s).swapped_out == (SwappedOut("+6512345678", day(3)), SwappedOut("+6587654321", day(4)))


@pytest.mark.parametrize(
    ("before", "heard", "code"),
    [
        ((started(),), started(1), "already-started"),
        ((started(),), fact(Expired, 1, org=OTHER_ORG), "organization-mismatch"),
        ((started(),), fact(QuantityChanged, 1, quantity=2), "wrong-product"),
        ((licensed(),), swapped(1), "wrong-product"),
        ((started(), fact(Expired, 1)), fact(Expired, 2), "already-expired"),
        ((started(),), fact(Reactivated, 2), "not-expired"),
        ((started(), fact(Expired, 1)), swapped(2), "expired"),
        ((started(), fact(Terminated, 1)), fact(Expired, 2), "terminated"),
        ((started(), fact(Terminated, 1)), fact(Reactivated, 2), "terminated"),
        ((started(), fact(Terminated, 1)), fact(Renewed, 2, renewed_until=day(9)), "terminated"),
        ((started(), fact(Terminated, 1)), swapped(2), "terminated"),
        ((licensed(), fact(Terminated, 1)), fact(QuantityChanged, 2, quantity=2), "terminated"),
        ((started(), fact(Terminated, 1)), fact(Terminated, 2), "already-terminated"),
        ((started(5),), fact(Expired, 1), "not-started"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_then_what_does_not_fit_is_on_record_as_refused(before: tuple[AnyFact, ...], heard: AnyFact, code: str) -> None:
    """S2, X6, §10.12: recorded with a code and a sentence, and without effect."""
    s = given(*before)
    event = when(s, heard)
    assert isinstance(event, SubscriptionFactRefused)
    assert event.code == code
    assert event.reason.endswith(".")
    assert "{" not in event.reason
    assert evolve(s, event).after == s.after


def test_then_the_same_fact_again_says_nothing() -> None:
    """S3: whatever became of it the first time."""
    facts = [fact(Expired, 1), started(), fact(Reactivated, 2), fact(Reactivated, 3)]
    s = given(*facts)
    assert [list(receive(s, one, organization_known=True)) for one in facts] == [[], [], [], []]
    waiting = given(*facts, organization_known=False)
    assert [list(receive(waiting, one, organization_known=True)) for one in facts] == [[], [], [], []]


def test_then_a_fact_before_the_start_waits_for_it() -> None:
    """S7: recorded as waiting; the start then settles it."""
    expiry = fact(Expired, 30)
    waiting = when(given(), expiry)
    assert waiting == SubscriptionFactWaiting(at=day(30), fact=expiry, awaits="subscription")
    s = given(expiry)
    assert (s.after, awaited(s)) == (None, {("subscription", SUBSCRIPTION_ID)})
    events = receive(s, started(), organization_known=True)
    assert [type(event) for event in events] == [SubscriptionActivated, SubscriptionExpired]
    assert {event.after.status for event in events if not isinstance(event, SubscriptionFactRefused)} == {"expired"}
    assert awaited(after(s, events)) == set()


def test_then_everything_waits_for_an_organization_that_is_not_registered() -> None:
    """S7."""
    s = given(started(), fact(Expired, 30), organization_known=False)
    assert (s.after, awaited(s)) == (None, {("organization", ORG)})
    assert organization_registered(s, OTHER_ORG) == []
    done = after(s, organization_registered(s, ORG))
    assert (state(done).status, done.waiting) == ("expired", {})
    assert organization_registered(done, ORG) == []


def test_then_a_fact_may_wait_for_both_one_after_the_other() -> None:
    """S7: for its organization, and after that for the start."""
    s = given(fact(Expired, 30), organization_known=False)
    s = after(s, organization_registered(s, ORG))
    assert awaited(s) == {("subscription", SUBSCRIPTION_ID)}
    s = after(s, receive(s, started(), organization_known=True))
    assert (state(s).status, s.waiting) == ("expired", {})


def test_then_a_fact_of_an_unknown_organization_waits_without_holding_up_the_others() -> None:
    """S7: it can be judged only when it is known whose it is."""
    s = given(started())
    s = after(s, receive(s, fact(Terminated, 1, org=OTHER_ORG), organization_known=False))
    s = after(s, receive(s, fact(Expired, 2), organization_known=True))
    assert (state(s).status, awaited(s)) == ("expired", {("organization", OTHER_ORG)})
    [event] = organization_registered(s, OTHER_ORG)
    assert isinstance(event, SubscriptionFactRefused)
    assert event.code == "organization-mismatch"


def test_then_a_start_with_an_impossible_number_is_refused_and_never_counts() -> None:
    """§9, X6: a recorded refusal, whether the organization is known or not; a corrected start still counts."""
    wrong = started(number="+999123")
    for known in (True, False):
        [event] = receive(given(), wrong, organization_known=known, number_possible=False)
        assert isinstance(event, SubscriptionFactRefused)
        assert event.code == "number-impossible"
        assert "+999123" in event.reason
    s = after(given(), receive(given(), wrong, organization_known=True, number_possible=False))
    s = after(s, receive(s, fact(Expired, 30), organization_known=True))
    s = after(s, receive(s, started(1), organization_known=True))
    assert (state(s).started_at, state(s).status) == (day(1), "expired")
    assert [j.refused for j in s.facts] == ["number-impossible", None, None]
