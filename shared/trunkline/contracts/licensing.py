"""Events of licensing: subscriptions with their state after each fact, the parties, extensions (S4, P0, L1-L4, X5)."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.contracts.contract import Contract, registry
from trunkline.contracts.values import (
    E164,
    Code,
    Count,
    Domains,
    Email,
    ExtKey,
    Generation,
    Id,
    Instant,
    Label,
    Name,
    PairedId,
    PlanDays,
    Reference,
    Sequence,
    canonical_pair,
    check_ids,
)

SOURCE: Final = "/trunkline/licensing"
PLATFORM: Final = "platform"

Product = Literal["number", "license", "did_reservation"]
Status = Literal["active", "expired", "terminated"]
Role = Literal["owner", "admin", "member"]
NumberStatus = Literal["requested", "bound", "suspended", "refused", "lost"]


class SwappedOut(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A number that the subscription gave up for another, and when."""

    number: E164
    at: Instant


class CoversFrom(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """From an instant on, a DID reservation subscription covers so many numbers; of a renewal, paid until then."""

    at: Instant
    units: Count
    renewed_until: Instant | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A time in which the subscription was expired, until it was reactivated."""

    expired_at: Instant
    reactivated_at: Instant


class SubscriptionFact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The subscription after the fact: all of them are complete, so only the newest counts."""

    subscription_id: PairedId
    organization_id: PairedId
    product: Product
    reference: Reference | None
    status: Status
    started_at: Instant | None
    expired_at: Instant | None
    terminated_at: Instant | None
    number: E164 | None
    sku: Label | None = None
    swapped_out: tuple[SwappedOut, ...]
    license_code: Code | None
    quantity: Count | None
    plan_days: PlanDays | None
    renewed_until: Instant | None
    covers: tuple[CoversFrom, ...] = ()
    gaps: tuple[Gap, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not canonical_pair(f"{self.subscription_id} {self.organization_id}"):
            check_ids(self, "subscription_id", "organization_id")


class SubscriptionActivated(SubscriptionFact, frozen=True, kw_only=True, gc=False):
    """A subscription is active for the first time."""


class SubscriptionRenewed(SubscriptionFact, frozen=True, kw_only=True, gc=False):
    """A subscription is paid for until a later instant: `renewed_until`."""


class SubscriptionQuantityChanged(SubscriptionFact, frozen=True, kw_only=True, gc=False):
    """A subscription covers another quantity: `quantity`."""


class SubscriptionExpired(SubscriptionFact, frozen=True, kw_only=True, gc=False):
    """A subscription was not renewed in time: `expired_at`."""


class SubscriptionReactivated(SubscriptionFact, frozen=True, kw_only=True, gc=False):
    """An expired subscription is active again."""


class SubscriptionTerminated(SubscriptionFact, frozen=True, kw_only=True, gc=False):
    """A subscription is over for good: `terminated_at`."""


class SubscriptionNumberSwapped(SubscriptionFact, frozen=True, kw_only=True, gc=False):
    """A subscription has another number in place of the one it had."""

    old_number: E164
    new_number: E164


class Platform(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The operator of the whole system, as it is after the event."""

    name: Name
    support_email: Email
    owner_email: Email
    domains: Domains


class Partner(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A reseller, as it is after the event."""

    partner_id: Id
    name: Name
    owner_email: Email
    support_email: Email
    domains: Domains


class Organization(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A customer, as it is after the event; without a partner it is the platform's own."""

    organization_id: Id
    partner_id: Id | None
    name: Name
    billing_email: Email
    allow_external_numbers: bool


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A person, as they are after the event (or were before it, when they are removed)."""

    identity_id: Id
    organization_id: Id
    name: Name
    email: Email
    role: Annotated[Role, msgspec.Meta(description="exactly one owner in an organization")]


class _OfBinding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    number: E164
    organization_id: Id
    extension_id: Id
    user_id: Id | None
    generation: Generation


class NumberBindingRequested(_OfBinding, frozen=True, kw_only=True, gc=False):
    """An extension is to have a number: numbers answers NumberBound or NumberBindingRefused (X5).

    It takes the place of every older request for the extension, heard or not.
    """


class NumberUnbindingRequested(_OfBinding, frozen=True, kw_only=True, gc=False):
    """An extension is not to have a number any more: this generation's request, and every older one, is over (X5)."""


class AddonOn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An add-on license on an extension, and the subscription that pays for it."""

    code: Code
    subscription_id: Id


class Extension(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An extension, as it is after the event; `suspended` names those of its licenses that nothing covers now."""

    extension_id: Id
    organization_id: Id
    ext_key: ExtKey
    subscription_id: Id
    user_id: Id | None
    directory_name: Name | None
    addons: tuple[AddonOn, ...]
    suspended: tuple[Code, ...]
    number: E164 | None
    number_status: NumberStatus | None


class ExtensionProvisioned(Extension, frozen=True, kw_only=True, gc=False):
    """A Phone System license became an extension; `bulk_id` and `bulk_row`: by that row of that bulk assignment."""

    bulk_id: Id | None
    bulk_row: Count | None


class ExtensionAssigned(Extension, frozen=True, kw_only=True, gc=False):
    """An extension serves a person: `user_id`."""


class ExtensionChanged(Extension, frozen=True, kw_only=True, gc=False):
    """Some facts of an extension are others: the fields in `changed`; why, and because of which subscription."""

    changed: tuple[Label, ...]
    cause: Label
    cause_subscription_id: Id | None


class ExtensionDeleted(Extension, frozen=True, kw_only=True, gc=False):
    """An extension is no more; the rest is how it was. Why, and because of which subscription."""

    cause: Label
    cause_subscription_id: Id | None


class BulkAssignment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A bulk assignment: one row for each of its `total` people."""

    bulk_id: Id
    organization_id: Id
    name: Name
    total: Count


class BulkAssignmentStarted(BulkAssignment, frozen=True, kw_only=True, gc=False):
    """A bulk assignment runs from now on; `addons`: every row's, beside its own."""

    addons: tuple[Code, ...]
    all_or_nothing: bool


class BulkAssignmentCompleted(BulkAssignment, frozen=True, kw_only=True, gc=False):
    """Every row of a bulk assignment is settled: `succeeded` and `failed` make the total."""

    succeeded: Count
    failed: Count


class ExtensionState(Extension, frozen=True, kw_only=True, gc=False):
    """All that is so of an extension now: the document of the compacted topic."""

    sequence: Sequence


def _contract(name: str, data: Any, key: str, description: str) -> Contract:
    if key == PLATFORM:
        return Contract(name, data, subject=PLATFORM, source=SOURCE, description=description)
    return Contract(name, data, key=key, source=SOURCE, description=description)


def _subscription(data: Any, description: str) -> Contract:
    return _contract(data.__name__, data, "subscription_id", description)


def _extension(data: Any, description: str) -> Contract:
    return _contract(data.__name__, data, "extension_id", description)


CONTRACTS: Final = registry(
    (
        _subscription(SubscriptionActivated, "a subscription is active for the first time"),
        _subscription(SubscriptionRenewed, "it is paid for until a later instant"),
        _subscription(SubscriptionQuantityChanged, "it covers another quantity"),
        _subscription(SubscriptionExpired, "it was not renewed in time"),
        _subscription(SubscriptionReactivated, "it is active again after it had expired"),
        _subscription(SubscriptionTerminated, "it is over for good"),
        _subscription(SubscriptionNumberSwapped, "it has another number in place of its own"),
        _contract("PlatformRegistered", Platform, PLATFORM, "the platform's own facts are known"),
        _contract("PlatformChanged", Platform, PLATFORM, "some of them changed"),
        _contract("PartnerRegistered", Partner, "partner_id", "a partner is new"),
        _contract("PartnerChanged", Partner, "partner_id", "some of its facts changed"),
        _contract("OrganizationRegistered", Organization, "organization_id", "a customer is new"),
        _contract("OrganizationChanged", Organization, "organization_id", "some facts changed"),
        _contract("IdentityRegistered", Identity, "identity_id", "a person is new"),
        _contract("IdentityChanged", Identity, "identity_id", "some of their facts changed"),
        _contract("IdentityRemoved", Identity, "identity_id", "a person has left"),
        _extension(ExtensionProvisioned, "a Phone System license became an extension"),
        _extension(ExtensionAssigned, "it serves a person"),
        _extension(ExtensionChanged, "some of its facts changed"),
        _extension(ExtensionDeleted, "it is no more"),
        _contract("NumberBindingRequested", NumberBindingRequested, "extension_id", "an extension is to have a number"),
        _contract(
            "NumberUnbindingRequested", NumberUnbindingRequested, "extension_id", "it is to have that one no more"
        ),
        _contract("BulkAssignmentStarted", BulkAssignmentStarted, "bulk_id", "people get extensions by the thousand"),
        _contract("BulkAssignmentCompleted", BulkAssignmentCompleted, "bulk_id", "each of them has one, or a reason"),
    )
)

# The compacted topic is a document by extension, beside the events: the newest one is the extension.
STATE: Final = Contract(
    "ExtensionState",
    ExtensionState,
    key="extension_id",
    source=SOURCE,
    description="all that is so of an extension now",
    compacted=True,
)
