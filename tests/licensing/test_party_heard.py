"""When parties are heard of, or registered by hand: who waited goes on, and what is claimed stays claimed (P0, S7)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.contracts import parties
from trunkline.recorded import Cause
from trunkline.refusal import Refused
from trunkline_licensing.organization import IDENTITY, PARTY
from trunkline_licensing.party_facts import Platform, Registration
from trunkline_licensing.published import published
from trunkline_licensing.reactions.party_heard import command, fact_of_data

PARTNER = "9a270000-0000-4000-8000-000000000001"
ORG = "0a9e0000-0000-4000-8000-000000000001"
ANN = "1de00000-0000-4000-8000-000000000001"
BOB = "1de00000-0000-4000-8000-000000000002"
SUB = "5ab5c1b7-0000-4000-8000-000000000001"
BY_HAND = Cause("user:ops", "r1", "r1")


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
    licensing.hear(
        person(say, ANN, "owner"),
        organization(say),
        say("billing.subscription.started", SUB, product="number", number="+6512345678", sku="DID"),
    )
    assert licensing.awaited() == {
        (f"party/{PARTNER}", f"party/{ORG}"),
        (f"party/{ORG}", f"identity/{ANN}"),
        (f"party/{ORG}", f"subscription/{SUB}"),
    }
    licensing.hear(partner(say))
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
    licensing.hear(organization(say))
    fact = fact_of_data(partner(say).data, licensing.clock.now())
    after = licensing.do(lambda work: command(work, PARTY, PARTNER, fact, BY_HAND))
    assert after.kind == "partner"
    assert licensing.state(PARTY, ORG).kind == "organization"
    assert licensing.log()[-1].meta.actor == "user:ops"


def test_then_a_change_before_its_registration_waits_for_it(licensing: Any, say: Any) -> None:
    """S7."""
    licensing.hear(say("party.partner.changed", PARTNER, 1, name="New"))
    assert licensing.awaited() == {(f"party/{PARTNER}", f"party/{PARTNER}")}
    licensing.hear(partner(say))
    assert licensing.awaited() == set()
    assert licensing.state(PARTY, PARTNER).details.name == "New"


def test_then_a_message_takes_effect_once_and_a_changed_one_none(licensing: Any, say: Any) -> None:
    """S3 for parties."""
    licensing.hear(partner(say), partner(say))
    licensing.hear(partner(say), partner(say, domain="other.example"))
    assert licensing.names() == ["PartnerRegistered"]
    assert len(licensing.quarantined()) == 1


def test_then_a_domain_that_is_taken_is_refused_and_free_once_given_up(licensing: Any, say: Any) -> None:
    """P0: in one batch as over several."""
    other, third = PARTNER[:-1] + "2", PARTNER[:-1] + "3"
    licensing.hear(partner(say), partner(say, other))
    assert licensing.names() == ["PartnerRegistered", "PartyFactRefused"]
    licensing.hear(say("party.partner.changed", PARTNER, 1, domains=["new.example"]), partner(say, third))
    assert licensing.claims() == {"domain:new.example": f"party/{PARTNER}", "domain:r.example": f"party/{third}"}


def test_then_the_owner_can_be_another_after_the_first_one_stepped_down(licensing: Any, say: Any) -> None:
    """DOMAIN §1: exactly one owner."""
    licensing.hear(partner(say), organization(say), person(say, ANN, "owner"), person(say, BOB, "owner"))
    assert licensing.names()[-1] == "IdentityFactRefused"
    licensing.hear(
        say("party.identity.changed", ANN, 1, role="admin"),
        say("party.identity.registered", BOB, 2, organization_id=ORG, name="B", email="b@acme.example", role="owner"),
    )
    assert licensing.claims()[f"owner:{ORG}"] == f"identity/{BOB}"
    licensing.hear(say("party.identity.removed", BOB, 3))
    assert f"owner:{ORG}" not in licensing.claims()
    assert licensing.state(IDENTITY, BOB).removed


def test_then_a_claim_taken_and_given_back_in_one_batch_is_free(licensing: Any, say: Any) -> None:
    """P0."""
    licensing.hear(
        partner(say),
        say("party.partner.changed", PARTNER, 1, domains=[]),
        say("party.partner.changed", PARTNER, 2, domains=["r.example", "s.example"]),
        say("party.partner.changed", PARTNER, 3, domains=["s.example"]),
    )
    assert licensing.claims() == {"domain:s.example": f"party/{PARTNER}"}
    licensing.hear(say("party.partner.changed", PARTNER, 4, domains=[]))
    assert licensing.claims() == {}


def test_then_a_refused_command_leaves_nothing(licensing: Any, say: Any) -> None:
    """§9: and names its reason."""
    data = parties.OrganizationRegistered(
        organization_id=ORG, partner_id=PARTNER, name="Acme", billing_email="b@acme.example"
    )
    with pytest.raises(Refused) as refused:
        licensing.do(lambda work: command(work, PARTY, ORG, fact_of_data(data, work.now), BY_HAND))
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
