"""Operators' command on what differs between the services: the owner states it again, in its epoch (O7, P6, X1).

Whoever takes the newest takes it, whatever the lost history of a restored log had published before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.http.dependencies import OperatorPrincipal
from trunkline.http.schemas import Body
from trunkline.messaging.compacted_topics.feed import outgoing_document
from trunkline.messaging.outbox_relay import outgoing_record
from trunkline.messaging.records import OutgoingRecord
from trunkline.operations.reconciliation.records import MOST_KEYS
from trunkline.security.audit_log import auditing

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

Repairable = Literal["subscription", "party", "binding", "copy"]
_STREAMS: Final = frozenset({"subscription", "party"})
_SECONDS: Final = 20.0


class RepairUnknown(Refused):
    """{service} has nothing to state again of the kind {kind}."""

    status: ClassVar[int] = 422


class RepairInterrupted(Refused):
    """The broker did not take what {service} stated again: it goes out as soon as the broker is back."""

    status: ClassVar[int] = 503


class Repair(Body):
    """What is to be stated again. `numbers`: for bindings, the numbers that either side has at an extension."""

    kind: Repairable
    keys: list[Annotated[str, Field(max_length=100)]] = Field(min_length=1, max_length=MOST_KEYS)
    numbers: dict[str, list[str]] = Field(default_factory=dict, max_length=MOST_KEYS)


class Repaired(BaseModel):
    """How many things were stated again; what the service does not have is left out."""

    stated: int


def add_repair(router: APIRouter, runtime: ServiceRuntime) -> None:
    """Add the command to a service's operators' routes.

    Args:
        router: it has their prefix, and checks the principal.
        runtime: the running service.
    """

    @router.post("/repair", summary="State again what the other service holds differently")
    def repair_other_service(principal: OperatorPrincipal, body: Repair) -> Repaired:
        arguments = {"kind": body.kind, "keys": body.keys}
        with auditing(runtime.store, runtime.clock.now, principal.actor, "repair", arguments):
            return Repaired(stated=_repair(runtime, body, Causation(principal.actor, "repair", "repair")))


def _repair(runtime: ServiceRuntime, body: Repair, cause: Causation) -> int:
    mend = runtime.service.repairs.get(body.kind)
    if mend is not None:
        done, _ = runtime.run(lambda uow: mend(uow, {key: body.numbers.get(key, ()) for key in body.keys}, cause))
        return done
    if body.kind == "copy" and runtime.service.states:
        page = _documents(runtime, body.keys)
    elif body.kind in _STREAMS and any(d.category == body.kind for d in runtime.service.deciders):
        page = _newest_facts(runtime, [f"{body.kind}/{key}" for key in body.keys])
    else:
        raise RepairUnknown(service=runtime.name, kind=body.kind)
    sending = asyncio.run_coroutine_threadsafe(runtime.send_again(page), runtime.commit_signal.loop)
    try:
        sending.result(_SECONDS)
    except TimeoutError:
        raise RepairInterrupted(service=runtime.name) from None
    return len(page)


def _documents(runtime: ServiceRuntime, keys: list[str]) -> list[OutgoingRecord]:
    (topic,) = runtime.service.states
    rows = runtime.store.fetch(
        f"SELECT key, version, position, changed_at, folded FROM {topic.view} WHERE key = ANY(%s)", (keys,)
    )
    return [outgoing_document(runtime.store, topic, *row) for row in rows]


def _newest_facts(runtime: ServiceRuntime, streams: list[str]) -> list[OutgoingRecord]:
    """The newest public event of each stream, with the sequence that it has in the present epoch."""
    rows = runtime.store.fetch(
        "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
        " WHERE originator_id = ANY(%s) AND NOT topic = ANY(%s) ORDER BY originator_id, originator_version",
        (streams, sorted(runtime.service.private)),
    )
    newest: dict[str, OutgoingRecord] = {}
    for row in rows:
        event = msgspec.structs.replace(runtime.store.event(row), epoch=runtime.store.epochs.current)
        if (record := outgoing_record(runtime.service, event)) is not None:
            newest[row[1]] = record
    return list(newest.values())
