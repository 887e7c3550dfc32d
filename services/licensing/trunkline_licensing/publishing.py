"""The public events of licensing, made from its stored ones; no other module publishes as it (X1, S4, P0, X5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from trunkline.contracts import licensing as public
from trunkline.contracts.contract import Contract
from trunkline.eventstore.decider import Event
from trunkline.eventstore.recorded_event import RecordedEvent
from trunkline.service_definition import Public
from trunkline_licensing.domain.bulk_assignment import events as bulk
from trunkline_licensing.domain.extension import events as extension
from trunkline_licensing.domain.extension.extension import Extension
from trunkline_licensing.domain.party import events as party
from trunkline_licensing.domain.party.facts import Identity, Organization, Partner, Platform
from trunkline_licensing.domain.pool import events as pool
from trunkline_licensing.domain.subscription import events as subscription
from trunkline_licensing.domain.subscription.facts import After

_read_extension: Final = msgspec.msgpack.Decoder(Extension).decode

PRIVATE: frozenset[type[Event]] = frozenset(
    (
        subscription.SubscriptionFactWaiting,
        subscription.SubscriptionFactScheduled,
        subscription.SubscriptionFactRefused,
        party.PartyFactWaiting,
        party.PartyFactScheduled,
        party.PartyFactRefused,
        party.IdentityFactWaiting,
        party.IdentityFactScheduled,
        party.IdentityFactRefused,
        *pool.EVENTS,
        extension.ExtensionNumberBound,
        extension.ExtensionNumberRefused,
        extension.ExtensionNumberLost,
        extension.ExtensionNumberSuspended,
        extension.ExtensionNumberResumed,
        *(set(bulk.EVENTS) - {bulk.BulkAssignmentStarted, bulk.BulkAssignmentCompleted}),
    )
)
"""Stored events that are not published."""


def published(recorded: RecordedEvent) -> Public | None:
    """The public event of a stored one, as its contract and data; None for a private one.

    Raises:
        KeyError: an event class that is neither in `PUBLISHED` nor in `PRIVATE` (a test keeps that from happening).
    """
    kind = type(recorded.event)
    found = PUBLISHED.get(kind)
    if found is None:
        if kind in PRIVATE:
            return None
        raise KeyError(kind)
    contract, data = found
    return contract, data(recorded.key, recorded.event)


# -- subscriptions ----------------------------------------------------------------------------------------------------


def _subscription(data: type[public.SubscriptionFact], key: str, after: After, **own: Any) -> public.SubscriptionFact:
    gone = after.swapped_out
    return data(
        subscription_id=key,
        organization_id=after.organization_id,
        product=after.product,
        reference=after.reference,
        status=after.status,
        started_at=after.started_at,
        expired_at=after.expired_at,
        terminated_at=after.terminated_at,
        number=after.number,
        sku=after.sku,
        swapped_out=tuple(public.SwappedOut(number=n.number, at=n.at) for n in gone) if gone else (),
        license_code=after.license_code,
        quantity=after.quantity,
        plan_days=after.plan_days,
        renewed_until=after.renewed_until,
        covers=tuple(public.CoversFrom(at=c.at, units=c.units, renewed_until=c.renewed_until) for c in after.covers)
        if after.covers
        else (),
        gaps=tuple(public.Gap(expired_at=g.expired_at, reactivated_at=g.reactivated_at) for g in after.gaps)
        if after.gaps
        else (),
        **own,
    )


def _state(data: type[public.SubscriptionFact]) -> Callable[[str, Any], Any]:
    """A kind whose own fields are all in the state after it."""
    return lambda key, event: _subscription(data, key, event.after)


def _number_swapped(key: str, event: subscription.SubscriptionNumberSwapped) -> Any:
    fact = event.fact
    return _subscription(
        public.SubscriptionNumberSwapped,
        key,
        event.after,
        old_number=fact.old_number,
        new_number=fact.new_number,
    )


# -- parties ----------------------------------------------------------------------------------------------------------


def _platform(_key: str, event: party.PlatformRegistered | party.PlatformChanged) -> public.Platform:
    is_: Platform = event.after
    return public.Platform(
        name=is_.name, support_email=is_.support_email, owner_email=is_.owner_email, domains=is_.domains
    )


def _partner(key: str, event: party.PartnerRegistered | party.PartnerChanged) -> public.Partner:
    is_: Partner = event.after
    return public.Partner(
        partner_id=key,
        name=is_.name,
        owner_email=is_.owner_email,
        support_email=is_.support_email,
        domains=is_.domains,
    )


def _organization(key: str, event: party.OrganizationRegistered | party.OrganizationChanged) -> public.Organization:
    is_: Organization = event.after
    return public.Organization(
        organization_id=key,
        partner_id=is_.partner_id,
        name=is_.name,
        billing_email=is_.billing_email,
        allow_external_numbers=is_.allow_external_numbers,
    )


def _identity(
    key: str, event: party.IdentityRegistered | party.IdentityChanged | party.IdentityRemoved
) -> public.Identity:
    is_: Identity = event.after
    return public.Identity(
        identity_id=key,
        organization_id=is_.organization_id,
        name=is_.name,
        email=is_.email,
        role=is_.role,
    )


# -- extensions -------------------------------------------------------------------------------------------------------


E = TypeVar("E", bound=public.Extension)


def _extension(data: type[E], key: str, is_: extension.Facts, **own: Any) -> E:
    number = is_.number
    return data(
        extension_id=key,
        organization_id=is_.organization_id,
        ext_key=is_.ext_key,
        subscription_id=is_.subscription_id,
        user_id=is_.user_id,
        directory_name=is_.directory_name,
        addons=tuple(public.AddonOn(code=a.code, subscription_id=a.subscription_id) for a in is_.addons),
        suspended=is_.suspended,
        number=number.number if number is not None else None,
        number_status=number.status if number is not None else None,
        **own,
    )


def extension_state(folded: bytes, version: int) -> public.ExtensionState | None:
    """The document of the compacted topic `ExtensionState`; None, a tombstone, for an extension that is no more.

    Args:
        folded: the extension's state as the extension view keeps it.
        version: of its stream.
    """
    x = _read_extension(folded)
    if x.facts is None or x.deleted:
        return None
    return _extension(public.ExtensionState, x.id, x.facts, sequence=version)


def _provisioned(key: str, event: extension.ExtensionProvisioned) -> public.Extension:
    by = event.bulk
    own = {"bulk_id": by.bulk_id if by is not None else None, "bulk_row": by.row if by is not None else None}
    return _extension(public.ExtensionProvisioned, key, event.after, **own)


def _assigned(key: str, event: extension.ExtensionAssigned) -> public.Extension:
    return _extension(public.ExtensionAssigned, key, event.after)


def _changed(key: str, event: extension.ExtensionChanged) -> public.Extension:
    own = {"changed": event.changed, "cause": event.cause, "cause_subscription_id": event.subscription_id}
    return _extension(public.ExtensionChanged, key, event.after, **own)


def _deleted(key: str, event: extension.ExtensionDeleted) -> public.Extension:
    own = {"cause": event.cause, "cause_subscription_id": event.subscription_id}
    return _extension(public.ExtensionDeleted, key, event.after, **own)


def _binding_requested(key: str, event: extension.NumberBindingRequested) -> public.NumberBindingRequested:
    return public.NumberBindingRequested(
        number=event.number,
        organization_id=event.organization_id,
        extension_id=key,
        user_id=event.user_id,
        generation=event.generation,
    )


def _unbinding_requested(key: str, event: extension.NumberUnbindingRequested) -> public.NumberUnbindingRequested:
    return public.NumberUnbindingRequested(
        number=event.number,
        organization_id=event.organization_id,
        extension_id=key,
        user_id=event.user_id,
        generation=event.generation,
    )


def _bulk_started(key: str, event: bulk.BulkAssignmentStarted) -> public.BulkAssignmentStarted:
    return public.BulkAssignmentStarted(
        bulk_id=key,
        organization_id=event.organization_id,
        name=event.name,
        total=event.total,
        addons=event.addons,
        all_or_nothing=event.all_or_nothing,
    )


def _bulk_completed(key: str, event: bulk.BulkAssignmentCompleted) -> public.BulkAssignmentCompleted:
    return public.BulkAssignmentCompleted(
        bulk_id=key,
        organization_id=event.organization_id,
        name=event.name,
        total=event.total,
        succeeded=event.succeeded,
        failed=event.failed,
    )


_DATA: dict[type[Event], Callable[[str, Any], Any]] = {
    subscription.SubscriptionActivated: _state(public.SubscriptionActivated),
    subscription.SubscriptionRenewed: _state(public.SubscriptionRenewed),
    subscription.SubscriptionQuantityChanged: _state(public.SubscriptionQuantityChanged),
    subscription.SubscriptionExpired: _state(public.SubscriptionExpired),
    subscription.SubscriptionReactivated: _state(public.SubscriptionReactivated),
    subscription.SubscriptionTerminated: _state(public.SubscriptionTerminated),
    subscription.SubscriptionNumberSwapped: _number_swapped,
    party.PlatformRegistered: _platform,
    party.PlatformChanged: _platform,
    party.PartnerRegistered: _partner,
    party.PartnerChanged: _partner,
    party.OrganizationRegistered: _organization,
    party.OrganizationChanged: _organization,
    party.IdentityRegistered: _identity,
    party.IdentityChanged: _identity,
    party.IdentityRemoved: _identity,
    extension.ExtensionProvisioned: _provisioned,
    extension.ExtensionAssigned: _assigned,
    extension.ExtensionChanged: _changed,
    extension.ExtensionDeleted: _deleted,
    extension.NumberBindingRequested: _binding_requested,
    extension.NumberUnbindingRequested: _unbinding_requested,
    bulk.BulkAssignmentStarted: _bulk_started,
    bulk.BulkAssignmentCompleted: _bulk_completed,
}
PUBLISHED: dict[type[Event], tuple[Contract, Callable[[str, Any], Any]]] = {
    kind: (public.CONTRACTS[kind.__name__], data) for kind, data in _DATA.items()
}
"""Stored event -> its contract, and how to make the data from the subject's key and the event."""
