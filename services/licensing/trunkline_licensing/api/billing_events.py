"""Billing events over HTTP (S1): the same messages and reaction as on their Kafka topic, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import Headers

from trunkline.contracts import billing
from trunkline.contracts.cloudevents.envelope import (
    Message,
    MessageDecodeError,
    decode,
    decode_batch,
    decode_structured,
)
from trunkline.contracts.cloudevents.http_binding import attributes
from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest, Problem, WriteRequest, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.problems import MEDIA_TYPE
from trunkline.security.authorization import Resource, authorize
from trunkline.security.event_sources import check_sources
from trunkline.security.principal import Branch
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.billing_outcomes import Outcomes, Reckoning, SingleOutcome, answered
from trunkline_licensing.api.catalogue import catalogue
from trunkline_licensing.api.subscriptions import SubscriptionUnknown
from trunkline_licensing.application.visibility import branch_of
from trunkline_licensing.domain.party.errors import PartyUnknown
from trunkline_licensing.domain.subscription.subscription import SUBSCRIPTION
from trunkline_licensing.message_handlers.billing_events import handle

MAX_BODY_BYTES: Final = 16 * 1_048_576
MOST_EVENTS: Final = 5_000
_STRUCTURED: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"


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


_PROBLEM: Final[dict[str, Any]] = {"model": SingleOutcome | Problem, "content": {MEDIA_TYPE: {}}}
_BODY: Final = {"schema": {"type": "object", "description": "A CloudEvent, see `billing.subscription.…`."}}
_EXTRA: Final[dict[str, Any]] = {
    "x-action": "publish billing events",
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


def router(context: ServiceContext) -> APIRouter:
    """The operation."""
    routes = service_router(
        context, "billing", {404: "an organization outside the asker's branch", 415: "no CloudEvent"}
    )

    @routes.post(
        "/licensing/billing-events",
        summary="One CloudEvent of billing, or a batch",
        response_model=Outcomes,
        responses={
            207: {"model": Outcomes, "description": "of a batch: some were refused, quarantined or unreadable"},
            409: {**_PROBLEM, "description": "one event, quarantined: other contents were heard under its id before"},
            422: {**_PROBLEM, "description": "one event, unreadable, or refused by a rule: then it is on record"},
        },
        openapi_extra=_EXTRA,
    )
    def hear(request: Request, body: Annotated[bytes, Depends(_raw)], asked: PostRequest) -> Response:
        sent = _read(request.headers, body)
        platform_sources = context.settings.billing_sources
        tolerance = timedelta(seconds=context.settings.clock_tolerance)

        def decide(uow: UnitOfWork) -> CommandResult:
            messages = _check(uow, asked, sent, platform_sources)
            handle(uow, messages)
            reckoning = Reckoning(uow, messages, catalogue(context), tolerance)
            results = [reckoning.outcome(index, item) for index, item in enumerate(sent.items)]
            return answered(results, asked.request_id, single=not sent.batch)

        return change(context, asked, decide)

    return routes


@dataclass(frozen=True)
class _Sent:
    """The events of one call; `batch`: sent as a batch, be it of one."""

    items: Sequence[Message | MessageDecodeError]
    batch: bool


def _read(headers: Headers, body: bytes) -> _Sent:
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
            return _Sent(items, batch=True)
        if media == _STRUCTURED:
            return _Sent([decode_structured(body, billing.CONTRACTS)], batch=False)
        if media == "application/json" and "ce-specversion" in headers:
            return _Sent([decode(attributes(headers.raw), body, billing.CONTRACTS)], batch=False)
    except MessageDecodeError as error:
        raise EventUnreadable(
            reason=error.reason, errors=[{"in": "body", "pointer": "#", "code": error.code, "detail": error.reason}]
        ) from None
    raise ContentTypeUnsupported(given=given[:100])


def _check(uow: UnitOfWork, request: WriteRequest, sent: _Sent, platform_sources: Collection[str]) -> Sequence[Message]:
    """The events that can be read, if the principal may publish all of them.

    Raises:
        Refused: an organization or subscription is outside the branch, or a source is another's.
    """
    messages = [item for item in sent.items if isinstance(item, Message)]
    branch = branch_of(uow, request.principal)
    authorize(branch, "publish billing events")
    for organization_id in dict.fromkeys(message.data.organization_id for message in messages):
        named = Resource(PartyUnknown(key=organization_id), parties=(organization_id,))
        authorize(branch, "publish billing events", named)
    check_sources(request.principal, (message.source for message in messages), platform_sources)
    if not request.principal.sees_all:
        _check_subscriptions(uow, branch, {message.subject for message in messages})
    return messages


def _check_subscriptions(uow: UnitOfWork, branch: Branch, subscription_ids: Collection[str]) -> None:
    """Let nobody put anything on the record of a subscription outside the branch (P2); an unknown one may come yet.

    Raises:
        SubscriptionUnknown: as if it did not exist.
    """
    uow.load((SUBSCRIPTION, key) for key in subscription_ids)
    for key in sorted(subscription_ids):
        after = uow.state(SUBSCRIPTION, key).after
        if after is not None:
            unknown = SubscriptionUnknown(subscription_id=key)
            authorize(branch, "publish billing events", Resource(unknown, parties=(after.organization_id,)))
