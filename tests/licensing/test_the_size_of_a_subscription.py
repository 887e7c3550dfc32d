"""When a subscription has thousands of facts: work and bytes grow with the facts, not with their square (S3, X4)."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import pytest

from trunkline.limits import PAST_KEPT
from trunkline_licensing.domain.subscription import order as subscription_order
from trunkline_licensing.domain.subscription import subscription
from trunkline_licensing.domain.subscription.subscription import MOST_FACTS, SUBSCRIPTION

SUB = "5ab5c1b7-0000-4000-8000-000000000001"
COVER = {"product": "did_reservation", "quantity": 3, "plan_days": 30}
NUMBER = {"product": "number", "number": "+6512345678", "sku": "DID"}
A_B = ("+6512345678", "+6512345679")
HOURS = 1 / 24
MANY = 400


def renewed(say: Any, n: int) -> Any:
    return say("billing.subscription.renewed", SUB, n * HOURS, renewed_until="2027-01-01T00:00:00Z")


def quantity(say: Any, n: int) -> Any:
    return say("billing.subscription.quantity_changed", SUB, n * HOURS, quantity=n % 7)


def swapped(say: Any, n: int) -> Any:
    old, new = A_B[(n - 1) % 2], A_B[n % 2]
    return say("billing.subscription.number_swapped", SUB, n * HOURS, old_number=old, new_number=new)


def ended_and_back(say: Any, n: int) -> Any:
    return say(f"billing.subscription.{'expired' if n % 2 else 'reactivated'}", SUB, n * HOURS)


KINDS = {"renewals": (COVER, renewed), "quantities": (COVER, quantity), "swaps": (NUMBER, swapped),
         "ends": (NUMBER, ended_and_back), "ends of a cover": (COVER, ended_and_back)}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_then_no_event_grows_with_the_facts_before_it(licensing: Any, say: Any, registered: Any, kind: str) -> None:
    """S3: beyond the past that is kept, each event has the size of the one before it."""
    bought, make = KINDS[kind]
    licensing.receive(registered, say("billing.subscription.started", SUB, **bought))
    licensing.receive(*(make(say, n) for n in range(1, MANY + 1)))
    sizes = [size for (size,) in licensing.store.fetch(
        "SELECT octet_length(state) FROM stored_events WHERE originator_id = %s ORDER BY originator_version",
        (f"subscription/{SUB}",),
    )]  # fmt: skip
    assert len(sizes) == MANY + 1
    assert max(sizes[MANY // 2 :]) <= max(sizes[: MANY // 2]) + 100
    after = licensing.state(SUBSCRIPTION, SUB).after
    assert max(len(after.covers), len(after.gaps), len(after.swapped_out)) == PAST_KEPT


@pytest.mark.parametrize("order", ["in order", "reversed", "from both ends"])
@pytest.mark.parametrize("waits", [False, True])
def test_then_a_call_folds_a_subscription_once(
    licensing: Any, say: Any, registered: Any, monkeypatch: pytest.MonkeyPatch, order: str, waits: bool
) -> None:
    """X4: whatever the order, and whether the organization is known yet, each fact is applied a few times at most."""
    facts = [say("billing.subscription.started", SUB, **COVER), *(renewed(say, n) for n in range(1, MANY))]
    if order != "in order":
        facts = facts[::-1] if order == "reversed" else [f for two in zip(facts, facts[::-1], strict=True) for f in two]
    applied = 0

    def counting(*given: Any) -> Any:
        nonlocal applied
        applied += 1
        return original(*given)

    original = subscription_order.apply
    monkeypatch.setattr(subscription_order, "apply", counting)
    monkeypatch.setattr(subscription, "apply", counting)
    if not waits:
        licensing.receive(registered)
    licensing.receive(*facts)
    licensing.receive(registered)
    assert licensing.state(SUBSCRIPTION, SUB).after.renewed_until is not None
    assert applied <= 3 * MANY


def test_then_memory_is_given_back_after_a_large_call(licensing: Any, say: Any, registered: Any) -> None:
    """S3: nothing of thousands of facts stays with the process."""
    licensing.receive(registered, say("billing.subscription.started", SUB, **COVER))
    licensing.receive(*(renewed(say, n) for n in range(1, 10)))
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        licensing.receive(*(renewed(say, n) for n in range(10, 1_010)))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 4 << 20


def test_then_what_is_beyond_the_bound_is_refused_on_record(
    licensing: Any, say: Any, registered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3, X6: a code and a sentence that say what to do; a termination is taken all the same."""
    assert MOST_FACTS >= 10_000
    monkeypatch.setattr(subscription, "MOST_FACTS", 5)
    licensing.receive(registered, say("billing.subscription.started", SUB, **COVER))
    licensing.receive(*(renewed(say, n) for n in range(1, 8)))
    licensing.receive(say("billing.subscription.terminated", SUB, 9))
    assert licensing.names()[1:] == [
        *("SubscriptionActivated", *["SubscriptionRenewed"] * 4),
        *("SubscriptionFactRefused", "SubscriptionFactRefused", "SubscriptionFactRefused", "SubscriptionTerminated"),
    ]
    refused = licensing.log()[-2].event
    assert (refused.code, "5 facts" in refused.reason) == ("too-many-facts", True)
    assert licensing.state(SUBSCRIPTION, SUB).size == 6
