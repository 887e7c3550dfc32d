"""State topics: the newest document of each subject, compacted by the broker; a tombstone when it is gone (X1).

A state topic follows a view, not the log: however often a subject changes between two looks, one document is sent.
The view's rows know the log position of their last event, so a page is one query and nothing is asked twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from trunkline.contracts.contract import Contract
from trunkline.contracts.envelope import encode
from trunkline.duties import Duties
from trunkline.epochs import sequence_of
from trunkline.messaging.record import Outgoing
from trunkline.recorded import event_id
from trunkline.store import Overtaken, Store
from trunkline.wake import Wake

log = structlog.get_logger(__name__)

PAGE = 1_000
SendPage = Callable[[Sequence[Outgoing]], Awaitable[None]]


class StateTopic:
    """What a state topic says.

    Attributes:
        contract: of the documents.
        view: a `state_view` with an index on `position`; its rows are the subjects.
        document: a row's `folded` bytes and version -> the document; None: the subject is gone.
    """

    def __init__(self, contract: Contract, view: str, document: Callable[[bytes, int], Any | None]) -> None:
        self.contract = contract
        self.view = view
        self.document = document


def begin_anew(store: Store, topic: StateTopic) -> None:
    """Let the feed of a state topic begin at the first row again: whoever hears it has lost what it heard."""
    with store.locked() as conn:
        conn.execute(b"DELETE FROM notification_tracking WHERE application_name = %s", (_follower(topic),))


def _follower(topic: StateTopic) -> str:
    return f"states/{topic.contract.name}"


class StateFeed:
    """Keeps a state topic up to its view. One copy of a service does it at a time."""

    def __init__(self, store: Store, topic: StateTopic, duties: Duties) -> None:
        """Prepare.

        Args:
            store: where the view is; the position is kept as `states/<contract>`.
            topic: what is said.
            duties: the process's duties.
        """
        self._store = store
        self._topic = topic
        self._follower = _follower(topic)
        self._duties = duties
        self._position: int | None = None
        self._term = 0
        """In which the position was read; 0: it must be read."""

    async def step(self, send_page: SendPage) -> int:
        """Send the documents of the next page of changed rows; how many, 0 where none has changed.

        Args:
            send_page: delivers in order and returns once it is safe; what it raises leaves the position alone.
        """
        if not await asyncio.to_thread(self._holds):
            return 0
        page = await asyncio.to_thread(self._page)
        if not page:
            return 0
        await send_page(page)
        try:
            await asyncio.to_thread(self._store.move, self._follower, self._position, page[-1].position)
        except Overtaken:
            self._term = 0  # another copy has sent it meanwhile: the same documents, so no harm is done
            return 0
        self._position = page[-1].position
        return len(page)

    async def run(self, send_page: SendPage, wake: Wake, stopping: Callable[[], bool]) -> None:
        """Send until told to stop; whatever goes wrong is tried again.

        Args:
            send_page: as for `step`.
            wake: set when the views have moved.
            stopping: whether to end.
        """
        delay = 0.05
        while not stopping():
            seen = wake.count
            try:
                if await self.step(send_page) == 0:
                    await wake.after(seen)
                delay = 0.05
            except Exception:
                log.warning("a state topic was interrupted and goes on", topic=self._topic.contract.name, exc_info=True)
                self._term = 0
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    def _holds(self) -> bool:
        term = self._duties.hold(self._follower)
        if term and term != self._term:  # the last record of the position may be lost, or another copy's
            self._position = self._store.positions(self._follower).get(self._follower)
        self._term = term
        return term > 0

    def _page(self) -> list[Outgoing]:
        rows = self._store.fetch(
            f"SELECT key, version, position, changed_at, folded FROM {self._topic.view}"
            " WHERE position > %s ORDER BY position LIMIT %s",
            (self._position or 0, PAGE),
        )
        return [self._outgoing(*row) for row in rows]

    def _outgoing(self, key: str, version: int, position: int, changed_at: Any, folded: bytes) -> Outgoing:
        contract = self._topic.contract
        epoch = self._store.epochs.current
        sequence = sequence_of(epoch, version)
        document = self._topic.document(folded, sequence)
        headers, value = encode(
            contract,
            id=event_id(f"{self._follower}/{key}", version, epoch),
            subject=key,
            time=changed_at,
            sequence=sequence,
            epoch=epoch,
            correlation_id=None,
            causation_id=None,
            data=document,
        )
        return Outgoing(contract.topic, key.encode(), None if document is None else value, headers, position)
