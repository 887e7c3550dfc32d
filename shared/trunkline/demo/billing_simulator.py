"""Billing, as the story has it: what it says of each subscription, and everything it has said so far."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from trunkline.cli.client.api_client import ApiClient
from trunkline.clock import rfc3339
from trunkline.demo.cast import LISTING, Organization, story_id

_BATCH: Final = "application/cloudevents-batch+json"
Event = dict[str, Any]


class Biller:
    """Makes CloudEvents, each subscription's in sequence, and delivers them."""

    def __init__(self, remote: ApiClient) -> None:
        """Speak through a remote whose token may write billing events."""
        self._remote = remote
        self._owners: dict[str, Organization] = {}
        self._sequences: Counter[str] = Counter()
        self.said: list[Event] = []
        """Every event, in the order in which it was first delivered."""

    def started(self, number: str, organization: Organization, at: datetime) -> Event:
        """An organization buys a number."""
        self._owners[number] = organization
        return self._event("started", number, at, product="number", number=number, sku=LISTING["sku"])

    def swapped(self, old: str, new: str, at: datetime) -> Event:
        """The subscription that began with `old` gets `new` instead."""
        return self._event("number_swapped", old, at, old_number=old, new_number=new)

    def happened(self, fact: str, number: str, at: datetime) -> Event:
        """The subscription expired, was reactivated, or was terminated."""
        return self._event(fact, number, at)

    def deliver(self, *events: Event) -> list[dict[str, Any]]:
        """Post events as one batch, as heard for the first time; what became of each."""
        self.said += events
        return self._post(events)

    def repeat(self) -> list[dict[str, Any]]:
        """Post everything once more, the last first."""
        return self._post(self.said[::-1])

    def _post(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        answer = self._remote.post_bytes("/licensing/billing-events", json.dumps(events).encode(), _BATCH)
        results: list[dict[str, Any]] = answer["results"]
        return results

    def _event(self, fact: str, first: str, at: datetime, **data: Any) -> Event:
        """A fact of the subscription that began with the number `first`."""
        subscription = subscription_of(first)
        self._sequences[subscription] += 1
        sequence = self._sequences[subscription]
        return {
            "specversion": "1.0",
            "id": story_id(f"{subscription} {sequence}"),
            "source": "/story/billing",
            "type": f"billing.subscription.{fact}",
            "subject": subscription,
            "time": rfc3339(at),
            "sequence": sequence,
            "data": {"subscription_id": subscription, "organization_id": self._owners[first].id, **data},
        }


def subscription_of(number: str) -> str:
    """The id of the subscription that begins with a number."""
    return story_id(f"subscription {number}")
