"""`doctor --reconcile --repair`: what differs is stated again by its owner, and compared once more (O7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from trunkline.cli.client.api_client import ApiClient
from trunkline.cli.reconcile.difference import Difference, Kind
from trunkline.operations.reconciliation.records import MOST_KEYS

Step = tuple[str, str]
"""A service, and the kind that it states again."""

_STEPS: Final[dict[Kind, tuple[Step, ...]]] = {
    "party": (("licensing", "party"),),
    "subscription": (("licensing", "subscription"),),
    "active": (("licensing", "subscription"),),
    "assigned": (("licensing", "subscription"),),
    "reserved": (("licensing", "subscription"),),
    "binding": (("licensing", "binding"),),
    "copy": (("licensing", "copy"), ("numbers", "copy")),
}
_DID: Final[dict[Kind, str]] = {
    "party": "licensing published the party again",
    "subscription": "licensing published the subscription again",
    "active": "licensing published the subscription again",
    "assigned": "licensing published the subscription again",
    "reserved": "licensing published the subscription again",
    "binding": "licensing requested its number again, or gave up what it has not",
    "copy": "licensing dropped its copy, and numbers published the number again",
}


class Repair(NamedTuple):
    """What was done about a difference."""

    kind: Kind
    key: str
    did: str


def repair(remote: ApiClient, differences: Iterable[Difference]) -> list[Repair]:
    """Have each difference stated again by its owner; whether that was enough is for the next comparison to show.

    Args:
        remote: both services.
        differences: what was found.

    Raises:
        Ended: a service does not answer, or not to this principal.
    """
    found = [d for d in differences if d.kind in _STEPS]
    for service, kind in dict.fromkeys(step for d in found for step in _STEPS[d.kind]):
        keys = dict(_keys(kind, (d for d in found if (service, kind) in _STEPS[d.kind])))
        names = list(keys)
        for start in range(0, len(names), MOST_KEYS):
            some = names[start : start + MOST_KEYS]
            numbers = {key: keys[key] for key in some if keys[key]}
            body: dict[str, Any] = {"kind": kind, "keys": some, "numbers": numbers}
            remote.post(f"/{service}/operate/repair", body)
    return [Repair(d.kind, d.key, _DID[d.kind]) for d in found]


def _keys(kind: str, differences: Iterable[Difference]) -> Iterator[tuple[str, list[str]]]:
    """What is stated again, and of a binding its numbers: that of the subscription, not of its number."""
    for d in differences:
        numbers = [each for each in d.about if each.startswith("+")]
        key = next((each for each in d.about if not each.startswith("+")), d.key) if kind != "copy" else d.key
        yield key, numbers if kind == "binding" else []


def shown(repairs: list[Repair], left: set[tuple[Kind, str]]) -> str:
    """What was done, a line each, for people; empty where nothing differed."""
    if not repairs:
        return ""
    lines = ["", "What was repaired:"]
    for each in repairs:
        outcome = "differs still" if (each.kind, each.key) in left else "agrees now"
        lines.append(f"  {each.kind} {each.key}: {each.did}; {outcome}")
    return "\n".join(lines)
