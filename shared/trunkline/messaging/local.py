"""Without a broker: a relay hands its pages straight to the intakes of the other services in this process.

The same relay on one side and the same intake with the same tracking on the other; only the topics are left out. The
offset of a record is the log position of the event it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from trunkline.messaging.intake import Intake
from trunkline.messaging.record import Outgoing, Record


class LocalTransport:
    """Delivers what one service says to the intakes that hear it."""

    has_topics = False

    def __init__(self, service: str, states: Iterable[str] = ()) -> None:
        """Prepare for what `service` says; intakes join later, before its relay starts.

        Args:
            service: its name.
            states: its state topics, which follow views: each is a source of its own.
        """
        self._source = f"local/{service}"
        self._states = frozenset(states)
        self._intakes: list[tuple[Intake, asyncio.Lock]] = []

    def join(self, intake: Intake, turn: asyncio.Lock) -> None:
        """Deliver to this intake too; `turn` is shared by all that feed it, for it takes one batch at a time."""
        self._intakes.append((intake, turn))

    @property
    def heard_states(self) -> frozenset[str]:
        """The state topics that somebody hears."""
        return frozenset(topic for topic in self._states for intake, _ in self._intakes if topic in intake.topics)

    def unheard(self, topic: str) -> bool:
        """Whether one of those who hear a state topic has heard nothing of it yet. Reads their databases."""
        source = self._source_of(topic)
        return any(topic in intake.topics and not intake.positions([source]) for intake, _ in self._intakes)

    def _source_of(self, topic: str) -> str:
        return f"{self._source}/{topic}" if topic in self._states else self._source

    async def send_page(self, page: Sequence[Outgoing]) -> None:
        """Hand a page to every intake that hears anything of it; what it raises, the relay retries."""
        for intake, turn in self._intakes:
            topics = intake.topics
            records = [
                Record(self._source_of(o.topic), o.topic, 0, o.position, o.key, o.headers, o.value)
                for o in page
                if o.topic in topics
            ]
            if records:
                async with turn:
                    await asyncio.to_thread(intake.accept, records)
