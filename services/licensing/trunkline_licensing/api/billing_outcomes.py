"""What became of each billing event: its verdict, why, and what may be a slip though it counts (S1, S3, S7, D10.14)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Literal, get_args

from pydantic import BaseModel

from trunkline.clock import rfc3339
from trunkline.contracts import billing
from trunkline.contracts.cloudevents.envelope import Message, MessageDecodeError, content_hash
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.idempotency import CommandResult
from trunkline_licensing.domain.pool.catalogue import BASE, Catalogue
from trunkline_licensing.domain.subscription.events import SubscriptionFactRefused
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION
from trunkline_licensing.message_handlers.billing_events import PRODUCER

_KNOWN: Final = (
    "SELECT i.source, i.id, i.payload_hash FROM inbox i"
    " JOIN unnest(%s::text[], %s::text[]) AS m(source, id) ON i.source = m.source AND i.id = m.id"
)
_STATUS: Final = {"refused": HTTPStatus.UNPROCESSABLE_ENTITY, "quarantined": HTTPStatus.CONFLICT}

Name = tuple[str, str]
Verdict = Literal["accepted", "scheduled", "duplicate", "waiting", "refused", "quarantined", "unreadable"]


class Warned(BaseModel):
    """Something that may be a slip, though the event counts."""

    code: str
    message: str


class Outcome(BaseModel):
    """What became of one event: `waiting` for something not known yet (S7), `refused` by a rule, on record;
    `scheduled`: dated ahead, it counts from `counts_from` on, as does an `accepted` one that is ahead by no more than
    clocks may differ; `duplicate`: heard before, no further effect;
    `quarantined`: heard before with other contents (S3). `warnings`: what may be a slip, though the event counts."""

    place: int
    id: str | None = None
    source: str | None = None
    subscription_id: str | None = None
    verdict: Verdict
    code: str | None = None
    reason: str | None = None
    pointer: str | None = None
    counts_from: datetime | None = None
    warnings: list[Warned] = []


class Outcomes(BaseModel):
    """What became of each, in the order sent."""

    accepted: int = 0
    scheduled: int = 0
    duplicate: int = 0
    waiting: int = 0
    refused: int = 0
    quarantined: int = 0
    unreadable: int = 0
    results: list[Outcome]


class SingleOutcome(Outcomes):
    """What became of one event that was sent by itself and does not count, as problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str


def answered(results: Sequence[Outcome], request_id: str, *, single: bool) -> CommandResult:
    """The answer of one call.

    Args:
        results: what became of each event.
        request_id: the request's.
        single: one event was sent by itself, not as a batch: its status is that of the answer.
    """
    counts = {verdict: sum(r.verdict == verdict for r in results) for verdict in get_args(Verdict)}
    outcomes = Outcomes(results=list(results), **counts)
    if not (counts["refused"] or counts["quarantined"] or counts["unreadable"]):
        return CommandResult(outcomes)
    if not single:
        return CommandResult(outcomes, status=HTTPStatus.MULTI_STATUS)
    [result] = results
    status, code = _STATUS[result.verdict], result.code or result.verdict
    outcome = SingleOutcome(
        **dict(outcomes),
        type=f"urn:trunkline:problem:{code}",
        title=code.replace("-", " "),
        status=status,
        code=code,
        detail=result.reason or code,
        request_id=request_id,
    )
    return CommandResult(outcome, status=status, problem=True)


class Reckoning:
    """The outcomes of the messages of one piece of work, after the reaction has recorded what follows from them."""

    def __init__(
        self, uow: UnitOfWork, messages: Sequence[Message], catalogue: Catalogue, tolerance: timedelta = timedelta()
    ) -> None:
        """Read what had been heard under the messages' names before.

        Args:
            uow: read after the reaction has read the same: what a rival commits in between is a conflict.
            messages: all of the call.
            catalogue: the licenses of this deployment.
            tolerance: how far billing's clock may be ahead: an event dated no further ahead was not meant for later,
                so that its verdict is `accepted`. It delays and never hastens: the event counts at its instant.
        """
        self._uow, self._catalogue, self._tolerance = uow, catalogue, tolerance
        self._before = _before(uow, messages)
        self._heard = set(self._before)
        self._refusals = _refusals(uow)

    def outcome(self, index: int, item: Message | MessageDecodeError) -> Outcome:
        """What became of the item at a place of the call."""
        if isinstance(item, MessageDecodeError):
            return Outcome(place=index, verdict="unreadable", code=item.code, reason=item.reason, pointer=f"#/{index}")
        name, contents = (item.source, item.id), content_hash(item)
        found = Outcome(place=index, id=item.id, source=item.source, subscription_id=item.subject, verdict="accepted")
        if self._before.setdefault(name, contents) != contents:
            found.verdict = found.code = "quarantined"
            found.reason = "Other contents were heard under this source and id before; the first stand."
        elif name in self._heard:
            found.verdict = "duplicate"
        else:
            self._judge(found, item)
        self._heard.add(name)
        return found

    def _judge(self, found: Outcome, message: Message) -> None:
        """The verdict on a message that had never been heard before."""
        name = (message.source, message.id)
        subscription = self._uow.state(SUBSCRIPTION, message.subject)
        if (waiting := subscription.waiting.get(name)) is not None:
            for_what = "its organization" if waiting.awaits == "organization" else "the start of its subscription"
            found.verdict, found.code = "waiting", f"{waiting.awaits}-unknown"
            found.reason = f"It waits for {for_what}, which has not been heard of yet."
        elif (scheduled := subscription.scheduled.get(name)) is not None:
            found.counts_from = scheduled.at
            if scheduled.at - self._uow.now > self._tolerance:
                found.verdict = "scheduled"
                found.reason = f"It is dated ahead of the clock and counts from {rfc3339(scheduled.at)} on."
        elif (refusal := self._refusals.get(name)) is not None:
            found.verdict, found.code, found.reason = "refused", refusal.code, refusal.reason
        if found.verdict != "refused":
            found.warnings = list(self._warnings(message))

    def _warnings(self, message: Message) -> Iterator[Warned]:
        data = message.data
        if isinstance(data, billing.LicenseStarted) and data.license_code not in (BASE, *self._catalogue.addons):
            yield Warned(
                code="license-code-unknown",
                message=f"The license code {data.license_code!r} is in no catalogue: nothing can be allocated of it.",
            )
        if isinstance(data, billing.Renewed) and data.renewed_until <= self._uow.now:
            yield Warned(
                code="renewed-until-past",
                message=f"renewed_until is {rfc3339(data.renewed_until)}, which is past already.",
            )


def _before(uow: UnitOfWork, messages: Sequence[Message]) -> dict[Name, bytes]:
    """What had been heard under the messages' names before this call: its content's hash."""
    sources, ids = [f"{PRODUCER}:{m.source}" for m in messages], [m.id for m in messages]
    rows = uow.fetch(_KNOWN, (sources, ids)) if messages else []
    return {(source.removeprefix(f"{PRODUCER}:"), id_): bytes(seen) for source, id_, seen in rows}


def _refusals(uow: UnitOfWork) -> Mapping[Name, SubscriptionFactRefused]:
    """The refusals that this work has recorded, by the fact's name; a later verdict on the same fact replaces one."""
    found: dict[Name, SubscriptionFactRefused] = {}
    for _, event in uow.recorded:
        if isinstance(event, SubscriptionFactRefused):
            found[event.fact.name] = event
        elif (fact := getattr(event, "fact", None)) is not None:
            found.pop((fact.source, fact.id), None)
    return found
