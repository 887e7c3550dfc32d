"""Who there is around an inventory, and what licensing says of them and of subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

from tests.model.phone import PLATFORM, Bought
from tests.model.sight import Parties
from trunkline.contracts import licensing
from trunkline.contracts.cloudevents.message import Message
from trunkline_numbers.domain.party_replica import PartyReceived

EAST, WEST, E1, E2, W1, OWN = (str(uuid4()) for _ in range(6))
PARTIES = Parties(
    partners={EAST: frozenset({"east.example"}), WEST: frozenset({"west.example"})},
    organizations={E1: EAST, E2: EAST, W1: WEST, OWN: None},
    platform_domains=frozenset({"top.example"}),
    external=frozenset({E1}),
)


def parties_heard(at: datetime) -> Iterator[tuple[str, PartyReceived]]:
    """The tree as licensing tells it."""
    emails: dict[str, Any] = {"owner_email": "o@p.example", "support_email": "s@p.example"}
    top = tuple(PARTIES.platform_domains)
    yield PLATFORM, PartyReceived(at=at, sequence=1, kind="platform", name="Top", domains=top, **emails)
    for partner, domains in PARTIES.partners.items():
        yield partner, PartyReceived(at=at, sequence=1, kind="partner", name="P", domains=tuple(domains), **emails)
    for organization, partner in PARTIES.organizations.items():
        yield organization, PartyReceived(
            at=at, sequence=1, kind="organization", name="O", partner_id=partner, billing_email="b@o.example",
            allow_external_numbers=organization in PARTIES.external,
        )  # fmt: skip


def word(s: Bought, sequence: int, now: datetime) -> Message:
    """What licensing says of a subscription: its state after all its facts."""
    data = licensing.SubscriptionFact(
        subscription_id=s.id, organization_id=s.organization, product="number", reference=None, status=s.status,  # type: ignore[arg-type]
        started_at=s.started, expired_at=s.expired, terminated_at=s.terminated, number=s.billed, swapped_out=(),
        license_code=None, quantity=None, plan_days=None, renewed_until=None,
    )  # fmt: skip
    id_ = f"{s.id}-{sequence}"
    return Message(id_, licensing.SOURCE, "SubscriptionActivated", s.id, now, sequence, id_, None, data)
