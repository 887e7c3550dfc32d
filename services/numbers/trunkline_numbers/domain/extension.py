"""What numbers has heard licensing ask for one extension, and what it answered (X5).

    (nothing) --request--> bound | refused --newer request--> bound | refused
                              |                                   |
                              '--------- withdrawal of it --------'--> withdrawn --newer request--> ...

Requests are counted in generations; a withdrawal has the generation of the request that it withdraws, with every
older one. The newest word says what licensing wants: a number, or none. An older one, heard late, twice, or after what
took its place, is not obeyed and not answered. That the number is bound is on the number's own record; whether it
still is, too.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from trunkline.errors import Refused
from trunkline.eventstore.decider import Decider, Event
from trunkline_numbers.domain.number.bindings import Asked, belongs
from trunkline_numbers.domain.number.errors import NumberUnavailable
from trunkline_numbers.domain.number.state import Number, Reserved

Place = tuple[int, bool]
"""Of a word of licensing in the order of all about one extension: its generation, and whether it withdraws."""


class BindingReceived(Event, frozen=True, kw_only=True):
    """Licensing asked for a number, and the extension has it: the number's own NumberBound is the answer."""

    TYPE: ClassVar[str] = "numbers.BindingHeard"
    number: str
    generation: int


class NumberBindingRefused(Event, frozen=True, kw_only=True):
    """Licensing asked for a number, and the extension does not get it."""

    TYPE: ClassVar[str] = "numbers.NumberBindingRefused"
    number: str
    organization_id: str
    user_id: str | None
    generation: int
    code: str
    reason: str


class BindingWithdrawn(Event, frozen=True, kw_only=True):
    """Licensing wants the number for the extension no more."""

    TYPE: ClassVar[str] = "numbers.BindingWithdrawn"
    number: str
    generation: int


class Extension(msgspec.Struct, frozen=True, gc=False):
    """An extension as numbers knows it: `number` is the one it got, as long as nothing newer was heard."""

    extension_id: str
    newest: Place = (0, False)
    number: str | None = None


def evolve(extension: Extension, event: BindingReceived | NumberBindingRefused | BindingWithdrawn) -> Extension:
    """The extension after one more event: the newest word counts."""
    number = event.number if isinstance(event, BindingReceived) else None
    return Extension(extension.extension_id, (event.generation, isinstance(event, BindingWithdrawn)), number)


EXTENSION: Decider[Extension] = Decider(
    "extension", Extension, evolve, (BindingReceived, NumberBindingRefused, BindingWithdrawn)
)


def granted(number: str, requested: Asked, at: datetime) -> list[Event]:
    """Put on record that the number is bound; `at` is when licensing asked."""
    return [BindingReceived(at=at, number=number, generation=requested.generation)]


def withdrawn(number: str, generation: int, at: datetime) -> list[Event]:
    """Put on record that the number is wanted no more; `at` is when licensing said so."""
    return [BindingWithdrawn(at=at, number=number, generation=generation)]


def refused(n: Number, requested: Asked, refusal: Refused, at: datetime) -> list[Event]:
    """Answer with a refusal; why, only where the organization has the number at all (P2)."""
    event = NumberUnavailable(number=n.number)
    return [
        NumberBindingRefused(
            at=at,
            number=n.number,
            organization_id=requested.organization_id,
            user_id=requested.user_id,
            generation=requested.generation,
            code=event.code,
            reason=refusal.sentence if _may_know(n, requested.organization_id) else event.sentence,
        )
    ]


def _may_know(n: Number, organization_id: str) -> bool:
    reserved = n.life.reserver_id == organization_id if isinstance(n.life, Reserved) else False
    return reserved or belongs(n, organization_id)
