"""Adding a contiguous range of numbers in one call (N14)."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import PostRequest, WriteRequest, service_router
from trunkline.http.idempotency import CommandResult, change
from trunkline.http.schemas import Body, Country, Label, Uuid
from trunkline.service_definition import ServiceContext
from trunkline_numbers.application.current_policy import THE_POLICY, in_force
from trunkline_numbers.application.imports.authorization import ImportTerms, bringing
from trunkline_numbers.application.phone_number import NumberUnreadable, check_country, read_number
from trunkline_numbers.application.retry_dependents import load_settled, serve_waiting
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.domain.number.operator_commands import add

_MOST_ERRORS: Final = 100


class AddRange(Body):
    """A range of numbers to bring into the inventory."""

    first: str = Field(max_length=40, description="The first number, national or E.164.")
    last: str = Field(max_length=40, description="The last number; of the same length as the first.")
    vendor: Label
    country: Country = Field(description="ISO 3166, or 001 for none.")
    sku: Label
    capabilities: frozenset[Literal["voice", "sms", "fax"]] = Field(
        default=frozenset({"voice"}), description="What they can be used for."
    )
    holder_id: Uuid | None = Field(
        default=None, description="The partner or organization they are for; by default the asker's own."
    )


class RangeRefusal(BaseModel):
    """A number of the range that was not added."""

    number: str
    code: str
    reason: str


class AddedRange(BaseModel):
    """What became of a range. `unlikely`: how many of the added ones look as if nobody had them."""

    first: str
    last: str
    added: int
    refused: int
    unlikely: int
    refusals: list[RangeRefusal]


class RangeBackwards(Refused):
    """The range ends with {last}, before its beginning {first}."""

    status: ClassVar[int] = 422


class RangeUneven(Refused):
    """{first} and {last} are not of one length, so what is between them is no range."""

    status: ClassVar[int] = 422


class RangeTooLong(Refused):
    """From {first} to {last} there are {count:,} numbers; one call takes at most {limit:,}."""

    status: ClassVar[int] = 422


class NothingOfRangeAdded(Refused):
    """None of the {count:,} numbers from {first} to {last} was added: see `errors`."""


def router(context: ServiceContext) -> APIRouter:
    """The operation."""
    routes = service_router(
        context, "numbers", {404: "no such holder in the asker's branch", 409: "all of them are there already"}
    )
    partly: dict[int | str, dict[str, object]] = {207: {"model": AddedRange, "description": "some were refused"}}

    @routes.post("/numbers/ranges", summary="Add a range of numbers", response_model=AddedRange, responses=partly)
    def add_range(body: AddRange, request: PostRequest) -> Response:
        limit = context.settings.range_limit
        return change(context, request, lambda uow: _added(uow, request, body, limit))

    return routes


def _added(uow: UnitOfWork, request: WriteRequest, body: AddRange, limit: int) -> CommandResult:
    """Add what can be added, decide anew who waits for it (S6), and say what was there already."""
    who = bringing(uow, request.principal, body.holder_id)
    check_country(body.country)
    numbers = _numbers(body, limit)
    load_settled(uow, [THE_POLICY, *((NUMBER, number) for number in numbers)], waiters=True)
    refusals: list[RangeRefusal] = []
    unlikely = 0
    for number in numbers:
        try:
            unlikely += _add(uow, request, body, who, number)
        except Refused as refused:
            refusals.append(RangeRefusal(number=number, code=refused.code, reason=refused.sentence))
    if len(refusals) == len(numbers):
        errors = [
            {"in": "body", "pointer": "#/first", "value": r.number, "code": r.code, "detail": r.reason}
            for r in refusals[:_MOST_ERRORS]
        ]
        raise NothingOfRangeAdded(count=len(numbers), first=numbers[0], last=numbers[-1], errors=errors)
    serve_waiting(uow, request.cause)
    answer = AddedRange(
        first=numbers[0],
        last=numbers[-1],
        added=len(numbers) - len(refusals),
        refused=len(refusals),
        unlikely=unlikely,
        refusals=refusals,
    )
    return CommandResult(answer, status=207 if refusals else 200)


def _numbers(body: AddRange, limit: int) -> list[str]:
    """All numbers of the range, in order.

    Raises:
        NumberUnreadable: an end of it is no number.
        RangeBackwards, RangeUneven, RangeTooLong: as they say.
    """
    first, last = _end("first", body.first, body.country), _end("last", body.last, body.country)
    ends = {"first": first, "last": last, "pointer": "#/last", "value": body.last}
    if len(first) != len(last):
        raise RangeUneven(**ends)
    begin, end = int(first), int(last)
    if end < begin:
        raise RangeBackwards(**ends)
    if end - begin >= limit:
        raise RangeTooLong(**ends, count=end - begin + 1, limit=limit)
    return [f"+{digits}" for digits in range(begin, end + 1)]


def _end(name: str, text: str, country: str) -> str:
    try:
        return read_number(text.strip(), country)[0]
    except Refused as refused:
        raise type(refused)(**refused.facts | {"pointer": f"#/{name}"}) from None


def _add(uow: UnitOfWork, request: WriteRequest, body: AddRange, who: ImportTerms, number: str) -> bool:
    """Add one number; whether it looks unassigned."""
    read, warning = read_number(number, body.country)
    if read != number:  # its first digits read as a prefix
        raise NumberUnreadable(value=number, why=f"it reads as {read}")
    able = body.capabilities
    listing = Listing(
        country=body.country,
        sku=body.sku,
        vendor=body.vendor,
        voice="voice" in able,
        sms="sms" in able,
        fax="fax" in able,
    )
    events = add(
        uow.state(NUMBER, number),
        listing,
        who.uploader_id,
        who.holder,
        in_force(uow),
        uow.now,
        uploader_kind=who.uploader_kind,
    )
    uow.record(NUMBER, number, events, request.cause)
    return warning is not None
