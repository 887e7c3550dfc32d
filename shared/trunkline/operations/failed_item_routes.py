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


def add_resolving(router: APIRouter, node: ServiceRuntime) -> None:
    """Add the routes to a service's operators' routes.

    Args:
        router: it has their prefix and checks the scope.
        node: the running service.
    """
    _items(router, node)
    _mail(router, node)


def _items(router: APIRouter, node: ServiceRuntime) -> None:
    @router.get("/failed-items", summary="What loops have set aside, oldest first")
    def failed_items(
        asked: Pages,
        loop: Annotated[str | None, Query(max_length=300, pattern=r"^[^\x00]+$")] = None,
        status: Literal["waiting", "discarded"] | None = None,
    ) -> OperatePage:
        place = page(asked, {"failed_at": (moment, TEXT, TEXT)}, "failed items", loop, status)
        rows = failed_items_page(node.store, place.limit + 1, place.place() or None, loop, status)
        return items(place, rows, "failed_at", "loop", "key")

    @router.post("/failed-items/retry", summary="Try an item again at once", response_model=ItemResolved)
    def retry_item(asked: PostRequest, body: Item) -> Response:
        def decide(work: UnitOfWork) -> ItemResolved:
            _find(work, body)
            work.write(
                "UPDATE failed_items SET status = 'waiting', next_try_at = %s WHERE loop = %s AND key = %s",
                [(work.now, body.loop, body.key)],
            )
            return ItemResolved(loop=body.loop, key=body.key, status="waiting")

        return _answer(node, asked, "failed-item retry", body.model_dump(), decide)

    @router.post("/failed-items/discard", summary="Give an item up, and say why", response_model=ItemResolved)
    def discard_item(asked: PostRequest, body: GivenUp) -> Response:
        return _answer(node, asked, "failed-item discard", body.model_dump(), lambda work: _discard(work, body))


def _find(work: UnitOfWork, item: Item) -> None:
    if not work.fetch("SELECT FROM failed_items WHERE loop = %s AND key = %s", (item.loop, item.key)):
        raise NothingThere(key=f"{item.loop} {item.key}")


def _discard(work: UnitOfWork, item: Item) -> ItemResolved:
    """A stream in order goes on behind the event that failed; other items are not tried any more."""
    _find(work, item)
    if item.loop.startswith("projection/"):
        raise ProjectionNeedsEveryEvent(loop=item.loop, key=item.key)
    if item.loop.startswith(_PUBLISHED_IN_ORDER):
        work.write(
            "UPDATE failed_items SET position = position + 1, status = 'waiting', next_try_at = %s"
            " WHERE loop = %s AND key = %s",
            [(work.now, item.loop, item.key)],
        )
        return ItemResolved(loop=item.loop, key=item.key, status="skipped")
    work.write(
        "UPDATE failed_items SET status = 'discarded', next_try_at = NULL WHERE loop = %s AND key = %s",
        [(item.loop, item.key)],
    )
    return ItemResolved(loop=item.loop, key=item.key, status="discarded")


def _mail(router: APIRouter, node: ServiceRuntime) -> None:
    @router.post("/mail/{mail_key:path}/retry", summary="Try a mail again at once", response_model=MailResolved)
    def retry(mail_key: MailKey, asked: PostRequest) -> Response:
        def decide(work: UnitOfWork) -> MailResolved:
            retry_mail(work, mail_key)
            return MailResolved(key=mail_key, state="waiting")

        return _answer(node, asked, "mail retry", {"key": mail_key}, decide)

    @router.post("/mail/{mail_key:path}/discard", summary="Give a mail up, and say why", response_model=MailResolved)
    def discard(mail_key: MailKey, asked: PostRequest, body: MailGivenUp) -> Response:
        def decide(work: UnitOfWork) -> MailResolved:
            discard_mail(work, mail_key, body.remark)
            return MailResolved(key=mail_key, state="discarded")

        return _answer(node, asked, "mail discard", {"key": mail_key, "remark": body.remark}, decide)


def _answer(
    node: ServiceRuntime,
    asked: PostRequest,
    command: str,
    about: dict[str, Any],
    decide: Callable[[UnitOfWork], BaseModel],
) -> Response:
    """One command; the loop that it concerns looks at once."""
    answer = audited_command(node, asked, command, about, decide)
    if not asked.dry_run:
        node.wake.set()
    return answer
