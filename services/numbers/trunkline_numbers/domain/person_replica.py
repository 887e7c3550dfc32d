"""What numbers keeps of one person of the directory: of whom a token must not be believed any more (P0, P1).

Neither name nor address: only where the person belongs, which role they have, and whether they have left.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from trunkline.eventstore.decider import Decider, Event


class PersonUpdated(Event, frozen=True, kw_only=True):
    """The person as licensing published them last."""

    TYPE: ClassVar[str] = "numbers.PersonUpdated"
    sequence: int
    organization_id: str
    role: str
    removed: bool = False


class Person(msgspec.Struct, frozen=True):
    """A person here: `known` is None as long as no event of theirs has arrived."""

    identity_id: str
    known: PersonUpdated | None = None


def evolve(person: Person, event: PersonUpdated) -> Person:
    """The newest event counts."""
    return Person(person.identity_id, event)


PERSON: Decider[Person] = Decider("person", Person, evolve, (PersonUpdated,))


def update(person: Person, event: PersonUpdated) -> list[Event]:
    """Take what licensing published, unless something newer has arrived."""
    newest = person.known.sequence if person.known is not None else 0
    return [event] if event.sequence > newest else []
