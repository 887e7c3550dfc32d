"""One number, now and as of any instant, its history, and adding up to 50 (N12, N13)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, PostRequest, WriteRequest, reader, service_router
from trunkline.http.idempotency import CommandResult, change, shown
from trunkline.http.pagination import Items, Paging, history_page, paging
from trunkline.http.schemas import Body, Country, Instant, Label, Uuid
from trunkline.security.authorization import authorize
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.error_details import explained
from trunkline_numbers.api.number_history import number_at, past_of
from trunkline_numbers.api.number_schemas import Happened, NumberShown, shown_number
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.phone_number import (
    NumberTwice,
    check_country,
    key_in_path,
    named_numbers,
    read_number,
)
from trunkline_numbers.application.retry_dependents import load_settled, serve_waiting
from trunkline_numbers.application.visibility import Visibility, party
from trunkline_numbers.domain.number.events import Listing, PartyKind
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.operator_commands import add

AsOf = Annotated[Instant | None, Query(description="As it was at an instant with its offset.")]
InPath = Annotated[str, Path(description="E.164, with or without `+`.", max_length=40)]


class AddNumbers(Body):
    """Numbers to bring into the inventory."""

    numbers: str | list[str] = Field(description="At most 50: a list, or a text with commas between.")
    vendor: Label
    country: Country = Field(description="ISO 3166, or 001 for none.")
    sku: Label
    holder_id: Uuid | None = Field(
        default=None, description="The partner or organization they are for; by default the asker's own."
    )


class Added(BaseModel):
    """What became of one number."""

    input: str
    number: str | None = None
    outcome: Literal["added", "refused"]
    warning: str | None = None
    code: str | None = None
    reason: str | None = None


class AddedNumbers(BaseModel):
    """What became of each, in the order they were named."""

    added: int
    refused: int
    results: list[Added]


class NoNumberAdded(Refused):
    """None of the {count} numbers was added: see `errors`."""

    status: ClassVar[int] = 422


class AsOfFuture(Refused):
    """{value} lies in the future: it is {now} now."""

    status: ClassVar[int] = 422


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(
        context, "numbers", {404: "no such number, or not in the asker's branch", 409: "the number refuses"}
    )

    @routes.post("/numbers", summary="Add up to 50 numbers", response_model=AddedNumbers, responses=_PARTLY)
    def add_numbers(body: AddNumbers, request: PostRequest) -> Response:
        return change(context, request, lambda uow: _Adding(uow, request, body).answer())

    @routes.get("/numbers/{number}", summary="One number, now or as of an instant", response_model=NumberShown)
    def show_number(number: InPath, principal: CurrentPrincipal, request: Request, as_of: AsOf = None) -> Response:
        key = key_in_path(number)
        uow = reader(context)
        at = _past(uow, as_of)
        load_settled(uow, [THE_POLICY, (NUMBER, key)])
        loaded = uow.get(NUMBER, key)
        n = loaded.state if as_of is None else number_at(uow, key, at)
        visibility = Visibility(uow, principal)
        authorize(visibility.branch, "see numbers", visibility.number(n))
        return shown(request, shown_number(n, visibility), loaded.version if as_of is None and not loaded.new else None)

    @routes.get("/numbers/{number}/history", summary="Everything that happened to a number")
    def history(
        number: InPath, principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)], as_of: AsOf = None
    ) -> Items[Happened]:
        uow = reader(context)
        at = _past(uow, as_of)
        happened = past_of(context.store, key_in_path(number), Visibility(uow, principal)).happened
        if as_of is not None:
            happened = [h for h in happened if h.occurred_at <= at]
        return history_page(paging, happened, f"{number} {as_of}")

    return routes


def _past(uow: UnitOfWork, as_of: datetime | None) -> datetime:
    """The instant that is asked about: now, unless one is given.

    Raises:
        AsOfFuture: nothing is known of it.
    """
    if as_of is not None and as_of > uow.now:
        raise AsOfFuture(value=as_of, now=uow.now, part="query", pointer="#/as_of")
    return uow.now if as_of is None else as_of


_PARTLY: dict[int | str, dict[str, object]] = {207: {"model": AddedNumbers, "description": "some were refused"}}


class _Adding:
    """One call that adds numbers, within one piece of work."""

    def __init__(self, uow: UnitOfWork, request: WriteRequest, body: AddNumbers) -> None:
        self._uow, self._request, self._body = uow, request, body
        self._listing = Listing(country=body.country, sku=body.sku, vendor=body.vendor)

    def answer(self) -> CommandResult:
        """Add what can be added, decide anew who waits for it (S6), and say what became of each."""
        body = self._body
        named = named_numbers(body.numbers)
        check_country(body.country)
        holder_id = self._holder()
        read: dict[str, None] = {}
        results = [self._read(text, read) for text in named]
        load_settled(self._uow, [THE_POLICY, *((NUMBER, number) for number in read)])
        self._holder_party = party(self._uow, holder_id)
        results = [self._add(result) if result.outcome == "added" else result for result in results]
        added = sum(result.outcome == "added" for result in results)
        if not added:
            raise NoNumberAdded(count=len(results), errors=[_error(index, r) for index, r in enumerate(results)])
        serve_waiting(self._uow, self._request.cause)
        whole = added == len(results)
        answer = AddedNumbers(added=added, refused=len(results) - added, results=results)
        return CommandResult(answer, status=200 if whole else 207)

    def _holder(self) -> str | None:
        """Whom the numbers are for; the asker may add them there."""
        principal = self._request.principal
        visibility = Visibility(self._uow, principal)
        holder_id = self._body.holder_id or principal.party_id
        authorize(visibility.branch, "add numbers", visibility.holder(holder_id) if holder_id is not None else None)
        return holder_id

    def _read(self, text: str, read: dict[str, None]) -> Added:
        try:
            number, warning = read_number(text, self._body.country)
            if number in read:
                raise NumberTwice(value=text, number=number)
        except Refused as refused:
            return Added(input=text, outcome="refused", code=refused.code, reason=refused.sentence)
        read[number] = None
        return Added(input=text, number=number, outcome="added", warning=warning)

    def _add(self, result: Added) -> Added:
        assert result.number is not None
        uow, principal = self._uow, self._request.principal
        kind: PartyKind = "partner" if principal.role == "partner-admin" else "organization"
        n = uow.state(NUMBER, result.number)
        try:
            events = add(
                n,
                self._listing,
                principal.party_id,
                self._holder_party,
                in_force(uow),
                uow.now,
                uploader_kind=None if principal.party_id is None else kind,
            )
        except Refused as refused:
            why = explained(refused, n, Visibility(uow, principal), "add").sentence
            return Added(input=result.input, number=n.number, outcome="refused", code=refused.code, reason=why)
        uow.record(NUMBER, n.number, events, self._request.cause)
        return result


def _error(index: int, result: Added) -> dict[str, object]:
    return {
        "in": "body",
        "pointer": f"#/numbers/{index}",
        "value": result.input,
        "code": result.code,
        "detail": result.reason,
    }
