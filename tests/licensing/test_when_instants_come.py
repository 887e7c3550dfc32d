"""When the instants of messages come that were dated ahead: timers, late ones, rebuilt ones, restarts (§10.14, N10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from trunkline.deadlines.deadlines import Deadlines, rebuild_deadlines
from trunkline_licensing.domain.party.directory import PARTY
from trunkline_licensing.domain.pool.pool import POOL, pool_key
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION
from trunkline_licensing.publishing import published
from trunkline_licensing.wiring import service

ORG = "0a9e0000-0000-4000-8000-000000000001"
SUB = "5ab5c1b7-0000-4000-8000-000000000001"
NUMBER = {"product": "number", "number": "+6512345678", "sku": "DID"}
TODAY = 100
"""The day on which the clock of `licensing` stands."""


def settle(licensing: Any) -> int:
    """Run the timers until nothing is due; how many rows they took."""
    timers = Deadlines(licensing.store, licensing.clock, service().settle)
    try:
        taken = 0
        while done := timers.step():
            taken += done
        return taken
    finally:
        timers.resign()


def due(licensing: Any) -> list[str]:
    return [key for (key,) in licensing.store.fetch("SELECT key FROM deadlines ORDER BY due_at, key")]


def test_then_a_termination_counts_at_its_instant_and_is_published_then(
    licensing: Any, say: Any, registered: Any
) -> None:
    """§10.14: private until then; stamped with its instant, caused by the message that announced it."""
    licensing.receive(registered, say("billing.subscription.started", SUB, **NUMBER))
    end = say("billing.subscription.terminated", SUB, TODAY + 10)
    licensing.receive(end, end)
    scheduled = licensing.log()[-1]
    assert (licensing.names()[-1], published(scheduled)) == ("SubscriptionFactScheduled", None)
    assert scheduled.meta.occurred_at == licensing.clock.now()
    assert (due(licensing), settle(licensing)) == ([f"subscription/{SUB}"], 0)
    licensing.clock.advance(timedelta(days=12))
    assert (settle(licensing), settle(licensing), due(licensing)) == (1, 0, [])
    ended = licensing.log()[-1]
    assert licensing.names()[-2:] == ["SubscriptionFactScheduled", "SubscriptionTerminated"]
    assert (ended.event.at, ended.meta.occurred_at) == (end.time, end.time)
    assert (ended.meta.actor, ended.meta.correlation_id, ended.meta.causation_id) == ("timer", end.id, end.id)


def test_then_what_is_done_meanwhile_keeps_its_own_instant(licensing: Any, say: Any, registered: Any) -> None:
    """§10.14: `occurred_at` is never pushed ahead by a fact that lies ahead."""
    licensing.receive(registered, say("billing.subscription.started", SUB, **NUMBER))
    licensing.receive(say("billing.subscription.expired", SUB, TODAY + 10))
    licensing.receive(say("party.organization.changed", ORG, TODAY + 10, name="Later"))
    licensing.clock.advance(timedelta(days=1))
    licensing.receive(say("billing.subscription.renewed", SUB, TODAY + 1, renewed_until="2027-01-01T00:00:00Z"))
    licensing.receive(say("party.organization.changed", ORG, TODAY + 1, billing_email="c@acme.example"))
    assert all(row.meta.occurred_at <= licensing.clock.now() for row in licensing.log())


@pytest.mark.parametrize("timer", [True, False])
def test_then_a_fact_after_the_instant_meets_what_was_due(
    licensing: Any, say: Any, registered: Any, timer: bool
) -> None:
    """§10.14, N10: the same whether the timer or the fact comes first."""
    licensing.receive(registered, say("billing.subscription.started", SUB, **NUMBER))
    licensing.receive(say("billing.subscription.terminated", SUB, TODAY + 10))
    licensing.clock.advance(timedelta(days=20))
    if timer:
        settle(licensing)
    swap = {"old_number": "+6512345678", "new_number": "+6512345679"}
    licensing.receive(say("billing.subscription.number_swapped", SUB, TODAY + 15, **swap))
    assert licensing.names()[-2:] == ["SubscriptionTerminated", "SubscriptionFactRefused"]
    settle(licensing)
    assert due(licensing) == []


def test_then_deadlines_are_rebuilt_with_those_of_scheduled_facts(licensing: Any, say: Any, registered: Any) -> None:
    """§10.14, O3: the table is a projection; subscriptions, parties and people are in it."""
    licensing.receive(registered, say("billing.subscription.started", SUB, **NUMBER))
    licensing.receive(say("billing.subscription.terminated", SUB, TODAY + 10))
    licensing.receive(say("party.organization.changed", ORG, TODAY + 11, name="Later"))
    person = {"organization_id": ORG, "name": "Ann", "email": "ann@acme.example", "role": "admin"}
    ann = "1de00000-0000-4000-8000-000000000001"
    licensing.receive(say("party.identity.registered", ann, TODAY + 12, **person))
    before = due(licensing)
    assert before == [f"subscription/{SUB}", f"party/{ORG}", f"identity/{ann}"]
    licensing.store.fetch("DELETE FROM deadlines RETURNING key")
    rebuild_deadlines(licensing.store, service().deciders)
    assert due(licensing) == before
    licensing.clock.advance(timedelta(days=20))
    settle(licensing)
    assert licensing.names()[-3:] == ["SubscriptionTerminated", "OrganizationChanged", "IdentityRegistered"]
    assert licensing.state(PARTY, ORG).details.name == "Later"


def test_then_an_organization_registered_ahead_lets_those_who_wait_go_on(
    licensing: Any, say: Any, registered: Any
) -> None:
    """§10.14, S7: subscriptions wait for it until its instant."""
    ahead = say(
        "party.organization.registered", ORG, TODAY + 3, partner_id=None, name="A", billing_email="b@acme.example"
    )
    licensing.receive(ahead, say("billing.subscription.started", SUB, **NUMBER))
    assert licensing.names() == ["PartyFactScheduled", "SubscriptionFactWaiting"]
    licensing.clock.advance(timedelta(days=3))
    settle(licensing)
    assert sorted(licensing.names()[2:]) == ["OrganizationRegistered", "SubscriptionActivated"]
    assert licensing.awaited() == set()


def test_then_a_pool_is_fed_when_the_quantity_counts(licensing: Any, say: Any, registered: Any) -> None:
    """§10.14, S5: not before, in the same transaction then."""
    bought = {"product": "license", "license_code": "phone_system", "quantity": 2}
    licensing.receive(registered, say("billing.subscription.started", SUB, **bought))
    licensing.receive(say("billing.subscription.quantity_changed", SUB, TODAY + 5, quantity=7))
    pool = licensing.state(POOL, pool_key(ORG, "phone_system"))
    licensing.clock.advance(timedelta(days=5))
    assert licensing.state(POOL, pool_key(ORG, "phone_system")) == pool
    settle(licensing)
    assert licensing.state(SUBSCRIPTION, SUB).after.quantity == 7
    assert licensing.names()[-1] == "PoolSupplied"
