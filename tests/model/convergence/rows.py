"""The rows that readers over HTTP are served from: by the oracle, and by both services' views, in the same words."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.pair import Pair
from tests.model.convergence.numbers import Line
from tests.model.convergence.product import World, hours
from tests.model.convergence.timeline import Outcome
from trunkline.eventstore.event_store import Store
from trunkline.projections.runner import ProjectionRunner
from trunkline.service_definition import ServiceDefinition

Seen = dict[str, dict[str, Any]]
_NUMBER = (
    *("state", "since", "ends_at", "free_ends_at", "available_since", "quarantined_until"),
    *("subscription_id", "organization_id", "reserver_id", "cause", "charged", "cover_id", "owner_id", "holder_id"),
    "bound",
)
"""Not `last_organization_id`: what is found behind others' times is on the record of the subscription alone."""
_SUBSCRIPTION = ("status", "number", "refused_number", "product", "organization_id")
_BILLED = ("status", "product", "organization_id", "facts_waiting")
_NUMBERS = frozenset({"number", "refused_number"})


def expected_rows(outcome: Outcome) -> Seen:
    """By the oracle."""
    there = [line for line in outcome.lines.values() if line.state != "absent"]
    seen: Seen = {f"row of {line.number}": _row(line) for line in there}
    for s in outcome.bought.values():
        about = {"status": s.status, "product": s.product, "organization_id": s.organization}
        waits = s.wants if s.refused is not None else None
        seen[f"row of {s.id}"] = {**about, "number": s.wants or None, "refused_number": waits}
        seen[f"row of {s.id} in licensing"] = {**about, "facts_waiting": 0}
    return seen


def _row(line: Line) -> dict[str, Any]:
    reserved, assigned, available = (line.state == state for state in ("reserved", "assigned", "available"))
    return {
        "state": line.state,
        "since": line.since,
        "ends_at": line.ends,
        "free_ends_at": line.free_until if reserved else None,
        "available_since": line.since if available else None,
        "quarantined_until": line.quarantine if available else None,
        "subscription_id": line.subscription if reserved or assigned else None,
        "organization_id": line.organization if assigned else None,
        "reserver_id": line.organization if reserved else None,
        "cause": "faulty" if line.state == "deleted" else line.cause if reserved else None,
        "charged": line.cover is not None,
        "cover_id": line.cover,
        "owner_id": line.organization if reserved or assigned else None,
        "holder_id": line.holder,
        "bound": line.binding is not None,
    }


class Rows:
    """Reads the views once they have come up to the log, many histories in few queries."""

    def __init__(self, pair: Pair, organizations: dict[str, str]) -> None:
        self._pair, self._organizations = pair, organizations
        self._read: dict[str, dict[str, Any]] = {}

    def load(self, worlds: list[World]) -> None:
        """Let the views of both services take in what was recorded, and read what concerns these histories."""
        pair = self._pair
        for store, service in ((pair.numbers, pair.numbers_service), (pair.licensing, pair.licensing_service)):
            _follow(store, service)
        numbers = [number for world in worlds for number in world.numbers.values()]
        subscriptions = [id_ for world in worlds for id_ in world.ids.values()]
        self._fetch(pair.numbers, "number_view", _NUMBER, numbers, "")
        self._fetch(pair.numbers, "subscription_view", _SUBSCRIPTION, subscriptions, "")
        self._fetch(pair.licensing, "subscription_view", _BILLED, subscriptions, " in licensing")

    def _fetch(self, store: Store, view: str, columns: tuple[str, ...], keys: list[str], where: str) -> None:
        rows = store.fetch(f"SELECT key, {', '.join(columns)} FROM {view} WHERE key = ANY(%s)", (keys,))
        self._read.update({key + where: dict(zip(columns, row, strict=True)) for key, *row in rows})

    def seen(self, world: World) -> Seen:
        """By the product; nothing of what is not known to it as a number or subscription."""
        seen: Seen = {}
        for letter, number in world.numbers.items():
            if (row := self._read.get(number)) is not None:
                seen[f"row of {letter}"] = {column: self._named(world, column, row[column]) for column in row}
        for name, id_ in world.ids.items():
            for where in ("", " in licensing"):
                row = self._read.get(id_ + where)
                if row is not None and row["status"] is not None:
                    seen[f"row of {name}{where}"] = {column: self._named(world, column, row[column]) for column in row}
        return seen

    def _named(self, world: World, column: str, value: Any) -> Any:
        if column.endswith(("_at", "since", "until")):
            return hours(value)
        if column in _NUMBERS:
            return world.letters.get(value)
        if column in ("subscription_id", "cover_id"):
            return world.names.get(value)
        return self._organizations.get(value, value) if column.endswith("_id") else value


def _follow(store: Store, service: ServiceDefinition) -> None:
    runner = ProjectionRunner(store, service.views)
    runner.prepare()
    while runner.step():
        pass
    runner.resign()
