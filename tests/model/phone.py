"""One number and one subscription as the oracle remembers them: a record each, no events, nothing of the product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

DAY = timedelta(hours=24)
DAYS = {"manual": 28, "expired": 56, "terminated": 28, "swapped": 1}
PLATFORM = "platform"
Status = int


@dataclass
class Phone:
    """One number. `given`: the ends that its subscription's facts have given it, by cause and instant."""

    state: str = "absent"
    since: datetime | None = None
    uploader: str | None = None
    holder: str | None = None
    handed_on_by: str | None = None
    domains: frozenset[str] = frozenset()
    golden: bool = False
    reserver: str | None = None
    cause: str | None = None
    organization: str | None = None
    subscription: str | None = None
    lapsed: str | None = None
    ends: datetime | None = None
    given: dict[tuple[str, datetime], datetime] = field(default_factory=dict)
    last: str | None = None
    quarantine: datetime | None = None
    bound: dict[str, tuple[str, str]] = field(default_factory=dict)

    def free(self, since: datetime, lapsed: str | None = None) -> None:
        """Available from then on."""
        self.state, self.since, self.lapsed = "available", since, lapsed
        self.reserver = self.cause = self.organization = self.subscription = self.ends = None
        if lapsed is None:
            self.given = {}

    def keep(self, reserver: str, cause: str, since: datetime, ends: datetime) -> None:
        """Reserved from then on."""
        self.state, self.since, self.reserver, self.cause, self.ends = "reserved", since, reserver, cause, ends
        self.organization = self.lapsed = self.quarantine = None


@dataclass
class Bought:
    """One number subscription.

    `number` is the one it is to have, `billed` the one billing knows of, `had` all that it ever had. `refused`: why
    it has not got its number, as long as it waits for it.
    """

    id: str
    organization: str
    number: str
    started: datetime
    billed: str = ""
    status: str = "active"
    expired: datetime | None = None
    terminated: datetime | None = None
    refused: str | None = None
    had: set[str] = field(default_factory=set)


def shown(p: Phone, sees: Callable[[str | None], bool]) -> dict[str, Any]:
    """What an answer must say of a number, to somebody who knows some of the parties."""

    def own(party: str | None) -> str | None:
        return party if sees(party) else None

    told = replace(p)
    about = told.reserver if told.state == "reserved" else told.organization
    return {
        "state": told.state,
        "holder_id": own(told.holder),
        "uploader_id": own(told.uploader),
        "organization_id": own(told.organization),
        "reserver_id": own(told.reserver),
        "subscription_id": told.subscription if own(about) else None,
        "cause": told.cause,
        "ends_at": told.ends,
        "quarantined_until": told.quarantine if told.state == "available" else None,
        "golden": told.golden,
        "bindings": {kind: user for kind, (organization, user) in told.bound.items() if own(organization)},
    }
