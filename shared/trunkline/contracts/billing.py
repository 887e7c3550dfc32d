"""Events of billing about its subscriptions, on the topic BillingSubscriptionEvents (S1).

Fields that are not known here are skipped. Defaults are left out when the data is written again,
so that a later optional field does not change the hash of what was received before it (S3).
"""

from typing import Any, ClassVar, Final

import msgspec
from msgspec.structs import force_setattr

from trunkline.contracts.contract import Contract, registry
from trunkline.contracts.values import (
    E164,
    Code,
    Count,
    ForeignPairedId,
    Instant,
    Label,
    PlanDays,
    Quantity,
    Reference,
    canonical_pair,
    check_ids,
    clean_texts,
    utc,
)

TOPIC: Final = "BillingSubscriptionEvents"


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What every fact of billing names: the subscription and the organization that has it."""

    subscription_id: ForeignPairedId
    organization_id: ForeignPairedId

    def __post_init__(self) -> None:
        # The usual spelling costs one look; this runs for every event that billing sends.
        if not canonical_pair(f"{self.subscription_id} {self.organization_id}"):
            check_ids(self, "subscription_id", "organization_id")


class _Started(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    product: ClassVar[str]
    reference: Reference | None = None

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        if self.reference == "":
            force_setattr(self, "reference", None)


class NumberStarted(_Started, frozen=True, kw_only=True, gc=False, tag_field="product", tag="number"):
    """An organization bought one telephone number."""

    product: ClassVar[str] = "number"
    number: E164
    sku: Label

    def __post_init__(self) -> None:
        _Started.__post_init__(self)
        clean_texts(self, "sku")


class LicenseStarted(_Started, frozen=True, kw_only=True, gc=False, tag_field="product", tag="license"):
    """An organization bought a quantity of one license."""

    product: ClassVar[str] = "license"
    license_code: Code
    quantity: Quantity


class DidReservationStarted(_Started, frozen=True, kw_only=True, gc=False, tag_field="product", tag="did_reservation"):
    """An organization bought the right to keep a quantity of numbers reserved."""

    product: ClassVar[str] = "did_reservation"
    quantity: Quantity
    plan_days: PlanDays


Started = NumberStarted | LicenseStarted | DidReservationStarted


class Renewed(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The subscription was paid for until a later instant."""

    renewed_until: Instant

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        force_setattr(self, "renewed_until", utc(self.renewed_until))


class QuantityChanged(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The subscription covers another quantity from now on."""

    quantity: Count


class Expired(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The subscription was not renewed in time."""


class Reactivated(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The subscription was renewed after it had expired."""


class Terminated(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The subscription is over for good."""


class NumberSwapped(Fact, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The subscription has another number in place of the one it had."""

    old_number: E164
    new_number: E164

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        if self.old_number == self.new_number:
            raise ValueError("old_number and new_number are the same")


def _contract(fact: str, data: Any, description: str) -> Contract:
    name = f"billing.subscription.{fact}"
    return Contract(name, data, key="subscription_id", topic=TOPIC, description=description)


CONTRACTS: Final = registry(
    (
        _contract("started", Started, "an organization has bought something"),
        _contract("renewed", Renewed, "the subscription is paid for until a later instant"),
        _contract("quantity_changed", QuantityChanged, "it covers another quantity"),
        _contract("expired", Expired, "it was not renewed in time"),
        _contract("reactivated", Reactivated, "it was renewed after it had expired"),
        _contract("terminated", Terminated, "it is over for good"),
        _contract("number_swapped", NumberSwapped, "it has another number in place of its own"),
    )
)
