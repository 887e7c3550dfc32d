"""Operators' routes for what is set aside: failing items of loops, and mail; seen, retried, discarded (O8, P6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.failed_items import failed_items_page
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest
from trunkline.http.pagination import TEXT, moment, page
from trunkline.http.schemas import LINES, Body
from trunkline.mail.outbox import discard_mail, retry_mail
from trunkline.operations.audited_command import audited_command
from trunkline.operations.lists import OperatePage, Pages, items
from trunkline.security.authorization import NothingThere

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

Named = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]
Remark = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*\S[^\x00]*$"), LINES]
MailKey = Annotated[str, Path(max_length=300, pattern=r"^[^\x00]+$")]
_PUBLISHED_IN_ORDER = ("relay", "follower/")


class ProjectionNeedsEveryEvent(Refused):
    """{key} cannot be left out of {loop}, since a view without one event is wrong: retry it, or rebuild the view."""


class Item(Body):
    """An item that is set aside, as the list shows it."""

    loop: Named
    key: Named


class GivenUp(Item):
    """An item that is given up, and why."""

    remark: Remark


class MailGivenUp(Body):
    """Why a mail is given up."""

    remark: Remark


class ItemResolved(BaseModel):
    """What becomes of an item: tried at once; passed over, so that what follows in its stream is tried; given up."""

    loop: str
    key: str
    status: Literal["waiting", "skipped", "discarded"]


class MailResolved(BaseModel):
    """What becomes of a mail."""

    key: str
    state: Literal["waiting", "discarded"]


def add_resolving(router: APIRouter, runtime: ServiceRuntime) -> None:
    """Add the routes to a service's operators' routes.

    Args:
        router: it has their prefix and checks the scope.
        runtime: the running service.
    """
    _items(router, runtime)
    _mail(router, runtime)


def _items(router: APIRouter, runtime: ServiceRuntime) -> None:
    @router.get("/failed-items", summary="What loops have set aside, oldest first")
    def failed_items(
        pages: Pages,
        loop: Annotated[str | None, Query(max_length=300, pattern=r"^[^\x00]+$")] = None,
        status: Literal["waiting", "discarded"] | None = None,
    ) -> OperatePage:
        window = page(pages, {"failed_at": (moment, TEXT, TEXT)}, "failed items", loop, status)
        rows = failed_items_page(runtime.store, window.limit + 1, window.place() or None, loop, status)
        return items(window, rows, "failed_at", "loop", "key")

    @router.post("/failed-items/retry", summary="Try an item again at once", response_model=ItemResolved)
    def retry_item(request: PostRequest, body: Item) -> Response:
        def decide(uow: UnitOfWork) -> ItemResolved:
            _find(uow, body)
            uow.write(
                "UPDATE failed_items SET status = 'waiting', next_try_at = %s WHERE loop = %s AND key = %s",
                [(uow.now, body.loop, body.key)],
            )
            return ItemResolved(loop=body.loop, key=body.key, status="waiting")

        return _answer(runtime, request, "failed-item retry", body.model_dump(), decide)

    @router.post("/failed-items/discard", summary="Give an item up, and say why", response_model=ItemResolved)
    def discard_item(request: PostRequest, body: GivenUp) -> Response:
        return _answer(runtime, request, "failed-item discard", body.model_dump(), lambda uow: _discard(uow, body))


def _find(uow: UnitOfWork, item: Item) -> None:
    if not uow.fetch("SELECT FROM failed_items WHERE loop = %s AND key = %s", (item.loop, item.key)):
        raise NothingThere(key=f"{item.loop} {item.key}")


def _discard(uow: UnitOfWork, item: Item) -> ItemResolved:
    """A stream in order goes on behind the event that failed; other items are not tried any more."""
    _find(uow, item)
    if item.loop.startswith("projection/"):
        raise ProjectionNeedsEveryEvent(loop=item.loop, key=item.key)
    if item.loop.startswith(_PUBLISHED_IN_ORDER):
        uow.write(
            "UPDATE failed_items SET position = position + 1, status = 'waiting', next_try_at = %s"
            " WHERE loop = %s AND key = %s",
            [(uow.now, item.loop, item.key)],
        )
        return ItemResolved(loop=item.loop, key=item.key, status="skipped")
    uow.write(
        "UPDATE failed_items SET status = 'discarded', next_try_at = NULL WHERE loop = %s AND key = %s",
        [(item.loop, item.key)],
    )
    return ItemResolved(loop=item.loop, key=item.key, status="discarded")


def _mail(router: APIRouter, runtime: ServiceRuntime) -> None:
    @router.post("/mail/{mail_key:path}/retry", summary="Try a mail again at once", response_model=MailResolved)
    def retry(mail_key: MailKey, request: PostRequest) -> Response:
        def decide(uow: UnitOfWork) -> MailResolved:
            retry_mail(uow, mail_key)
            return MailResolved(key=mail_key, state="waiting")

        return _answer(runtime, request, "mail retry", {"key": mail_key}, decide)

    @router.post("/mail/{mail_key:path}/discard", summary="Give a mail up, and say why", response_model=MailResolved)
    def discard(mail_key: MailKey, request: PostRequest, body: MailGivenUp) -> Response:
        def decide(uow: UnitOfWork) -> MailResolved:
            discard_mail(uow, mail_key, body.remark)
            return MailResolved(key=mail_key, state="discarded")

        return _answer(runtime, request, "mail discard", {"key": mail_key, "remark": body.remark}, decide)


def _answer(
    runtime: ServiceRuntime,
    request: PostRequest,
    command: str,
    about: dict[str, Any],
    decide: Callable[[UnitOfWork], BaseModel],
) -> Response:
    """One command; the loop that it concerns looks at once."""
    answer = audited_command(runtime, request, command, about, decide)
    if not request.dry_run:
        runtime.commit_signal.set()
    return answer
