"""Waking the followers of a log: by a commit in this process at once, by another process's through NOTIFY."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import psycopg

from trunkline.availability import database_availability
from trunkline.eventstore.event_store import CHANNEL, Store


class CommitSignal:
    """Counts commits, and lets coroutines wait for the next one. Set from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to a loop, whose coroutines wait."""
        self.loop = loop
        self._waiting: set[asyncio.Future[None]] = set()
        self.count = 0
        self.elsewhere = 0
        """How many of these commits were another process's."""

    def set_elsewhere(self) -> None:
        """Another process has committed, or may have; from any thread."""
        self.elsewhere += 1  # only the listener's thread does
        self.set()

    def set(self, _position: int = 0) -> None:
        """Wake everybody; from any thread, also while the loop is closing."""
        try:
            self.loop.call_soon_threadsafe(self._commit_signal)
        except RuntimeError:
            return  # the loop is gone: nobody waits any more

    def _commit_signal(self) -> None:
        self.count += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def after(self, seen: int, at_most: float = 1.0) -> bool:
        """Wait until the count is past `seen`, or for `at_most` seconds: a lost wake-up costs no more than that.

        Returns:
            Whether there was a wake-up.
        """
        if self.count != seen:
            return True
        future = self.loop.create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait_for(future, at_most)
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return True


class CommitListener:
    """Hears other processes' commits (NOTIFY) in a thread of its own and passes them on."""

    def __init__(self, store: Store, received: Callable[[], None]) -> None:
        """Prepare to call `received` after every commit to `store`, by any process."""
        self._url = store.url
        self._sender = store.sender
        self._received = received
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listen", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def begin_to_stop(self) -> None:
        """Have the thread end, within half a second."""
        self._stop.set()

    def stop(self) -> None:
        """Stop listening and wait for the thread; a node that never started has none."""
        self.begin_to_stop()
        if self._thread.is_alive():
            self._thread.join()

    def _listen(self) -> None:
        database = database_availability(self._url)
        who = f"listener/{self._sender}"
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as conn:
                    conn.execute(f"LISTEN {CHANNEL}".encode())
                    database.mark_restored(who)
                    self._received()  # whatever was committed before LISTEN took hold
                    while not self._stop.is_set():
                        for notified in conn.notifies(timeout=0.5, stop_after=1):
                            if notified.payload != self._sender:  # who committed here was woken at once
                                self._received()
            except psycopg.Error as error:  # meanwhile the loops look by themselves
                database.mark_lost(error, who)
                self._stop.wait(0.5)
        database.forget(who)
