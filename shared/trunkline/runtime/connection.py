"""Connection: all that a running service needs of whatever carries its messages, as one value."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from trunkline.messaging.caught_up import Horizon
from trunkline.messaging.transport import Transport


def _no_problems() -> list[str]:
    return []


def _nothing_to_stop() -> None:
    pass


@dataclass(frozen=True)
class Connection:
    """To Kafka, or to the other service in the same process.

    Attributes:
        transport: takes the pages of the outbox.
        horizon: how far others have published some topics, and whether that is consumed.
        problems: what does not answer now, one sentence each; empty: nothing.
        stop: end consuming with the batch in hand; called once, before the loops are awaited.
        state_topics: the compacted topics that have a consumer; None: all, as anybody may consume a topic of Kafka.
    """

    transport: Transport
    horizon: Horizon
    problems: Callable[[], list[str]] = _no_problems
    stop: Callable[[], None] = _nothing_to_stop
    state_topics: Collection[str] | None = None
