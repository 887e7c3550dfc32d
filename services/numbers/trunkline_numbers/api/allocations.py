"""Giving numbers to a partner or an organization, and taking them back: several at once, all or none (R4, P3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.decider import Event
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest, WriteRequest, door
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


def router(node: ServiceContext) -> APIRouter:
    """The operations."""
    routes = door(node, "numbers", _PROBLEMS)

    @routes.post("/numbers/allocate", summary="Give numbers to a party", response_model=HandedOnNumbers)
    def allocate_numbers(body: Allocate, asked: PostRequest) -> Response:
        return change(node, asked, lambda work: _Handing(work, asked, body.numbers, "allocate").allocate(body))

    @routes.post("/numbers/take-back", summary="Take numbers back", response_model=HandedOnNumbers)
    def take_back_numbers(body: TakeBack, asked: PostRequest) -> Response:
        return change(node, asked, lambda work: _Handing(work, asked, body.numbers, "take back").take_back(body))

    return routes


class _Handing:
    """One command on several numbers, within one piece of work: all of them or none."""

    def __init__(self, work: UnitOfWork, asked: WriteRequest, numbers: list[str], verb: str) -> None:
        self._work, self._asked, self._verb = work, asked, verb
        self._keys = read_keys(numbers)
        load_to_act(work, [THE_POLICY, *((NUMBER, key) for key in self._keys)])
        self._sight = Visibility(work, asked.principal)
        self._by = party(work, asked.principal.party_id)

    def allocate(self, body: Allocate) -> CommandResult:
        """Down the tree, to a party of the asker's branch."""
        resource = self._sight.holder(body.holder_id)
        authorize(self._sight.branch, "allocate numbers", resource)
        holder = party(self._work, body.holder_id)
        if holder is None:
            raise resource.unknown
        policy, now = in_force(self._work), self._work.now
        return self._do(lambda n: allocate(n, holder, self._by, self._partner_of, body.remark, policy, now))

    def take_back(self, body: TakeBack) -> CommandResult:
        """Up the tree, to the asker."""
        authorize(self._sight.branch, "allocate numbers")
        policy, now = in_force(self._work), self._work.now
        return self._do(lambda n: take_back(n, self._by, body.remark, policy, now))

    def _do(self, decide: Callable[[Number], list[Event]]) -> CommandResult:
        work, sight = self._work, self._sight
        before = [work.state(NUMBER, key) for key in self._keys]
        check_seen(before, sight)
        decided: list[list[Event]] = []
        refused: list[tuple[int, str, Refused]] = []
        for place, n in enumerate(before):
            try:
                decided.append(decide(n))
            except RemarkUnreadable as unreadable:
                raise RemarkUnreadable(**unreadable.facts, pointer="#/remark") from None
            except Refused as why:
                refused.append((place, n.number, explained(why, n, sight, self._verb)))
        if refused:
            raise in_the_way(refused)
        for key, events in zip(self._keys, decided, strict=True):
            work.record(NUMBER, key, events, self._asked.cause)
        serve_waiting(work, self._asked.cause)
        shown = [self._shown(key, events) for key, events in zip(self._keys, decided, strict=True)]
        return CommandResult(HandedOnNumbers(changed=sum(s.outcome != "unchanged" for s in shown), numbers=shown))

    def _shown(self, key: str, events: list[Event]) -> HandedOn:
        n = self._work.state(NUMBER, key)
        did: Literal["allocated", "taken back"] = "allocated" if self._verb == "allocate" else "taken back"
        holder_id = self._sight.own(n.holder_id)
        return HandedOn(
            number=key,
            outcome=did if any(isinstance(e, NumberAllocated) for e in events) else "unchanged",
            state=n.state,
            holder_id=holder_id,
            holder_kind=n.holder_kind if holder_id else None,
        )

    def _partner_of(self, party_id: str) -> str | None:
        heard = self._work.state(PARTY, party_id).heard
        return heard.partner_id if heard is not None and heard.kind == "organization" else None
