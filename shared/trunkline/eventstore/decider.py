"""How an aggregate is described: its events, its first state, how events change it.

A decider is pure. `decide` functions live in the aggregate's own module as plain functions
`(state, facts, now) -> list[Event]`; asked twice, they say nothing the second time. `evolve` only
assigns: a guard there would make old history unloadable when a rule tightens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

S = TypeVar("S")


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A fact of one stream, stored for ever under the explicit name `TYPE`, never under its Python path.

    `at` is the instant the fact counts from (a late fact's own instant); when it was written down is in the
    envelope. Absolute instants only: "ends at", never "56 days".
    """

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    at: datetime


Upcast = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Decider(Generic[S]):
    """One kind of stream.

    Attributes:
        category: the first part of a stream's id: `number` in `number/+6512345678`.
        initial: the state of a stream without events, from its key.
        evolve: the state after one more event. Total: never raises, never guards.
        events: the event classes of this stream.
        due: when the state must next be looked at again though nothing happens (DOMAIN N10); None: never.
        upcasts: (type name, version) -> a function from that version's JSON object to the next one's.
    """

    category: str
    initial: Callable[[str], S]
    evolve: Callable[[S, Any], S]
    events: tuple[type[Event], ...]
    due: Callable[[S], datetime | None] | None = None
    upcasts: Mapping[tuple[str, int], Upcast] = field(default_factory=dict)

    def stream(self, key: str) -> str:
        """The id of the stream that holds `key`."""
        return f"{self.category}/{key}"

    def fold(self, key: str, events: Iterable[Event]) -> S:
        """The state after `events`, from the beginning."""
        state = self.initial(key)
        for event in events:
            state = self.evolve(state, event)
        return state


def key_of(stream_id: str) -> str:
    """The subject's key in a stream id: `+6512345678` of `number/+6512345678`."""
    return stream_id.partition("/")[2]
