"""Numbers as they are shown: everything an asker may know of one, and nothing of another branch (P2, N13)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from pydantic import BaseModel

from trunkline.eventstore.recorded_event import RecordedEvent
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.number.state import Assigned, Available, Binding, Deleted, Locked, Number, Reserved

_ABOUT: Final = ("organization_id", "reserver_id")
UNKNOWN_ROLE: Final = "unknown"
"""In place of the role of a person outside the asker's branch, of whom an older event says no role."""
_UPWARDS: Final = ("holder_id", "uploader_id")


class Capabilities(BaseModel):
    """What a number can be used for."""

    voice: bool
    sms: bool
    fax: bool


class BindingShown(BaseModel):
    """A user that the number serves; `trunk_form`: the legacy form their trunk knows it by (R9)."""

    kind: Literal["pbx", "trunk", "sms"]
    user_id: str | None
    organization_id: str
    extension_id: str | None
    trunk_form: str | None = None


class NumberShown(BaseModel):
    """One number. Parties outside the asker's branch are null."""

    number: str
    state: Literal["available", "reserved", "assigned", "locked", "deleted"]
    since: datetime
    country: str
    sku: str
    vendor: str
    capabilities: Capabilities
    voice_carrier: str | None
    sms_carrier: str | None
    routing: str | None
    golden: bool
    ported_in: bool
    domains: list[str]
    uploader_id: str | None
    holder_id: str | None
    holder_kind: str | None
    organization_id: str | None = None
    subscription_id: str | None = None
    reserver_id: str | None = None
    reserver_kind: str | None = None
    cause: str | None = None
    ends_at: datetime | None = None
    free_ends_at: datetime | None = None
    charged: bool = False
    cover_id: str | None = None
    quarantined_until: datetime | None = None
    bindings: list[BindingShown]


class Happened(BaseModel):
    """One event of a number's history (N13).

    `at` is the instant it counts from, `occurred_at` its place in the history, `recorded_at` when it was written down.
    Of who is outside the asker's branch only the role is shown, as `actor`; remark, correlation and causation are null.
    """

    id: str
    event: str
    at: datetime
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    remark: str | None
    correlation_id: str | None
    causation_id: str | None
    state: str
    data: dict[str, Any]


def shown_number(n: Number, visibility: Visibility) -> NumberShown:
    """A number for one asker; it is in the inventory, and the asker may see it."""
    listing = n.listing
    return NumberShown(
        number=n.number,
        state=n.state,  # type: ignore[arg-type] # absent ones are not shown
        country=listing.country,
        sku=listing.sku,
        vendor=listing.vendor,
        capabilities=Capabilities(voice=listing.voice, sms=listing.sms, fax=listing.fax),
        voice_carrier=listing.voice_carrier,
        sms_carrier=listing.sms_carrier,
        routing=listing.routing,
        golden=listing.golden,
        ported_in=listing.ported_in,
        domains=list(visibility.domains(n)),
        uploader_id=visibility.own(n.uploader_id),
        holder_id=visibility.own(n.holder_id),
        holder_kind=n.holder_kind if visibility.own(n.holder_id) else None,
        bindings=[_binding(b) for b in n.bindings if visibility.own(b.organization_id)],
        **_life(n, visibility),
    )


def _binding(b: Binding) -> BindingShown:
    return BindingShown(
        kind=b.kind,
        user_id=b.user_id,
        organization_id=b.organization_id,
        extension_id=b.extension_id,
        trunk_form=b.trunk_form,
    )


def _life(n: Number, visibility: Visibility) -> dict[str, Any]:
    match n.life:
        case Reserved() as r:
            found: dict[str, Any] = {"since": r.since, "cause": r.cause, "ends_at": r.ends_at}
            found |= {"free_ends_at": r.free_ends_at, "charged": r.cover_id is not None}
            if visibility.own(r.reserver_id):
                found |= {"reserver_id": r.reserver_id, "reserver_kind": r.reserver_kind}
                found |= {"subscription_id": r.subscription_id, "cover_id": r.cover_id}
            return found
        case Assigned() as a:
            mine = visibility.own(a.organization_id)
            return {
                "since": a.since,
                "organization_id": mine,
                "subscription_id": a.subscription_id if mine else None,
            }
        case Available() as free:
            return {"since": free.since, "quarantined_until": free.quarantined_until}
        case Locked() as lock:
            return {"since": lock.since, "ends_at": lock.ends_at}
        case Deleted() as gone:
            return {"since": gone.since, "cause": gone.reason}
        case _:
            return {}


def shown_event(event: RecordedEvent, n: Number, visibility: Visibility) -> Happened | None:
    """One event of a number for one asker.

    Args:
        event: as the log has it.
        n: the number after it.
        visibility: the asker's.

    Returns:
        None where it is about a party outside the asker's branch.
    """
    data: dict[str, Any] = msgspec.to_builtins(event.event)
    if any(data.get(field) is not None and visibility.own(data[field]) is None for field in _ABOUT):
        return None
    for field in _UPWARDS:
        if data.get(field) is not None and visibility.own(data[field]) is None:
            data[field] = None
    if isinstance(data.get("listing"), dict):
        data["listing"]["domains"] = list(visibility.domains(n))
    del data["at"]
    meta, remark = event.meta, data.pop("remark", None)
    within = visibility.acts_within(meta)
    return Happened(
        id=event.id,
        event=type(event.event).__name__,
        at=event.event.at,
        occurred_at=meta.occurred_at,
        recorded_at=meta.recorded_at,
        actor=meta.actor if within else meta.role or UNKNOWN_ROLE,
        remark=remark if within else None,
        correlation_id=meta.correlation_id if within else None,
        causation_id=meta.causation_id if within else None,
        state=n.state,
        data=data,
    )
