"""When parties are heard of, or registered by hand: who waited goes on, and what is claimed stays claimed (P0, S7)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.contracts import parties
from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline_licensing.domain.party.directory import IDENTITY, PARTY
from trunkline_licensing.domain.party.facts import Platform, Registration
from trunkline_licensing.message_handlers.party_events import command, fact_of_data
from trunkline_licensing.publishing import published

PARTNER = "9a270000-0000-4000-8000-000000000001"
ORG = "0a9e0000-0000-4000-8000-000000000001"
ANN = "1de00000-0000-4000-8000-000000000001"
BOB = "1de00000-0000-4000-8000-000000000002"
SUB = "5ab5c1b7-0000-4000-8000-000000000001"
BY_HAND = Causation("user:ops", "r1", "r1")


def partner(say: Any, key: str = PARTNER, domain: str = "r.example") -> Any:
    return say(
        "party.partner.registered",
        key,
        name="R",
        owner_email="o@r.example",
        support_email="s@r.example",
        domains=[domain],
    )


def organization(say: Any) -> Any:
    return say("party.organization.registered", ORG, partner_id=PARTNER, name="Acme", billing_email="b@acme.example")


def person(say: Any, key: str, role: str) -> Any:
    return say("party.identity.registered", key, organization_id=ORG, name="P", email="p@acme.example", role=role)


def test_then_a_chain_of_those_who_waited_goes_on_at_once(licensing: Any, say: Any) -> None:
    """S7: the person waits for the organization, that for the partner, a subscription for the organization."""
    licensing.receive(
        person(say, ANN, "owner"),
        organization(say),
        say("billing.subscription.started", SUB, product="number", number="+6512345678", sku="DID"),
    )
    assert licensing.awaited() == {
        (f"party/{PARTNER}", f"party/{ORG}"),
        (f"party/{ORG}", f"identity/{ANN}"),
        (f"party/{ORG}", f"subscription/{SUB}"),
    }
    licensing.receive(partner(say))
    assert licensing.names(3) == [
        "PartnerRegistered",
        "OrganizationRegistered",
        "IdentityRegistered",
        "SubscriptionActivated",
    ]
    assert licensing.awaited() == set()
    assert licensing.claims() == {"domain:r.example": f"party/{PARTNER}", f"owner:{ORG}": f"identity/{ANN}"}


def test_then_a_registration_by_hand_wakes_them_too(licensing: Any, say: Any) -> None:
    """S7."""
    licensing.receive(organization(say))
    fact = fact_of_data(partner(say).data, licensing.clock.now())
    after = licensing.do(lambda uow: command(uow, PARTY, PARTNER, fact, BY_HAND))
    assert after.kind == "partner"
    assert licensing.state(PARTY, ORG).kind == "organization"
    assert licensing.log()[-1].meta.actor == "user:ops"


def test_then_a_change_before_its_registration_waits_for_it(licensing: Any, say: Any) -> None:
    """S7."""
    licensing.receive(say("party.partner.changed", PARTNER, 1, name="New"))
    assert licensing.awaited() == {(f"party/{PARTNER}", f"party/{PARTNER}")}
    licensing.receive(partner(say))
    assert licensing.awaited() == set()
    assert licensing.state(PARTY, PARTNER).details.name == "New"


def test_then_a_message_takes_effect_once_and_a_changed_one_none(licensing: Any, say: Any) -> None:
    """S3 for parties."""
    licensing.receive(partner(say), partner(say))
    licensing.receive(partner(say), partner(say, domain="other.example"))
    assert licensing.names() == ["PartnerRegistered"]
    assert len(licensing.quarantined()) == 1


def test_then_a_domain_that_another_has_is_waited_for(licensing: Any, say: Any) -> None:
    """P0, S7: the first to have it gives it up, and the first of those who waited has it."""
    other = PARTNER[:-1] + "2"
    licensing.receive(partner(say), partner(say, other))
    assert licensing.names() == ["PartnerRegistered", "PartyFactWaiting"]
    assert licensing.awaited() == {(f"party/{PARTNER}", f"party/{other}")}
    licensing.receive(say("party.partner.changed", PARTNER, 1, domains=["new.example"]))
    assert licensing.claims() == {"domain:new.example": f"party/{PARTNER}", "domain:r.example": f"party/{other}"}
    assert licensing.awaited() == set()


@pytest.mark.parametrize("demotion_first", [True, False])
@pytest.mark.parametrize("one_batch", [True, False])
def test_then_a_handover_of_the_owner_ends_alike_in_either_order(
    licensing: Any, say: Any, demotion_first: bool, one_batch: bool
) -> None:
    """P0, X4: exactly one owner; the two parts of a handover have different keys, so either may come first."""
    licensing.receive(partner(say), organization(say), person(say, ANN, "owner"), person(say, BOB, "member"))
    demotion = say("party.identity.changed", ANN, 1, role="admin")
    promotion = say("party.identity.changed", BOB, 1, role="owner")
    parts = [demotion, promotion] if demotion_first else [promotion, demotion]
    for batch in [parts] if one_batch else [[part] for part in parts]:
        licensing.receive(*batch)
    assert licensing.claims()[f"owner:{ORG}"] == f"identity/{BOB}"
    assert licensing.state(IDENTITY, ANN).details.role == "admin"
    assert licensing.state(IDENTITY, BOB).details.role == "owner"
    assert licensing.awaited() == set()
    licensing.receive(say("party.identity.removed", BOB, 3))
    assert f"owner:{ORG}" not in licensing.claims()
    assert licensing.state(IDENTITY, BOB).removed


def test_then_a_claim_taken_and_given_back_in_one_batch_is_free(licensing: Any, say: Any) -> None:
    """P0."""
    licensing.receive(
        partner(say),
        say("party.partner.changed", PARTNER, 1, domains=[]),
        say("party.partner.changed", PARTNER, 2, domains=["r.example", "s.example"]),
        say("party.partner.changed", PARTNER, 3, domains=["s.example"]),
    )
    assert licensing.claims() == {"domain:s.example": f"party/{PARTNER}"}
    licensing.receive(say("party.partner.changed", PARTNER, 4, domains=[]))
    assert licensing.claims() == {}


def test_then_a_refused_command_leaves_nothing(licensing: Any, say: Any) -> None:
    """§9: and names its reason."""
    data = parties.OrganizationRegistered(
        organization_id=ORG, partner_id=PARTNER, name="Acme", billing_email="b@acme.example"
    )
    with pytest.raises(Refused) as refused:
        licensing.do(lambda uow: command(uow, PARTY, ORG, fact_of_data(data, uow.now), BY_HAND))
    assert refused.value.sentence == f"There is no partner {PARTNER}: register it first."
    assert licensing.log() == []


def test_then_the_platform_registers_itself(licensing: Any) -> None:
    """P0."""
    platform = Platform(name="T", support_email="s@t.example", owner_email="o@t.example", domains=("t.example",))

    def register(work: Any) -> Any:
        return command(work, PARTY, "platform", Registration(at=work.now, details=platform), BY_HAND)

    licensing.do(register)
    licensing.do(register)
    [row] = licensing.log()
    said = published(row)
    assert said is not None
    assert said[0].name == "PlatformRegistered"
    assert said[1].domains == ("t.example",)
