"""What numbers holds of the things that licensing knows too, listed for operators to compare (O7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from trunkline.operations.reconciliation import records
from trunkline.operations.reconciliation.routes import Holding, held_router
from trunkline_numbers.domain.number.bindings import binding
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.domain.party_replica import PartyReplica
from trunkline_numbers.domain.subscription.subscription import Subscription, is_dismissed

if TYPE_CHECKING:
    from fastapi import APIRouter

    from trunkline.service_definition import ServiceContext

_read_number: Final = msgspec.msgpack.Decoder(Number).decode
_read_party: Final = msgspec.msgpack.Decoder(PartyReplica).decode
_read_subscription: Final = msgspec.msgpack.Decoder(Subscription).decode
_read_given: Final = msgspec.json.Decoder(tuple[records.Given, ...]).decode

_SUBSCRIPTIONS: Final = """
    SELECT coalesce(s.key, n.key) AS key, s.version, s.changed_at, s.folded, n.numbers
    FROM (SELECT key, version, changed_at, folded FROM subscription_view WHERE {these:key}) s
    FULL JOIN (
        SELECT subscription_id COLLATE "C" AS key, json_agg(json_build_object('number', key, 'version', version,
            'state', state, 'cause', cause, 'since', since, 'organization_id', organization_id) ORDER BY key)::text
            AS numbers
        FROM number_view
        WHERE subscription_id IS NOT NULL AND (state = 'assigned' OR cause IN ('expired', 'terminated', 'swapped'))
            AND {these:subscription_id}
        GROUP BY 1) n ON n.key = s.key"""
_RINGING: Final = """
    SELECT key, array_agg(version ORDER BY number) AS versions, array_agg(changed_at ORDER BY number) AS changed,
        array_agg(folded ORDER BY number) AS folded
    FROM (SELECT b ->> 'extension_id' AS key, v.key AS number, v.version, v.changed_at, v.folded
          FROM number_view v, jsonb_array_elements(v.bindings) b WHERE v.bound AND b ->> 'kind' = 'pbx') rings
    WHERE key IS NOT NULL AND {these:key} GROUP BY key"""
_NUMBERS: Final = """
    SELECT key, version, state, since, organization_id, holder_id, reserver_id, subscription_id, bound,
        CASE WHEN bound THEN (SELECT b ->> 'extension_id' FROM jsonb_array_elements(bindings) b
                              WHERE b ->> 'kind' = 'pbx') END AS extension_id
    FROM number_view WHERE {these:key}"""


def _served(row: Any) -> records.Served:
    key, version, changed_at, folded, numbers = row
    given = () if numbers is None else _read_given(numbers)
    s = None if folded is None else _read_subscription(folded)
    if s is None or s.terms is None:
        return records.Served(key=key, version=version, changed_at=changed_at, numbers=given)
    named, refused = s.terms.number, s.refused
    return records.Served(
        key=key,
        version=version,
        changed_at=changed_at,
        terms=records.terms_of(s.published or s.terms),
        named=named,
        refused=records.Refusal(number=refused.number, code=refused.code, since=refused.at) if refused else None,
        dismissed=named if named is not None and is_dismissed(s, named) else None,
        numbers=given,
    )


def _ringing(row: Any) -> records.Ringing:
    key, versions, changed, folded = row
    return records.Ringing(key=key, numbers=tuple(map(_bound, versions, changed, folded)))


def _bound(version: int, changed_at: Any, folded: bytes) -> records.Bound:
    n = _read_number(folded)
    rings = binding(n, "pbx")
    assert rings is not None, f"{n.number} rings somewhere and yet does not"
    return records.Bound(
        number=n.number,
        version=version,
        changed_at=changed_at,
        state=n.state,
        organization_id=rings.organization_id,
        user_id=rings.user_id,
        generation=rings.generation,
    )


def _party(row: Any) -> records.Party:
    key, version, changed_at, folded = row
    details = _read_party(folded).details
    assert details is not None, f"party {key} was heard of and yet was not"
    return records.Party(
        key=key,
        version=version,
        changed_at=changed_at,
        kind=details.kind,
        name=details.name,
        partner_id=details.partner_id,
        owner_email=details.owner_email,
        support_email=details.support_email,
        billing_email=details.billing_email,
        domains=details.domains,
        allow_external_numbers=details.allow_external_numbers,
    )


def _number(row: Any) -> records.Number:
    return records.Number(**dict(zip(records.Number.__struct_fields__, row, strict=True)))


HOLDINGS: Final[dict[records.Subject, Holding]] = {
    "subscriptions": Holding(_SUBSCRIPTIONS, "subscription_view", _served),
    "extensions": Holding(_RINGING, "number_view WHERE bound", _ringing),
    "parties": Holding(
        "SELECT key, version, changed_at, folded FROM party_view WHERE {these:key}", "party_view", _party
    ),
    "numbers": Holding(_NUMBERS, "number_view", _number),
}


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    return held_router(context, HOLDINGS)
