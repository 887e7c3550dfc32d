"""What numbers said about the numbers of extensions, brought to the rows that wait for it (L10, L12, X5).

Followed from licensing's own log: each page of answers is one transaction with the follower's position, so each row is
settled once. A row whose number was refused has been compensated by then: its extension is withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trunkline.eventstore.recorded_event import RecordedEvent, stored_name
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.application.bulk_assignment.run import settle_answers
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import BULK
from trunkline_licensing.domain.bulk_assignment.rows import (
    Failure,
    binding_timeout,
    e164,
    number_unavailable,
    withdrawn,
)
from trunkline_licensing.domain.extension.events import (
    ExtensionDeleted,
    ExtensionNumberBound,
    ExtensionNumberLost,
    ExtensionNumberRefused,
    NumberUnbindingRequested,
)
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension
from trunkline_licensing.domain.extension.number_request import TIMEOUT
from trunkline_licensing.tables.bulk_rows import Outcome, waiting_for

FOLLOWER: Final = "bulk answers"
NAMES: Final = tuple(
    stored_name(kind)
    for kind in (
        ExtensionNumberBound,
        ExtensionNumberRefused,
        ExtensionNumberLost,
        ExtensionDeleted,
        NumberUnbindingRequested,
    )
)
"""What is followed: after each of these an extension that a row waits for may need no answer any more."""


def handle(uow: UnitOfWork, page: Sequence[RecordedEvent]) -> None:
    """Settle the rows that wait for what some events say; of what no row waits for, nothing is said."""
    rows = waiting_for(uow.fetch, list({event.key for event in page}))
    if not rows:
        return
    refused = {event.key: event.event for event in page if isinstance(event.event, ExtensionNumberRefused)}
    bound = {event.key for event in page if isinstance(event.event, ExtensionNumberBound)} - refused.keys()
    doubtful = [extension_id for _, _, extension_id, _ in rows if extension_id not in bound]
    uow.load([*((BULK, bulk_id) for bulk_id, _, _, _ in rows), *((EXTENSION, key) for key in doubtful)])
    settled: dict[str, list[Outcome]] = {}
    for bulk_id, index, extension_id, number in rows:
        if extension_id in bound:
            settled.setdefault(bulk_id, []).append(Outcome(index, "succeeded"))
            continue
        refusal = refused.get(extension_id)
        outcome = _outcome(index, e164(number), uow.state(EXTENSION, extension_id), refusal)
        if outcome is not None:
            settled.setdefault(bulk_id, []).append(outcome)
    for bulk_id, outcomes in settled.items():
        settle_answers(uow, bulk_id, sorted(outcomes, key=lambda o: o.place))


def _outcome(index: int, number: str, x: Extension, refusal: ExtensionNumberRefused | None) -> Outcome | None:
    """What an extension as it now is means for its row; None: the answer is still to come."""
    on = x.facts.number if x.facts is not None else None
    if not x.alive:
        return Outcome(index, "failed", _why(number, x, refusal))
    if on is None or on.generation > 1:  # somebody has given it another number, or none, by hand: the row is done
        return Outcome(index, "succeeded")
    return Outcome(index, "succeeded") if on.status in ("bound", "suspended", "lost") else None


def _why(number: str, x: Extension, refusal: ExtensionNumberRefused | None) -> Failure:
    on = x.facts.number if x.facts is not None else None
    code, reason = (refusal.code, refusal.reason) if refusal else (on.code, on.reason) if on else (None, None)
    if code is None:
        return withdrawn("by something else")
    return binding_timeout(number) if code == TIMEOUT else number_unavailable(number, reason or f"{code}.")
