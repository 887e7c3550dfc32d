"""The loops of a service: one that fails as a whole is started again with back-off, and shown as not ready meanwhile.

Only a damaged store, or a loop that may not go on, ends the process: whoever looks after the process starts it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, NamedTuple

import structlog

from trunkline.availability import root_cause
from trunkline.errors import EndsProcess
from trunkline.eventstore.failed_items import cause_of, is_corrupted
from trunkline.messaging.retry import Backoff
from trunkline.telemetry import LOOP_FAILURES

log = structlog.get_logger(__name__)

FIRST_SECONDS: Final = 0.2
MOST_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 5.0
"""A loop that has run for so long since its last failure counts as well, unless it reports success earlier."""

Run = Callable[[], Coroutine[Any, Any, None]]


class LoopFailure(NamedTuple):
    """How often in a row a loop has failed, and why it did last."""

    times: int
    cause: str


class Supervisor:
    """Runs the loops of one service until it stops. Used inside one event loop."""

    def __init__(self, service: str, stopping: asyncio.Event) -> None:
        """Prepare.

        Args:
            service: names the tasks, the log lines and the metrics.
            stopping: ends the restarts; set here where a loop must end the process.
        """
        self._service = service
        self._stopping = stopping
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.failures: dict[str, LoopFailure] = {}
        """The loops that do not run as they should."""

    def start(self, name: str, run: Run | Coroutine[Any, Any, None]) -> None:
        """Run a loop until the service stops.

        Args:
            name: of the loop.
            run: makes the coroutine, again after each failure. A coroutine itself cannot be started again: its
                failure ends the process.
        """
        uow = run if isinstance(run, Coroutine) else self._keep(name, run)
        task = asyncio.get_running_loop().create_task(uow, name=f"{self._service}/{name}")
        self.tasks[name] = task
        task.add_done_callback(self._ended)

    def succeeded(self, name: str) -> None:
        """A loop has done a step: it counts as well."""
        failure = self.failures.pop(name, None)
        if failure is not None:
            log.info("a loop runs again", loop=f"{self._service}/{name}", failures=failure.times)

    def troubles(self) -> list[str]:
        """One sentence for each loop that does not run."""
        failing = [
            f"the loop {name!r} has failed {failure.times} times in a row and is started again: {failure.cause}"
            for name, failure in self.failures.items()
        ]
        return failing + [f"the loop {name!r} has ended" for name, task in self.tasks.items() if task.done()]

    async def _keep(self, name: str, run: Run) -> None:
        backoff = Backoff(FIRST_SECONDS, MOST_SECONDS)
        clock = asyncio.get_running_loop()
        while True:
            steady = clock.call_later(STEADY_SECONDS, self.succeeded, name)
            try:
                return await run()
            except asyncio.CancelledError as cancelled:
                task = asyncio.current_task()
                if self._stopping.is_set() or (task is not None and task.cancelling()):
                    raise
                failure: BaseException = cancelled  # a library has cancelled what it was called from
            except Exception as error:  # noqa: BLE001 - whatever it is, the loop is started again
                failure = error
            finally:
                steady.cancel()
            self._failed(name, failure, backoff)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff.pause())
            if self._stopping.is_set():
                return None

    def _failed(self, name: str, error: BaseException, backoff: Backoff) -> None:
        """Put a failure on record. Raises it where it must end the process."""
        error = root_cause(error)
        if isinstance(error, EndsProcess) or is_corrupted(error):
            raise error
        LOOP_FAILURES.labels(self._service, name).inc()
        before = self.failures.get(name, LoopFailure(0, ""))
        if not before.times:
            backoff.reset()
        failure = self.failures[name] = LoopFailure(before.times + 1, cause_of(error))
        if failure.cause != before.cause:
            log.error("a loop has failed and is started again", loop=f"{self._service}/{name}", exc_info=error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # A library may cancel what it was called from: unless the service stops, that is an error like any other.
        error = asyncio.CancelledError("by itself") if task.cancelled() else task.exception()
        if error is not None and not (task.cancelled() and self._stopping.is_set()):
            log.error("a loop has ended", loop=task.get_name(), error=repr(error))
            self._stopping.set()
