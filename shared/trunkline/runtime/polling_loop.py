"""Repeating a step: at once while it finds much to do, else after the next commit; with back-off without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from trunkline.availability import Availability, is_unavailable
from trunkline.eventstore.commit_signal import CommitSignal
from trunkline.messaging.retry import Backoff, pause

BUSY_THRESHOLD: Final = 100
"""A step that found this much is followed by the next one at once."""
SETTLE_SECONDS: Final = 0.2
IDLE_POLL_SECONDS: Final = 1.0
"""Seconds after which a loop looks again though no commit woke it: a lost wake-up costs no more than this."""

Step = Callable[[], Awaitable[int]]


class PollingLoop:
    """One loop of a service over its own log or tables."""

    def __init__(
        self,
        name: str,
        step: Step,
        *,
        commits: CommitSignal,
        stopping: asyncio.Event,
        database: Availability,
        succeeded: Callable[[], None],
        idle_timeout: Callable[[], float] | None = None,
        settle_seconds: float = SETTLE_SECONDS,
        reader_waiting: asyncio.Event | None = None,
    ) -> None:
        """Prepare.

        Args:
            name: who has lost the database, in the log.
            step: does one page; how much it did.
            commits: set by every commit.
            stopping: ends the loop.
            database: is told whether the store answers.
            succeeded: called after each step that did not fail.
            idle_timeout: asked in a thread: after how many seconds to look again though nothing was committed; None:
                `IDLE_POLL_SECONDS`, or `settle_seconds` where that is longer.
            settle_seconds: from a commit to the look at it: a look serves many commits, and what a commit publishes is
                on its way before its own service reads it again.
            reader_waiting: no such pause is made while it is set.
        """
        self._name = name
        self._step = step
        self._commits = commits
        self._stopping = stopping
        self._database = database
        self._succeeded = succeeded
        self._idle_timeout = idle_timeout
        self._settle_seconds = settle_seconds
        self._reader_waiting = reader_waiting

    async def run(self) -> None:
        """Repeat the step until the service stops; raises what it raises, unless a server is away."""
        backoff = Backoff()
        try:
            while not self._stopping.is_set():
                seen = self._commits.count
                try:
                    await self._once(seen)
                    backoff.reset()
                except Exception as error:
                    if not is_unavailable(error):
                        raise
                    self._database.mark_lost(error, self._name)
                    await pause(self._stopping, backoff.pause())
        finally:
            self._database.forget(self._name)

    async def _once(self, seen: int) -> None:
        done = await self._step()
        self._database.mark_restored(self._name)
        self._succeeded()
        if done >= BUSY_THRESHOLD:
            return
        timeout = self._idle_timeout
        seconds = IDLE_POLL_SECONDS if timeout is None else await asyncio.to_thread(timeout)
        if await self._commits.after(seen, max(self._settle_seconds, seconds)):
            await pause(self._reader_waiting or self._stopping, self._settle_seconds)
