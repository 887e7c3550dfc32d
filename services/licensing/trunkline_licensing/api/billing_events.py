"""Billing events over HTTP (S1): the same messages and reaction as on their Kafka topic, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from starlette.datastructures import Headers

from trunkline.answers import Answer, change
from trunkline.contracts import billing
from trunkline.contracts.envelope import Message, Unreadable, content_hash, decode, decode_batch, decode_structured
from trunkline.contracts.http_binding import attributes
from trunkline.doors import Asked, Node, Posted, door
from trunkline.event_sources import check_sources
from trunkline.parties import Branch, Resource, authorize
from trunkline.refusal import Refused
from trunkline.work import Work
from trunkline_licensing.api.branch import branch_of
from trunkline_licensing.api.subscriptions import SubscriptionUnknown
from trunkline_licensing.party_refusals import PartyUnknown
from trunkline_licensing.reactions.billing_heard import PRODUCER, react
from trunkline_licensing.subscription import SUBSCRIPTION
from trunkline_licensing.subscription_events import SubscriptionFactRefused

MAX_BODY_BYTES: Final = 16 * 1_048_576
MOST_EVENTS: Final = 5_000
_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
_KNOWN: Final = (
    "SELECT i.source, i.id, i.payload_hash FROM inbox i"
    " JOIN unnest(%s::text[], %s::text[]) AS m(source, id) ON i.source = m.source AND i.id = m.id"
)

Verdict = Literal["accepted", "duplicate", "waiting", "refused", "quarantined", "unreadable"]


class EventUnreadable(Refused):
    """The event cannot be read. {reason}"""

    status: ClassVar[int] = 422


class BatchTooLong(Refused):
    """The batch has {count} events; one call takes at most 5,000."""

    status: ClassVar[int] = 413


class ContentTypeUnsupported(Refused):
    """The content type {given!r} is no CloudEvent's: send application/cloudevents+json, or for several events \
application/cloudevents-batch+json, or in binary mode `ce-…` headers with application/json."""

    status: ClassVar[int] = 415


class Outcome(BaseModel):
    """What became of one event: `waiting` for something not known yet (S7), `refused` by a rule, on record;
    `duplicate`: heard before, no further effect; `quarantined`: heard before with other contents (S3)."""

    place: int
    id: str | None = None
    source: str | None = None
    subscription_id: str | None = None
    verdict: Verdict
    code: str | None = None
    reason: str | None = None
    pointer: str | None = None


class Outcomes(BaseModel):
    """What became of each, in the order sent."""

    accepted: int = 0
    duplicate: int = 0
    waiting: int = 0
    refused: int = 0
    quarantined: int = 0
    unreadable: int = 0
    results: list[Outcome]


_BODY: Final = {"schema": {"type": "object", "description": "A CloudEvent, see `billing.subscription.…`."}}
_EXTRA: Final[dict[str, Any]] = {
    "x-max-body-bytes": MAX_BODY_BYTES,
    "requestBody": {
        "required": True,
        "content": {
            _STRUCTURED: _BODY,
            _BATCH: {"schema": {"type": "array", "items": _BODY["schema"], "maxItems": MOST_EVENTS}},
            "application/json": {"schema": {"description": "Binary mode: the data; the rest in `ce-…` headers."}},
        },
    },
}


async def _raw(request: Request) -> bytes:
    return await request.body()


def router(node: Node) -> APIRouter:
    """The operation."""
    routes = door(node, "billing", {404: "an organization outside the asker's branch", 415: "no CloudEvent"})

    @routes.post(
        "/licensing/billing-events",
        summary="One CloudEvent of billing, or a batch",
        response_model=Outcomes,
        responses={207: {"model": Outcomes, "description": "some were refused, quarantined or unreadable"}},
        openapi_extra=_EXTRA,
    )
    def hear(request: Request, body: Annotated[bytes, Depends(_raw)], asked: Posted) -> Response:
        items = _read(request.headers, body)
        platform_sources = node.settings.billing_sources
        return change(node, asked, lambda work: _heard(work, asked, items, platform_sources))

    return routes


def _read(headers: Headers, body: bytes) -> Sequence[Message | Unreadable]:
    """The events of a body.

    Raises:
        EventUnreadable: the one event cannot be read, or the batch is none.
        BatchTooLong, ContentTypeUnsupported: as they say.
    """
    given = headers.get("content-type", "")
    media = given.partition(";")[0].strip().lower()
    try:
        if media == _BATCH:
            items = decode_batch(body, billing.CONTRACTS)
            if len(items) > MOST_EVENTS:
                raise BatchTooLong(count=len(items))
            return items
        if media == _STRUCTURED:
            return [decode_structured(body, billing.CONTRACTS)]
        if media == "application/json" and "ce-specversion" in headers:
            return [decode(attributes(headers.raw), body, billing.CONTRACTS)]
    except Unreadable as error:
        raise EventUnreadable(
            reason=error.reason, errors=[{"in": "body", "pointer": "#", "code": error.code, "detail": error.reason}]
        ) from None
    raise ContentTypeUnsupported(given=given[:100])


def _heard(
    work: Work, asked: Asked, items: Sequence[Message | Unreadable], platform_sources: Collection[str]
) -> Answer:
    """Let the reaction hear what can be read, and tell what became of each."""
    messages = [item for item in items if isinstance(item, Message)]
    branch = branch_of(work, asked.principal)
    authorize(branch, "publish billing events")
    for organization_id in dict.fromkeys(message.data.organization_id for message in messages):
        named = Resource(PartyUnknown(key=organization_id), parties=(organization_id,))
        authorize(branch, "publish billing events", named)
    check_sources(asked.principal, (message.source for message in messages), platform_sources)
    if not asked.principal.sees_all:
        _check_subscriptions(work, branch, {message.subject for message in messages})
    react(work, messages)
    # Read after the reaction has read the same: what a rival commits in between then is a conflict, and decided anew.
    before = _before(work, messages)
    reasons = _reasons(work)
    results: list[Outcome] = []
    for place, item in enumerate(items):
        if isinstance(item, Unreadable):
            results.append(
                Outcome(place=place, verdict="unreadable", code=item.code, reason=item.reason, pointer=f"#/{place}")
            )
            continue
        first, told = before.get((item.source, item.id)), content_hash(item)
        before.setdefault((item.source, item.id), told)
        results.append(_outcome(work, place, item, first, told, reasons))
    counts = {verdict: sum(r.verdict == verdict for r in results) for verdict in get_args(Verdict)}
    trouble = counts["refused"] + counts["quarantined"] + counts["unreadable"]
    return Answer(Outcomes(results=results, **counts), status=207 if trouble else 200)


def _check_subscriptions(work: Work, branch: Branch, subscription_ids: Collection[str]) -> None:
    """Let nobody put anything on the record of a subscription outside the branch (P2); an unknown one may come yet.

    Raises:
        SubscriptionUnknown: as if it did not exist.
    """
    work.load((SUBSCRIPTION, key) for key in subscription_ids)
    for key in sorted(subscription_ids):
        after = work.state(SUBSCRIPTION, key).after
        if after is not None:
            unknown = SubscriptionUnknown(subscription_id=key)
            authorize(branch, "publish billing events", Resource(unknown, parties=(after.organization_id,)))


def _before(work: Work, messages: Sequence[Message]) -> dict[tuple[str, str], bytes]:
    """What had been heard under the messages' names before this call: its content's hash."""
    sources, ids = [f"{PRODUCER}:{m.source}" for m in messages], [m.id for m in messages]
    rows = work.fetch(_KNOWN, (sources, ids)) if messages else []
    return {(source.removeprefix(f"{PRODUCER}:"), id_): bytes(seen) for source, id_, seen in rows}


def _reasons(work: Work) -> dict[tuple[str, str], str]:
    """The sentences of the refusals that this work has recorded."""
    events = (event for _, event in work.recorded if isinstance(event, SubscriptionFactRefused))
    return {(event.fact.source, event.fact.id): event.reason for event in events}


def _outcome(
    work: Work,
    place: int,
    message: Message,
    first: bytes | None,
    told: bytes,
    reasons: Mapping[tuple[str, str], str],
) -> Outcome:
    verdict: Verdict
    code = reason = None
    if first is not None:
        verdict = "duplicate" if first == told else "quarantined"
        if verdict == "quarantined":
            code, reason = "quarantined", "Other contents were heard under this source and id before; the first stand."
    else:
        verdict, code, reason = _verdict(work, message)
        reason = reasons.get((message.source, message.id), reason)
    return Outcome(
        place=place,
        id=message.id,
        source=message.source,
        subscription_id=message.subject,
        verdict=verdict,
        code=code,
        reason=reason,
    )


def _verdict(work: Work, message: Message) -> tuple[Verdict, str | None, str | None]:
    subscription = work.state(SUBSCRIPTION, message.subject)
    name = (message.source, message.id)
    for waiting in subscription.waiting:
        if (waiting.fact.source, waiting.fact.id) == name:
            for_what = "its organization" if waiting.awaits == "organization" else "the start of its subscription"
            return "waiting", f"{waiting.awaits}-unknown", f"It waits for {for_what}, which has not been heard of yet."
    for judged in reversed(subscription.facts):
        if (judged.fact.source, judged.fact.id) == name and judged.refused is not None:
            return "refused", judged.refused, None
    return "accepted", None, None
