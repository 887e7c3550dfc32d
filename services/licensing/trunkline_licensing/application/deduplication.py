"""Each message of a foreign producer takes effect once; one that changed under its id is quarantined (S3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import structlog

from trunkline.contracts.cloudevents.envelope import Message, content_hash
from trunkline.eventstore.decider import Decider
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.messaging.conflicting_duplicates.store import quarantine

log = structlog.get_logger(__name__)


def heard_once(
    uow: UnitOfWork, producer: str, messages: Sequence[Message], streams: Iterable[tuple[Decider[Any], str]] = ()
) -> list[Message]:
    """Those of a batch that were never heard before, in their order.

    The others have no effect: a repetition is dropped, one with other contents is quarantined. What the work commits
    includes that these were heard.

    Args:
        uow: the batch's work.
        producer: goes before the source in the inbox, so that two kinds of producer may use one source name.
        messages: as they came.
        streams: loaded in the same query.
    """
    sources = [f"{producer}:{message.source}" for message in messages]
    ids = [message.id for message in messages]
    uow.load(streams, received=list(zip(sources, ids, strict=True)))
    known = dict(uow.received_before)
    fresh: list[Message] = []
    received: list[tuple[str, str, bytes]] = []
    for source, message in zip(sources, messages, strict=True):
        digest = content_hash(message)
        first = known.get((source, message.id))
        if first is None:
            known[source, message.id] = digest
            received.append((source, message.id, digest))
            fresh.append(message)
        elif first != digest:
            quarantine(uow, message, digest)
            log.warning("quarantined a message that changed under its id", source=message.source, id=message.id)
    if received:
        uow.heard(received)
    return fresh
