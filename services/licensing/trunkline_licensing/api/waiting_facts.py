"""What waits for something unknown is settled by a person: decided again, or dismissed with a remark (S7, O7, P6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field, model_validator

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest, operating, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.schemas import LINES, Body
from trunkline.security.audit_log import auditing_work
from trunkline.security.authorization import NothingThere
from trunkline_licensing.domain.party.directory import IDENTITY, PARTY
from trunkline_licensing.message_handlers import billing_events, party_events

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext

Category = Literal["subscription", "party", "identity"]
Key = Annotated[str, Path(max_length=100, pattern=r"^[0-9a-z-]+$")]
Remark = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S"), LINES]


class NothingWaits(Refused):
    """Nothing waits in {stream}; `trunkline billing waiting` lists what does."""

    status: ClassVar[int] = 409


class DismissWaiting(Body):
    """Why the facts of a stream are dismissed; `source` and `id` together name one of them."""

    remark: Remark
    source: str | None = Field(None, max_length=500)
    id: str | None = Field(None, max_length=500)

    @model_validator(mode="after")
    def _both(self) -> DismissWaiting:
        if (self.source is None) != (self.id is None):
            raise ValueError("give source and id, or neither")
        return self

    @property
    def chosen(self) -> tuple[str, str] | None:
        """The fact that is meant; None: all that wait."""
        return None if self.source is None or self.id is None else (self.source, self.id)


class SettledFacts(BaseModel):
    """What became of the facts that waited in a stream: how many were dismissed, and what is still awaited."""

    stream: str
    dismissed: int = 0
    still_awaits: list[str]


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "licensing: operate", {404: "there is no such stream", 409: "nothing waits there"})
    routes.prefix = "/licensing/operate/waiting"
    routes.dependencies.append(Depends(operating))

    def answer(
        request: PostRequest, verb: str, about: dict[str, Any], decide: Callable[[UnitOfWork], SettledFacts]
    ) -> Response:
        """One command, on record in the audit; a dry run does nothing that could be."""
        if request.dry_run:
            return change(context, request, lambda uow: CommandResult(decide(uow)))
        actor = request.principal.actor
        with auditing_work(context.store, context.clock.now, actor, f"billing waiting {verb}", about) as within:

            def audited(uow: UnitOfWork) -> CommandResult:
                with within(uow):
                    return CommandResult(decide(uow))

            return change(context, request, audited)

    @routes.post(
        "/{category}/{stream_key}/dismiss", summary="Refuse what waits in a stream", response_model=SettledFacts
    )
    def dismiss_waiting(category: Category, stream_key: Key, request: PostRequest, body: DismissWaiting) -> Response:
        stream = f"{category}/{stream_key}"

        def decide(uow: UnitOfWork) -> SettledFacts:
            awaited = _check_that_it_waits(uow, stream)
            cause = request.cause
            if category == "subscription":
                count = billing_events.dismiss_waiting(uow, stream_key, body.chosen, body.remark, cause)
            else:
                decider = PARTY if category == "party" else IDENTITY
                count = party_events.dismiss_waiting(uow, decider, stream_key, body.chosen, body.remark, cause)
            if count == 0:
                raise NothingThere(key=f"{body.source} {body.id}")
            return SettledFacts(stream=stream, dismissed=count, still_awaits=_still(uow, stream, awaited))

        about = {"stream": stream} | body.model_dump(exclude_none=True)
        return answer(request, "dismiss", about, decide)

    @routes.post(
        "/{category}/{stream_key}/retry", summary="Decide again what waits in a stream", response_model=SettledFacts
    )
    def retry_waiting(category: Category, stream_key: Key, request: PostRequest) -> Response:
        stream = f"{category}/{stream_key}"

        def decide(uow: UnitOfWork) -> SettledFacts:
            awaited = _check_that_it_waits(uow, stream)
            party_events.retry_waiting(uow, awaited, request.cause)
            return SettledFacts(stream=stream, still_awaits=_still(uow, stream, awaited))

        return answer(request, "retry", {"stream": stream}, decide)

    return routes


def _check_that_it_waits(uow: UnitOfWork, stream: str) -> list[str]:
    """What a stream waits for. Raises NothingWaits."""
    found = [row[0] for row in uow.fetch("SELECT awaited FROM awaited WHERE waiter = %s ORDER BY 1", (stream,))]
    if not found:
        raise NothingWaits(stream=stream)
    return found


def _still(uow: UnitOfWork, stream: str, awaited: list[str]) -> list[str]:
    """What of these the stream waits for once this work is committed."""
    return sorted(each for each, waiters in uow.waiters(awaited).items() if stream in waiters)
