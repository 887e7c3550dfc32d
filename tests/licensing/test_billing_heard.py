"""When billing's messages come in batches: each takes effect once, waits where it must, or is on record (S1-S4, S7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from trunkline.clock import DAY
from trunkline.contracts.licensing import CONTRACTS
from trunkline.eventstore.recorded_event import RecordedEvent
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION
from trunkline_licensing.message_handlers import billing_events, party_events
from trunkline_licensing.publishing import published

ORG = "0a9e0000-0000-4000-8000-000000000001"
SUB = "5ab5c1b7-0000-4000-8000-000000000001"
OTHER_SUB = "5ab5c1b7-0000-4000-8000-000000000002"
NUMBER = {"product": "number", "number": "+6512345678", "sku": "DID"}


def started(say: Any, subscription: str = SUB, day: float = 0, **own: Any) -> Any:
    return say("billing.subscription.started", subscription, day, **{**NUMBER, **own})


def test_then_its_facts_are_on_record_with_their_cause(licensing: Any, say: Any, registered: Any) -> None:
    """S1, S4: one batch, many subscriptions; the state after them is published under the contract."""
    licensing.receive(
        registered,
        started(say),
        started(say, OTHER_SUB),
        say("billing.subscription.expired", SUB, 30),
    )
    assert licensing.names() == [
        "OrganizationRegistered",
        "SubscriptionActivated",
        "SubscriptionActivated",
        "SubscriptionExpired",
    ]
    expired: RecordedEvent = licensing.log()[-1]
    assert (expired.meta.actor, expired.meta.causation_id) == ("/billing", f"billing.subscription.expired-{SUB}-30")
    assert expired.meta.recorded_at == licensing.clock.now()
    said = published(expired)
    assert said is not None
    assert said[0] is CONTRACTS["SubscriptionExpired"]
    assert (said[1].subscription_id, said[1].status, said[1].number) == (SUB, "expired", "+6512345678")
    assert expired.version == 2


@pytest.mark.parametrize("one_batch", [True, False])
def test_then_a_repetition_has_no_effect(licensing: Any, say: Any, registered: Any, one_batch: bool) -> None:
    """S3, X3: same source and id, same contents; in one batch or in two."""
    messages = [registered, started(say), started(say), registered, started(say)]
    for batch in [messages] if one_batch else [[m] for m in messages]:
        licensing.receive(*batch)
    assert licensing.names() == ["OrganizationRegistered", "SubscriptionActivated"]
    assert licensing.quarantined() == []


@pytest.mark.parametrize("one_batch", [True, False])
def test_then_the_same_id_with_other_contents_is_quarantined(
    licensing: Any, say: Any, registered: Any, one_batch: bool
) -> None:
    """S3: reported, never applied; the first one stands, however often the other comes."""
    other = started(say, number="+6587654321")
    messages = [registered, started(say), other, other]
    for batch in [messages] if one_batch else [[m] for m in messages]:
        licensing.receive(*batch)
    assert licensing.quarantined() == [("/billing", started(say).id, SUB)]
    assert licensing.names() == ["OrganizationRegistered", "SubscriptionActivated"]
    assert licensing.state(SUBSCRIPTION, SUB).after.number == "+6512345678"


def test_then_the_same_id_of_another_source_is_another_fact(licensing: Any, say: Any, registered: Any) -> None:
    """S3: source and id together name a fact."""
    licensing.receive(registered, started(say, id="1", source="/a"), started(say, OTHER_SUB, id="1", source="/b"))
    assert licensing.names()[1:] == ["SubscriptionActivated", "SubscriptionActivated"]
    assert licensing.quarantined() == []


def test_then_facts_of_an_unknown_organization_wait_for_it(licensing: Any, say: Any, registered: Any) -> None:
    """S7: visible to operators; the registration settles them in the same transaction."""
    licensing.receive(started(say), started(say, OTHER_SUB))
    licensing.receive(say("billing.subscription.expired", SUB, 30))
    assert set(licensing.names()) == {"SubscriptionFactWaiting"}
    assert licensing.awaited() == {
        (f"party/{ORG}", f"subscription/{SUB}"),
        (f"party/{ORG}", f"subscription/{OTHER_SUB}"),
    }
    assert [published(row) for row in licensing.log()] == [None, None, None]
    licensing.receive(registered)
    assert sorted(licensing.names(3)) == [
        "OrganizationRegistered",
        "SubscriptionActivated",
        "SubscriptionActivated",
        "SubscriptionExpired",
    ]
    assert licensing.awaited() == set()
    assert licensing.state(SUBSCRIPTION, SUB).after.status == "expired"
    assert licensing.log()[-1].meta.causation_id == registered.id


def test_then_an_organization_registered_in_the_same_batch_is_known(licensing: Any, say: Any, registered: Any) -> None:
    """S7: whatever the order within the batch."""
    licensing.receive(started(say), registered)
    assert licensing.names() == ["OrganizationRegistered", "SubscriptionActivated"]
    assert licensing.awaited() == set()


def test_then_a_fact_before_its_start_waits_for_it(licensing: Any, say: Any, registered: Any) -> None:
    """S7: over batches."""
    licensing.receive(registered, say("billing.subscription.expired", SUB, 30))
    assert licensing.awaited() == {(f"subscription/{SUB}", f"subscription/{SUB}")}
    licensing.receive(started(say))
    assert licensing.awaited() == set()
    assert licensing.names()[2:] == ["SubscriptionActivated", "SubscriptionExpired"]


def test_then_a_partner_is_no_organization(licensing: Any, say: Any) -> None:
    """S7: a subscription belongs to an organization; another kind of party under that id does not do."""
    licensing.receive(
        say("party.partner.registered", ORG, name="P", owner_email="o@p.example", support_email="s@p.example")
    )
    licensing.receive(started(say))
    assert licensing.names()[-1] == "SubscriptionFactWaiting"


def test_then_an_impossible_number_is_refused_on_record(licensing: Any, say: Any, registered: Any) -> None:
    """§9, X6: no dead letter, and nothing said; a later start with a possible number counts."""
    licensing.receive(registered, started(say, number="+65123"), started(say, day=1))
    assert licensing.names()[1:] == ["SubscriptionFactRefused", "SubscriptionActivated"]
    licensing.receive(
        say("billing.subscription.number_swapped", SUB, 2, old_number="+6512345678", new_number="+999123456")
    )
    refused = licensing.log()[-1]
    assert refused.event.code == "number-impossible"
    assert licensing.state(SUBSCRIPTION, SUB).after.number == "+6512345678"


def test_then_every_product_is_on_record(licensing: Any, say: Any, registered: Any) -> None:
    """S1: license and DID reservation too."""
    third = "5ab5c1b7-0000-4000-8000-000000000003"
    licensing.receive(
        registered,
        say(
            "billing.subscription.started",
            OTHER_SUB,
            product="license",
            license_code="phone_system",
            quantity=3,
            reference="REF1",
        ),
        say("billing.subscription.started", third, product="did_reservation", quantity=2, plan_days=30),
        say("billing.subscription.quantity_changed", OTHER_SUB, 1, quantity=9),
        say("billing.subscription.renewed", third, 1, renewed_until="2026-09-01T00:00:00+02:00"),
    )
    license_ = licensing.state(SUBSCRIPTION, OTHER_SUB).after
    assert (license_.product, license_.license_code, license_.quantity, license_.reference) == (
        "license",
        "phone_system",
        9,
        "REF1",
    )
    cover = licensing.state(SUBSCRIPTION, third).after
    assert (cover.plan_days, cover.quantity, cover.number) == (30, 2, None)
    assert cover.renewed_until.utcoffset() == timedelta(0)


def test_then_a_late_fact_is_stamped_in_order_but_counts_from_its_own_instant(
    licensing: Any, say: Any, registered: Any
) -> None:
    """§10.10, §10.12: `occurred_at` never decreases within a stream; the fact keeps its instant."""
    licensing.receive(registered, started(say), say("billing.subscription.terminated", SUB, 50))
    licensing.receive(say("billing.subscription.expired", SUB, 20))
    terminated, expired = licensing.log()[-2:]
    assert expired.event.at == terminated.event.at - 30 * DAY
    assert expired.meta.occurred_at == terminated.meta.occurred_at
    assert expired.event.after.expired_at == expired.event.at


def test_then_a_thousand_in_one_batch_are_read_in_few_queries(
    licensing: Any, say: Any, registered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B3's ground: no query per message."""
    subscriptions = [f"5ab5c1b7-0000-4000-8000-{n:012}" for n in range(1000)]
    licensing.receive(registered)
    queries: list[str] = []
    fetch = licensing.store.fetch

    def counting(sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return fetch(sql, *rest)

    monkeypatch.setattr(licensing.store, "fetch", counting)
    licensing.receive(*(started(say, subscription) for subscription in subscriptions))
    assert len(queries) == 1  # heard before, the subscriptions, their organizations
    monkeypatch.undo()
    assert licensing.names().count("SubscriptionActivated") == 1000


@pytest.mark.parametrize("rival_registers", [True, False])
def test_then_a_registration_in_between_loses_nobody(
    licensing: Any, say: Any, registered: Any, rival_registers: bool
) -> None:
    """S7: whichever of the two commits first, the other sees it before it commits."""
    mine, rival = (started(say), registered) if rival_registers else (registered, started(say))
    rivals = [rival]

    def decide(work: Any) -> None:
        (party_events if mine is registered else billing_events).handle(work, [mine])
        if rivals:
            licensing.receive(rivals.pop())

    licensing.do(decide)
    assert licensing.state(SUBSCRIPTION, SUB).after.status == "active"
    assert licensing.awaited() == set()


def test_then_a_repetition_in_between_has_no_effect(licensing: Any, say: Any, registered: Any) -> None:
    """S3, X3: two doors hear the same message at the same time."""
    licensing.receive(registered)
    rivals = [started(say)]

    def decide(work: Any) -> None:
        billing_events.handle(work, [started(say)])
        if rivals:
            licensing.receive(rivals.pop())

    licensing.do(decide)
    assert licensing.names()[1:] == ["SubscriptionActivated"]
