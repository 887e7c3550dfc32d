"""Why a fact of billing may not count: each docstring is the sentence that goes on record, each class name the code."""

from __future__ import annotations

from typing import ClassVar

from trunkline.errors import Refused


class NotStarted(Refused):
    """{kind} of {at} lies before the start of the subscription."""


class AlreadyStarted(Refused):
    """The subscription was started on {since} already."""


class OrganizationMismatch(Refused):
    """The subscription belongs to another organization than {kind} of {at} says."""


class WrongProduct(Refused):
    """{kind} does not fit a subscription for {product}."""


class SubscriptionIsExpired(Refused):
    """The subscription is expired since {since}, and {kind} needs an active one."""

    code: ClassVar[str] = "expired"


class SubscriptionIsTerminated(Refused):
    """The subscription was terminated on {since}, which is final: {kind} of {at} comes after it."""

    code: ClassVar[str] = "terminated"


class AlreadyExpired(Refused):
    """The subscription is expired since {since} already."""


class NotExpired(Refused):
    """The subscription is active at {at}, so there is nothing to reactivate."""


class AlreadyTerminated(Refused):
    """The subscription was terminated on {since} already."""


class NumberImpossible(Refused):
    """{number} cannot be a telephone number: no country has numbers of this length or beginning."""


class FactDismissed(Refused):
    """A person dismissed this fact while it waited: {remark}"""


class Overtaken(Refused):
    """{kind} of {at} never came: {by} of {since} has a higher sequence and counts from before it."""


class TooFarAhead(Refused):
    """{kind} is dated {at}, more than ten years ahead of the clock ({now}): send it with its right time."""


class TooManyFacts(Refused):
    """The subscription has {most:,} facts on record, which is the most it can have: start a new subscription."""
