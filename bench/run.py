"""What the figures of one run share: servers, the inventory, how many rounds."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Self

from bench.servers import Databases, kafka, postgres
from bench.services import Pair, pair
from bench.stock import Stocked, stocked
from bench.world import World, build
from deploy.local_servers.broker import LocalBroker


class Run:
    """One run of the bench. Servers start when the first figure asks for them and stop with the run."""

    def __init__(self, *, quick: bool) -> None:
        """Prepare.

        Args:
            quick: less of everything: to see whether it runs, not how fast.
        """
        self.quick = quick
        self.rounds = 2 if quick else 5
        self._running = ExitStack()
        self._stocked: dict[int, Stocked] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all servers."""
        self._running.close()

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many numbers an inventory has, where growth is measured."""
        return (2_000, 5_000, 10_000) if self.quick else (10_000, 100_000, 1_000_000)

    @cached_property
    def databases(self) -> Databases:
        """The run's PostgreSQL."""
        return self._running.enter_context(postgres())

    @cached_property
    def broker(self) -> LocalBroker:
        """The run's Kafka, with all topics."""
        return self._running.enter_context(kafka())

    @cached_property
    def world(self) -> World:
        """The inventory: large enough for every figure's rounds."""
        return build(self.databases, 24_000 if self.quick else 80_000)

    def stocked(self, size: int) -> Stocked:
        """An inventory of so many numbers of every kind, to search and export; it is only read."""
        if size not in self._stocked:
            self._stocked[size] = stocked(self.databases, size)
        return self._stocked[size]

    @cached_property
    def pair(self) -> Pair:
        """Both services over Kafka, each a process."""
        return self._running.enter_context(pair(self.databases, self.broker, self.world))
