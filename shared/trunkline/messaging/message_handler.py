"""Message handlers: what a service does about the records of its topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from trunkline.contracts.cloudevents.message import Message
from trunkline.contracts.contract import Contract
from trunkline.eventstore.unit_of_work import UnitOfWork

Handle = Callable[[UnitOfWork, Sequence[Message]], None]
"""Decides what a batch of messages brings about, into the work; the inbox commits it with their positions."""


@dataclass(frozen=True)
class MessageHandler:
    """One handler and the topics it serves: topic -> the contracts that may come on it, by CloudEvents type."""

    topics: Mapping[str, Mapping[str, Contract]]
    handle: Handle


class HandlingService(Protocol):
    """The part of a service definition that consuming needs."""

    @property
    def name(self) -> str:
        """`licensing` or `numbers`."""
        ...

    @property
    def message_handlers(self) -> tuple[MessageHandler, ...]:
        """Everything that it consumes."""
        ...
