"""What tests of any service share: given / when / then for deciders, and a store in memory.

    Story(NUMBER, "+6512345678").given(added).when(lambda n: lock(n, "faulty", policy, now)).then(locked)

A story reads from left to right and may go on: what was decided is given from then on. `Memory` runs whole reactions
without a database, thousands of times a second, for property tests; what concerns transactions is shown on a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

import msgspec

from trunkline.clock import FixedClock, rfc3339
from trunkline.errors import Refused
from trunkline.eventstore.decider import Decider, Event
from trunkline.eventstore.epochs import Epochs
from trunkline.eventstore.unit_of_work import LoadedStream, UnitOfWork

__all__ = ["FixedClock", "Memory", "Story", "told"]

S = TypeVar("S")
T = TypeVar("T")


def told(event: Event) -> str:
    """An event in one line: its name and whatever differs from a default, instants as RFC 3339."""
    fields = (
        f"{field}={rfc3339(value) if isinstance(value := getattr(event, field), datetime) else repr(value)}"
        for field, default in zip(event.__struct_fields__, _defaults(type(event)), strict=True)
        if getattr(event, field) != default
    )
    return f"{type(event).__name__}({', '.join(fields)})"


def _defaults(kind: type[Event]) -> tuple[Any, ...]:
    return tuple(field.default for field in msgspec.structs.fields(kind))


class Story(Generic[S]):
    """One aggregate, told in steps.

    Attributes:
        state: after everything given and decided so far.
        events: what the last `when` decided.
        refused: what the last `when` was refused with.
    """

    def __init__(self, decider: Decider[S], key: str) -> None:
        """Begin with a stream that has no events.

        Args:
            decider: the kind of aggregate.
            key: its key, such as the number.
        """
        self._decider = decider
        self.state = decider.initial(key)
        self.events: list[Event] = []
        self.refused: Refused | None = None

    def given(self, *events: Event) -> Self:
        """What has happened before."""
        for event in events:
            self.state = self._decider.evolve(self.state, event)
        return self

    def when(self, decide: Callable[[S], Sequence[Event]]) -> Self:
        """Ask for a decision; its events, or its refusal, are kept for what follows.

        Args:
            decide: a decision with all its arguments but the state.
        """
        self.events, self.refused = [], None
        try:
            self.events = list(decide(self.state))
        except Refused as refused:
            self.refused = refused
        return self.given(*self.events)

    def then(self, *expected: Event | type[Event]) -> Self:
        """These events and no others were decided, each given whole or as its class.

        Raises:
            AssertionError: with both lists, one event a line.
        """
        alike = len(expected) == len(self.events) and all(
            type(event) is wanted if isinstance(wanted, type) else event == wanted
            for event, wanted in zip(self.events, expected, strict=True)
        )
        assert alike, self._compared(expected)
        assert self.refused is None, self._compared(expected)
        return self

    def then_nothing(self) -> Self:
        """Nothing was decided, and nothing refused."""
        return self.then()

    def then_refused(self, kind: type[Refused], **facts: object) -> Self:
        """It was refused, in a sentence that can be read, with these facts among others.

        Raises:
            AssertionError: it was decided, or refused otherwise.
        """
        assert type(self.refused) is kind, self._compared((), kind.__name__)
        sentence = self.refused.sentence
        assert sentence.endswith("."), sentence
        assert not any(sign in sentence for sign in "{}"), sentence
        assert facts.items() <= self.refused.facts.items(), f"{self.refused.facts} instead of {facts}"
        return self

    def then_state(self, check: Callable[[S], bool]) -> Self:
        """The state is such that `check` holds."""
        assert check(self.state), f"not so of {self.state}"
        return self

    def _compared(self, expected: Iterable[Event | type[Event]], refusal: str | None = None) -> str:
        wanted = [e.__name__ if isinstance(e, type) else told(e) for e in expected]
        wanted += [f"refused: {refusal}"] if refusal else []
        found = [told(event) for event in self.events]
        found += [f"refused: {type(self.refused).__name__}: {self.refused}"] if self.refused else []
        return "\n".join(["expected:", *_lines(wanted), "decided:", *_lines(found)])


def _lines(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines] or ["  nothing"]


class Memory:
    """A store in memory, for one thread: streams, and who waits for whom.

    Attributes:
        log: every event in the order of recording, as (stream id, event).
        awaited: (awaited stream id, waiting stream id) -> reason.
    """

    def __init__(self, clock: FixedClock) -> None:
        """Begin empty; every piece of work happens at the clock's instant."""
        self.clock = clock
        self.log: list[tuple[str, Event]] = []
        self.awaited: dict[tuple[str, str], str] = {}
        self._states: dict[str, LoadedStream[Any]] = {}

    def run(self, decide: Callable[[UnitOfWork], T]) -> T:
        """Do one piece of work, as `trunkline.eventstore.unit_of_work.run` does; a refusal leaves nothing behind."""
        with self._uow() as uow:
            return decide(uow)

    def state(self, decider: Decider[S], key: str) -> S:
        """The state of one stream."""
        with self._uow() as uow:
            return uow.state(decider, key)

    def due(self) -> list[str]:
        """The streams that are due at the clock's instant, in due order."""
        now = self.clock.now()
        rows = [(due, loaded.stream_id) for loaded in self._states.values() if (due := _due(loaded)) and due <= now]
        return [stream_id for _, stream_id in sorted(rows)]

    @contextmanager
    def _uow(self) -> Iterator[_MemoryWork]:
        uow = _MemoryWork(self, self._states, self.clock.now())
        yield uow
        for stream_id, loaded in uow.streams.items():
            self._states[stream_id] = loaded
        self.log += uow.recorded
        uow.change_waits(self.awaited)


def _due(loaded: LoadedStream[Any]) -> datetime | None:
    return loaded.decider.due(loaded.state) if loaded.decider.due is not None else None


class _NoStore:
    """In place of a store: it was never restored."""

    epochs = Epochs()


class _MemoryWork(UnitOfWork):
    """Work whose reads come from a `Memory`."""

    def __init__(self, memory: Memory, states: dict[str, LoadedStream[Any]], now: datetime) -> None:
        super().__init__(_NoStore(), now)  # type: ignore[arg-type] # nothing below asks it for more
        self._memory = memory
        self._before = states

    @property
    def streams(self) -> dict[str, LoadedStream[Any]]:
        """The streams in hand."""
        return self._streams

    def load(
        self,
        wanted: Iterable[tuple[Decider[Any], str]],
        *,
        waiters: bool = False,
        received: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Take many streams in hand."""
        for decider, key in wanted:
            stream_id = decider.stream(key)
            if stream_id in self._streams:
                continue
            loaded = LoadedStream(decider, key)
            if stream_id in self._before:
                loaded.state, loaded.last = self._before[stream_id].state, self._before[stream_id].last
            self._note_due(loaded)
            self._streams[stream_id] = loaded

    def change_waits(self, awaited: dict[tuple[str, str], str]) -> None:
        """Do to the memory's waits what a commit does to the table."""
        for pair in self._unwaits:
            awaited.pop(pair, None)
        awaited.update({pair: reason for pair, (_, reason) in self._waits.items()})

    def waiters(self, awaited: Sequence[str]) -> dict[str, frozenset[str]]:
        """Who waits for these streams."""
        self.batch.waiters_seen.update(
            {a: frozenset(w for b, w in self._memory.awaited if a == b) for a in awaited},
        )
        return super().waiters(awaited)
