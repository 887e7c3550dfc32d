"""Why what is said of a party may not count: each docstring is the sentence, each class name the code."""

from __future__ import annotations

from typing import ClassVar

from trunkline.errors import Refused


class PartyUnknown(Refused):
    """{key} is not registered."""

    status: ClassVar[int] = 404


class PartyAboveUnknown(Refused):
    """There is no {kind} {key}: register it first."""

    status: ClassVar[int] = 422


class AlreadyRegistered(Refused):
    """{key} is registered already, with other data: change it instead."""


class KindMismatch(Refused):
    """{key} is registered as {kind}, not as {other}."""


class ChangeOutdated(Refused):
    """A newer value of every field that this change of {key} names was heard before."""


class IdentityIsRemoved(Refused):
    """{key} was removed, which is final: a person who comes back is a new identity."""


class OwnerPresent(Refused):
    """The organization has an owner already, and there is exactly one: change the present owner's role first."""


class DomainTaken(Refused):
    """The portal domain {domain} belongs to another party."""


class SaidBefore(Refused):
    """{key} was as this says when it could at last be understood."""


class FactDismissed(Refused):
    """A person dismissed this fact while it waited: {remark}"""
