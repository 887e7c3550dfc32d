"""The operators' doors to messages that could not be used: seen, retried as they came or edited, discarded (O5, P6)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest
from trunkline.http.pagination import page, row_id
from trunkline.http.schemas import Body
from trunkline.messaging.dead_letters.replay import Edit, discard, retry
from trunkline.messaging.dead_letters.store import DeadLetter, Parts, parked_message, parked_page
from trunkline.operations.audited_command import Remark, audited_command
from trunkline.operations.lists import ROW_IDS, OperatePage, Pages, Shown, items, show
from trunkline.security.authorization import NothingThere

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

_LARGEST = 1_000_000
HeaderName = Annotated[str, Field(min_length=1, max_length=200)]
HeaderValue = Annotated[str, Field(max_length=10_000)]
Chosen = Annotated[str | None, Query(max_length=300, pattern=r"^[^\x00]+$")]


class BytesUnreadable(Refused):
    """What value_base64 holds is no base64."""

    status: ClassVar[int] = 422


class Retry(Body):
    """How to retry a message. What is left out stays as it came; nothing given: it is retried as it came."""

    headers: dict[HeaderName, HeaderValue | None] = Field({}, description="By name; null takes a header away.")
    value: str | None = Field(None, max_length=_LARGEST, description="As text; null: no value at all.")
    value_base64: str | None = Field(None, max_length=2 * _LARGEST, description="As bytes.")
    remark: Remark | None = None

    @model_validator(mode="after")
    def _one_value(self) -> Retry:
        if {"value", "value_base64"} <= self.model_fields_set:
            raise ValueError("give value or value_base64, not both")
        return self

    def edit(self) -> Edit:
        """What is changed. Raises BytesUnreadable."""
        value: bytes | msgspec.UnsetType | None = msgspec.UNSET
        if "value" in self.model_fields_set:
            value = None if self.value is None else self.value.encode("utf-8", "surrogatepass")
        elif self.value_base64 is not None:
            try:
                value = base64.b64decode(self.value_base64, validate=True)
            except (binascii.Error, ValueError):
                raise BytesUnreadable(pointer="#/value_base64", value=self.value_base64) from None
        return Edit(
            {n: None if v is None else v.encode("utf-8", "surrogatepass") for n, v in self.headers.items()}, value
        )


class Discard(Body):
    """Why a message is given up."""

    remark: Remark


class Event(BaseModel):
    """One event that was recorded."""

    stream: str
    type: str


class Resolved(BaseModel):
    """What became of a dead letter. No events, no wait and not put aside: it says nothing new."""

    id: int
    status: Literal["retried", "discarded"]
    edited: bool = False
    recorded: list[Event] = []
    waits_for: list[str] = []
    put_aside: bool = False


def add_letters(router: APIRouter, runtime: ServiceRuntime) -> None:
    """Add the doors to a service's operators' doors.

    Args:
        router: it has their prefix, and asks who comes.
        runtime: the running service.
    """
    _seeing(router, runtime)
    _resolving(router, runtime)


def _seeing(router: APIRouter, runtime: ServiceRuntime) -> None:
    @router.get("/parked", summary="Messages that could not be read, oldest first")
    def parked(
        pages: Pages,
        status: Literal["waiting", "retried", "discarded"] | None = None,
        topic: Chosen = None,
        code: Chosen = None,
    ) -> OperatePage:
        window = page(pages, {"id": (row_id,)}, "parked", status, topic, code)
        (after,) = window.place() or (0,)
        found = parked_page(runtime.store, after=after, limit=window.limit + 1, status=status, topic=topic, code=code)
        listed = items(window, found, "id")
        listed.items = [_letter(message) for message in found[: window.limit]]
        return listed

    @router.get("/parked/{parked_id}", summary="One message that could not be read, whole")
    def one_parked(parked_id: int) -> Shown:
        found = parked_message(runtime.store, parked_id) if parked_id in ROW_IDS else None
        if found is None:
            raise NothingThere(key=parked_id)
        return _letter(found)


def _resolving(router: APIRouter, runtime: ServiceRuntime) -> None:
    @router.post(
        "/parked/{parked_id}/retry", summary="Hear a message again, edited if need be", response_model=Resolved
    )
    def retry_parked(parked_id: int, request: PostRequest, body: Retry) -> Response:
        edit = body.edit()

        def decide(uow: UnitOfWork) -> Resolved:
            effect = retry(uow, runtime.service, parked_id, request.principal.actor, edit, body.remark)
            done = effect.done
            recorded = [Event(stream=stream, type=name) for stream, name in done.recorded]
            return Resolved(
                id=parked_id,
                status="retried",
                edited=effect.edited,
                recorded=recorded,
                waits_for=done.waits_for,
                put_aside=done.put_aside,
            )

        about = {"id": parked_id, "edited": edit != Edit()} | ({} if body.remark is None else {"remark": body.remark})
        return audited_command(runtime, request, "deadletter retry", about, decide)

    @router.post("/parked/{parked_id}/discard", summary="Give a message up, and say why", response_model=Resolved)
    def discard_parked(parked_id: int, request: PostRequest, body: Discard) -> Response:
        def decide(uow: UnitOfWork) -> Resolved:
            discard(uow, parked_id, request.principal.actor, body.remark)
            return Resolved(id=parked_id, status="discarded")

        return audited_command(runtime, request, "deadletter discard", {"id": parked_id, "remark": body.remark}, decide)


def _letter(message: DeadLetter) -> Shown:
    """A parked message with its bytes as text where they are text, and in base64."""
    whole = show(message)
    shown = {name: value for name, value in whole.items() if name not in ("key", "value")}
    shown |= _shown_parts(message.parts) | _shown_bytes("key", message.key)
    if message.retried_as is not None:
        shown["retried_as"] = _shown_parts(message.retried_as)
    return shown


def _shown_parts(parts: Parts) -> Shown:
    headers = [[n, None if v is None else v.decode("utf-8", "backslashreplace")] for n, v in parts.headers]
    return {"headers": headers} | _shown_bytes("value", parts.value)


def _shown_bytes(name: str, value: bytes | None) -> Shown:
    try:
        text = None if value is None else value.decode()
    except UnicodeDecodeError:
        text = None
    return {f"{name}_text": text, f"{name}_base64": None if value is None else base64.b64encode(value).decode()}
