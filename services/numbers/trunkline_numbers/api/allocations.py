"""Giving numbers to a partner or an organization, and taking them back: several at once, all or none (R4, P3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.decider import Event
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest, WriteRequest, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.schemas import Body, Uuid
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.bulk_requests import Several, check_seen, in_the_way, read_keys
from trunkline_numbers.api.error_details import explained
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.retry_dependents import load_to_act, serve_waiting
from trunkline_numbers.application.visibility import Visibility, party
from trunkline_numbers.domain.number.attribute_commands import allocate, take_back
from trunkline_numbers.domain.number.errors import RemarkUnreadable
from trunkline_numbers.domain.number.events import NumberAllocated
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.state import Number
from trunkline_numbers.domain.party_replica import PARTY


class Allocate(Body):
    """Numbers, and whose they are to be."""

    numbers: Several
    holder_id: Uuid = Field(description="A partner or an organization.")
    remark: str = Field(default="", description="Welcome.")


class TakeBack(Body):
    """Numbers to take back to the asker's own level."""

    numbers: Several
    remark: str = Field(default="", description="Welcome.")


class HandedOn(BaseModel):
    """One number after it; the holder is null where it is nobody's, or outside the asker's branch."""

    number: str
    outcome: Literal["allocated", "taken back", "unchanged"]
    state: str
    holder_id: str | None
    holder_kind: str | None


class HandedOnNumbers(BaseModel):
    """The numbers, in the order they were named; how many of them changed hands."""

    changed: int
    numbers: list[HandedOn]


_PROBLEMS = {404: "a number or party that is not in the asker's branch", 409: "numbers are in the way: see `errors`"}


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "numbers", _PROBLEMS)

    @routes.post("/numbers/allocate", summary="Give numbers to a party", response_model=HandedOnNumbers)
    def allocate_numbers(body: Allocate, request: PostRequest) -> Response:
        return change(context, request, lambda uow: _Handing(uow, request, body.numbers, "allocate").allocate(body))

    @routes.post("/numbers/take-back", summary="Take numbers back", response_model=HandedOnNumbers)
    def take_back_numbers(body: TakeBack, request: PostRequest) -> Response:
        return change(context, request, lambda uow: _Handing(uow, request, body.numbers, "take back").take_back(body))

    return routes


class _Handing:
    """One command on several numbers, within one piece of work: all of them or none."""

    def __init__(self, uow: UnitOfWork, request: WriteRequest, numbers: list[str], verb: str) -> None:
        self._uow, self._request, self._verb = uow, request, verb
        self._keys = read_keys(numbers)
        load_to_act(uow, [THE_POLICY, *((NUMBER, key) for key in self._keys)])
        self._visibility = Visibility(uow, request.principal)
        self._by = party(uow, request.principal.party_id)

    def allocate(self, body: Allocate) -> CommandResult:
        """Down the tree, to a party of the asker's branch."""
        resource = self._visibility.holder(body.holder_id)
        authorize(self._visibility.branch, "allocate numbers", resource)
        holder = party(self._uow, body.holder_id)
        if holder is None:
            raise resource.unknown
        policy, now = in_force(self._uow), self._uow.now
        return self._do(lambda n: allocate(n, holder, self._by, self._partner_of, body.remark, policy, now))

    def take_back(self, body: TakeBack) -> CommandResult:
        """Up the tree, to the asker."""
        authorize(self._visibility.branch, "allocate numbers")
        policy, now = in_force(self._uow), self._uow.now
        return self._do(lambda n: take_back(n, self._by, body.remark, policy, now))

    def _do(self, decide: Callable[[Number], list[Event]]) -> CommandResult:
        uow, visibility = self._uow, self._visibility
        before = [uow.state(NUMBER, key) for key in self._keys]
        check_seen(before, visibility)
        decided: list[list[Event]] = []
        refused: list[tuple[int, str, Refused]] = []
        for index, n in enumerate(before):
            try:
                decided.append(decide(n))
            except RemarkUnreadable as unreadable:
                raise RemarkUnreadable(**unreadable.facts, pointer="#/remark") from None
            except Refused as why:
                refused.append((index, n.number, explained(why, n, visibility, self._verb)))
        if refused:
            raise in_the_way(refused)
        for key, events in zip(self._keys, decided, strict=True):
            uow.record(NUMBER, key, events, self._request.cause)
        serve_waiting(uow, self._request.cause)
        shown = [self._shown(key, events) for key, events in zip(self._keys, decided, strict=True)]
        return CommandResult(HandedOnNumbers(changed=sum(s.outcome != "unchanged" for s in shown), numbers=shown))

    def _shown(self, key: str, events: list[Event]) -> HandedOn:
        n = self._uow.state(NUMBER, key)
        did: Literal["allocated", "taken back"] = "allocated" if self._verb == "allocate" else "taken back"
        holder_id = self._visibility.own(n.holder_id)
        return HandedOn(
            number=key,
            outcome=did if any(isinstance(e, NumberAllocated) for e in events) else "unchanged",
            state=n.state,
            holder_id=holder_id,
            holder_kind=n.holder_kind if holder_id else None,
        )

    def _partner_of(self, party_id: str) -> str | None:
        details = self._uow.state(PARTY, party_id).details
        return details.partner_id if details is not None and details.kind == "organization" else None
