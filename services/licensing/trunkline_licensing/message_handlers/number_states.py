"""The newest document of each number is copied, and an extension whose number is only kept for it shows so (X5, L19).

Nothing is asked of the database for a number that rings nowhere: one statement writes a whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.contracts.cloudevents.message import Message
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.domain.extension.extension import EXTENSION
from trunkline_licensing.domain.extension.number_request import number_is
from trunkline_licensing.replicas.number_replica import NumberReplica, copy_of, read, write


def handle(uow: UnitOfWork, messages: Sequence[Message]) -> None:
    """Hear a batch of documents.

    Args:
        uow: where the copies are written, and what they mean for extensions is recorded.
        messages: `NumberState` of numbers, data None for a tombstone; in any order, any of them again.
    """
    newest: dict[str, tuple[NumberReplica, Message]] = {}
    for message in messages:
        copy = copy_of(message.subject, message.sequence or 0, message.data)
        if message.subject not in newest or newest[message.subject][0].version < copy.version:
            newest[message.subject] = (copy, message)
    ringing = [copy for copy, _ in newest.values() if copy.extension_id is not None]
    known = read(uow.fetch, [copy.number for copy in ringing])
    write(uow, (copy for copy, _ in newest.values()))
    doubtful = [copy for copy in ringing if _may_matter(copy, known.get(copy.number))]
    uow.load((EXTENSION, str(copy.extension_id)) for copy in doubtful)
    for copy in doubtful:
        message = newest[copy.number][1]
        x = uow.state(EXTENSION, str(copy.extension_id))
        events = number_is(x, copy.generation or 0, uow.now, suspended=copy.suspends)
        uow.record(EXTENSION, x.id, events, Causation(message.source, message.correlation_id or message.id, message.id))


def _may_matter(copy: NumberReplica, before: NumberReplica | None) -> bool:
    """Whether an extension may have to be told: nearly never, so that its stream need not be read."""
    if before is not None and before.version >= copy.version:
        return False
    return copy.suspends or before is None or before.suspends
