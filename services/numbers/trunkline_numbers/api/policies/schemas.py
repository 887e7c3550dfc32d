"""A policy as it is sent and shown (N15): whole, each value checked where it stands, nothing unknown in it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import phonenumbers
from pydantic import AfterValidator, BaseModel, Field, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from trunkline.http.schemas import LINES, Body, Country, Label
from trunkline_numbers.domain.policy import DEFAULT, Policy, ReservationCause, SpecialPeriod, SpecialProperty

LONGEST_DAYS = 36_500


def _known(country: str) -> str:
    if country != "001" and country not in phonenumbers.SUPPORTED_REGIONS:
        raise PydanticCustomError(
            "country", "no country with telephone numbers: it takes an ISO 3166 code such as SG, or 001 for none"
        )
    return country


def _each_once(periods: list[SpecialDays]) -> list[SpecialDays]:
    """The first that fits is taken, so a second one of its kind would say nothing."""
    for (special, cause), times in Counter((p.property, p.cause) for p in periods).items():
        if times > 1:
            names = {"property": special, "cause": cause}
            raise PydanticCustomError("twice", "{property} numbers have two periods for {cause}", names)
    return periods


Days = Annotated[int, Field(strict=True, ge=0, le=LONGEST_DAYS, description="Days of 24 hours.")]
SomeDays = Annotated[int, Field(strict=True, ge=1, le=LONGEST_DAYS, description="Days of 24 hours.")]
KnownCountry = Annotated[Country, AfterValidator(_known)]
Remark = Annotated[str, StringConstraints(pattern="^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]{1,1000}$"), LINES]


class SpecialDays(Body):
    """Another period for golden or ported-in numbers (R10)."""

    property: SpecialProperty
    cause: ReservationCause
    days: Days


class PolicyDocument(Body):
    """All periods, and what else may differ from one deployment to the next; what is left out is as built in."""

    manual_days: SomeDays = DEFAULT.manual_days
    expired_days: Days = DEFAULT.expired_days
    terminated_days: Days = DEFAULT.terminated_days
    swapped_days: Days = DEFAULT.swapped_days
    special_periods: Annotated[list[SpecialDays], AfterValidator(_each_once)] = Field(
        default_factory=list, max_length=8, description="Exceptions to these four; the first that fits is taken."
    )
    notice_days: Days = Field(default=DEFAULT.notice_days, description="How long before an end it is announced.")
    lock_days: SomeDays = DEFAULT.lock_days
    voice_carrier: Label = Field(default=DEFAULT.voice_carrier, description="Where none is chosen (R2).")
    sms_carrier: Label = Field(default=DEFAULT.sms_carrier, description="Where none is chosen (R2).")
    golden_only_from_reserved: StrictBool = DEFAULT.golden_only_from_reserved
    quarantine_days: dict[KnownCountry, Days] = Field(
        default_factory=dict, description="By country: how long only its last holder can have a released number."
    )

    def policy(self) -> Policy:
        """What decisions take."""
        special = tuple(SpecialPeriod(property=p.property, cause=p.cause, days=p.days) for p in self.special_periods)
        own = self.model_dump(exclude={"special_periods", "version"})
        return Policy(**own, special_periods=special)


class VersionedDocument(PolicyDocument):
    """A policy, and what it was made from."""

    version: int | None = Field(
        default=None, ge=0, description="The version it was made from: refused if another one is in force by now."
    )


class PolicyToApply(Body):
    """A policy that is to be in force from now on."""

    policy: VersionedDocument
    remark: Remark | None = None


class PolicyShown(BaseModel):
    """One version of the policy. Version 0 is the built-in one, which nobody has applied."""

    version: int
    policy: PolicyDocument
    applied_at: datetime | None = None
    applied_by: str | None = None
    remark: str | None = None


class PolicyChange(BaseModel):
    """One value that is another than before."""

    name: str
    before: Any
    after: Any


class PolicyApplied(BaseModel):
    """What is in force now, and what that changed."""

    version: int
    policy: PolicyDocument
    applied_at: datetime | None
    outcome: Literal["applied", "in force already"]
    changes: list[PolicyChange]


def document(policy: Policy) -> PolicyDocument:
    """A policy as it is shown."""
    return PolicyDocument.model_validate(msgspec.to_builtins(policy))


def changes(before: Policy, after: Policy) -> list[PolicyChange]:
    """What differs, in the document's order."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    return [PolicyChange(name=name, before=old[name], after=new[name]) for name in new if old[name] != new[name]]
