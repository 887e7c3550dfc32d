"""Whether all that numbers had answered by some instant is processed: only then does silence mean anything (X5).

A request that nobody has answered in time counts as refused. After a restart, or behind a backlog, the answer may lie
in its topic unread; so nothing is refused before the topics have been read to where they ended after it fell due, and
no process refuses anything before it has listened for as long as an answer may take.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from trunkline_licensing.message_handlers.number_replies import TOPICS

if TYPE_CHECKING:
    from trunkline.messaging.caught_up import Passed
    from trunkline.service_definition import ServiceContext

LOOK_AGAIN: Final = timedelta(seconds=1)


class AnswersRead:
    """Knows up to when all answers have been read; a loop of the service finds it out when somebody asks."""

    def __init__(self) -> None:
        """Without a node, all is as good as read: nobody is between the two services then."""
        self._context: ServiceContext | None = None
        self._begun: datetime | None = None
        self._patience = timedelta(0)
        self._read_up_to: datetime | None = None
        self._mark: tuple[datetime, Passed] | None = None
        self._requested = False

    def watch(self, context: ServiceContext) -> Callable[[], int]:
        """Begin to listen; the loop's step."""
        self._context, self._begun = context, context.clock.now()
        self._patience = timedelta(seconds=context.settings.binding_timeout)
        return self.step

    def put_off(self, due: datetime, now: datetime) -> datetime | None:
        """Until when a request that fell due must wait yet; None: it has waited long enough.

        Args:
            due: when its answer was due.
            now: the service's instant.
        """
        if self._context is None or self._begun is None:
            return None
        listened = self._begun + self._patience
        if now < listened:
            return listened
        if self._read_up_to is not None and due <= self._read_up_to:
            return None
        self._requested = True
        return now + LOOK_AGAIN

    def step(self) -> int:
        """Where somebody has asked: note where the topics end, or see whether they have been read to there."""
        if self._context is None or not self._requested:
            return 0
        if self._mark is None:
            at, passed = self._context.clock.now(), self._context.horizon(TOPICS)
            self._mark = None if passed is None else (at, passed)
        if self._mark is not None and self._mark[1]():
            self._read_up_to, self._mark, self._requested = self._mark[0], None, False
        return 0
