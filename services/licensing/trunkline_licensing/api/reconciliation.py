"""What licensing holds of the things that numbers knows too, listed for operators to compare (O7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from trunkline.eventstore.epochs import STRIDE
from trunkline.operations.reconciliation import records
from trunkline.operations.reconciliation.routes import Holding, held_router
from trunkline_licensing.domain.extension.extension import Extension
from trunkline_licensing.projections.subscription import Listed

if TYPE_CHECKING:
    from fastapi import APIRouter

    from trunkline.service_definition import ServiceContext

_read_subscription: Final = msgspec.msgpack.Decoder(Listed).decode
_read_extension: Final = msgspec.msgpack.Decoder(Extension).decode

_OF_NUMBERS: Final = "subscription_view WHERE product IN ('number', 'did_reservation')"
_WITH_NUMBER: Final = "extension_view WHERE number IS NOT NULL AND NOT deleted"
_REGISTERED: Final = "party_view WHERE kind IS NOT NULL"
_PARTY: Final = (
    "key, version, changed_at, kind, name, partner_id, owner_email, support_email, billing_email, domains,"
    " allow_external_numbers"
)
_NUMBER: Final = (
    f"number AS key, mod(version, {STRIDE}) AS version, state, since, organization_id, holder_id, reserver_id,"
    " subscription_id, bound, extension_id"
)


def _subscription(row: Any) -> records.Subscription:
    key, version, changed_at, folded = row
    after = _read_subscription(folded).after
    assert after is not None, f"subscription {key} has a product and yet has not started"
    return records.Subscription(key=key, version=version, changed_at=changed_at, terms=records.terms_of(after))


def _extension(row: Any) -> records.Extension:
    key, version, changed_at, folded = row
    facts = _read_extension(folded).facts
    assert facts is not None
    assert facts.number is not None, f"extension {key} has a number and yet has none"
    return records.Extension(
        key=key,
        version=version,
        changed_at=changed_at,
        organization_id=facts.organization_id,
        user_id=facts.user_id,
        number=facts.number.number,
        status=facts.number.status,
        generation=facts.number.generation,
    )


def _party(row: Any) -> records.Party:
    party = records.Party(**dict(zip(records.Party.__struct_fields__, row, strict=True)))
    return msgspec.structs.replace(party, domains=tuple(party.domains))


def _number(row: Any) -> records.Number:
    return records.Number(**dict(zip(records.Number.__struct_fields__, row, strict=True)))


HOLDINGS: Final[dict[records.Subject, Holding]] = {
    "subscriptions": Holding(
        f"SELECT key, version, changed_at, folded FROM {_OF_NUMBERS} AND {{these:key}}", _OF_NUMBERS, _subscription
    ),
    "extensions": Holding(
        f"SELECT key, version, changed_at, folded FROM {_WITH_NUMBER} AND {{these:key}}", _WITH_NUMBER, _extension
    ),
    "parties": Holding(f"SELECT {_PARTY} FROM {_REGISTERED} AND {{these:key}}", _REGISTERED, _party),
    "numbers": Holding(f"SELECT {_NUMBER} FROM number_copy WHERE {{these:number}}", "number_copy", _number),
}


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    return held_router(context, HOLDINGS)
