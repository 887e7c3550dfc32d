"""The public events of two releases compared, event by event and version by version (X7).

A released version never changes, so a breaking change comes as a new version beside the old one: that is compatible,
as is a new event. An event that is gone breaks whoever is outside, and so does an old version that is gone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from trunkline.contracts.catalogue.json_schema import schema
from trunkline.contracts.compatibility.compatibility import Change, compare
from trunkline.contracts.contract import Contract, Direction

_FILE_NAME: Final = re.compile(r"(.+)\.v([1-9][0-9]{0,8})\.json")


class Version(NamedTuple):
    """One version of one event; its text is what its schema file is called, without `.json`."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}.v{self.number}"


Schemas = Mapping[Version, dict[str, Any]]


class EventChange(NamedTuple):
    """A change of one event.

    Attributes:
        version: the event in which version.
        direction: of the event; None where the installed code does not know it.
        change: what changed; its place is empty where it is about the whole event.
    """

    version: Version
    direction: Direction | None
    change: Change


def version_of(file_name: str) -> Version | None:
    """The event and version that a schema file is about, by its name; None where it is named otherwise."""
    found = _FILE_NAME.fullmatch(file_name)
    return Version(found[1], int(found[2])) if found else None


def schemas_of(contracts: Iterable[Contract]) -> dict[Version, dict[str, Any]]:
    """The schemas of contracts."""
    return {Version(contract.name, contract.version): schema(contract) for contract in contracts}


def differing(old: Schemas, new: Schemas, contracts: Iterable[Contract]) -> list[EventChange]:
    """Compare the events of two releases.

    Args:
        old: the release that who is outside was made for.
        new: the one that comes in its place.
        contracts: those of the installed code, which have the direction of each event.

    Returns:
        What changed, by name and version of the event.
    """
    directions = {contract.name: contract.direction for contract in contracts}
    found = []
    for version in sorted({*old, *new}):
        direction = directions.get(version.name)
        found += [EventChange(version, direction, change) for change in _changes(version, old, new, direction)]
    return found


def _changes(version: Version, old: Schemas, new: Schemas, direction: Direction | None) -> Iterator[Change]:
    """What changed of one version of one event; it is in one of the two releases, or in both."""
    if version in old and version in new:
        yield from compare(old[version], new[version], direction)
        return
    others = [f"version {other.number}" for other in sorted({*old, *new} - {version}) if other.name == version.name]
    if version in new:
        sentence = f"This version is new, beside {', '.join(others)}." if others else "This event is new."
        yield Change("", sentence, "compatible")
    else:
        sentence = f"This version is gone; there is {', '.join(others)}." if others else "This event is gone."
        yield Change("", sentence, "breaking")
