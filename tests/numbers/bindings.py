"""What licensing asks of numbers for its extensions, and how a number then stands: words that several tests share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.numbers.facts import ACME, KEY, LISTING, day, uuid
from tests.numbers.world import World
from trunkline.contracts import licensing
from trunkline.contracts.cloudevents.message import Message
from trunkline_numbers.domain.extension import NumberBindingRefused
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.bindings import binding
from trunkline_numbers.domain.number.events import NumberBound, NumberUnbound
from trunkline_numbers.domain.number.state import Number, Party
from trunkline_numbers.domain.policy import DEFAULT
from trunkline_numbers.message_handlers import binding_requests

EXT, OTHER_EXT, THIRD_EXT = (uuid("e", place) for place in range(1, 4))
USER, OTHER_USER = uuid("face", 1), uuid("face", 2)


def asks(
    generation: int = 1,
    number: str = KEY,
    *,
    extension: str = EXT,
    organization: str = ACME.id,
    user: str | None = USER,
    withdraws: bool = False,
    on: float = 0,
) -> Message:
    """Licensing asks for a number for an extension, or wants that request to be over."""
    kind = licensing.NumberUnbindingRequested if withdraws else licensing.NumberBindingRequested
    data = kind(
        number=number, organization_id=organization, extension_id=extension, user_id=user, generation=generation
    )
    return World._message(kind.__name__, extension, day(on), 2 * generation + withdraws, data)


def withdraws(generation: int = 1, number: str = KEY, **own: Any) -> Message:
    """Licensing wants a request to be over."""
    return asks(generation, number, withdraws=True, **own)


def hears(world: World, *messages: Message) -> World:
    """One batch of what licensing asks."""
    world.place.run(lambda uow: binding_requests.handle(uow, messages))
    return world


def holds(world: World, *numbers: str, holder: Party | None = ACME) -> World:
    """Numbers come into the inventory, held by a party."""
    return world.by_hand(lambda n, now: by_hand.add(n, LISTING, None, holder, DEFAULT, now), *numbers)


def rings_at(n: Number) -> tuple[str | None, int | None] | None:
    """The extension a number rings at, and in which generation it was asked for."""
    has = binding(n, "pbx")
    return (has.extension_id, has.generation) if has is not None else None


def answers(log: Sequence[tuple[str, Any]]) -> list[tuple[Any, ...]]:
    """What numbers answered, in order: bound, unbound with its cause, refused with its code."""
    told: list[tuple[Any, ...]] = []
    for stream_id, event in log:
        match event:
            case NumberBound():
                told.append(("bound", event.extension_id, event.generation))
            case NumberUnbound():
                told.append((event.cause, event.extension_id, event.generation))
            case NumberBindingRefused():
                told.append(("refused", stream_id.partition("/")[2], event.generation))
    return told
