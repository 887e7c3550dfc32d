"""What every HTTP operation is made of: who asks for what, and the position that a read must have seen.

What a change answers, once for each idempotency key, is in `idempotency.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Final, TypeVar
from uuid import NAMESPACE_OID, uuid5

from fastapi import APIRouter, Depends, Header, Query, Request, Security
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import Causation
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.json_bodies import JsonRoute
from trunkline.http.problems import MEDIA_TYPE
from trunkline.security.authorization import authorize, when_authorized
from trunkline.security.principal import Branch, EmptyTree, Principal
from trunkline.service_definition import ServiceContext

T = TypeVar("T")
POSITION: Final = "Trunkline-Position"
WAIT_FOR: Final = "Trunkline-Wait-For"
MAX_BODY_BYTES: Final = 1_048_576
_WAIT_S: Final = 5.0
_CHAINS: Final = uuid5(NAMESPACE_OID, "trunkline idempotency key")
_PART_OF_REQUEST: Final = frozenset({b"content-type", b"content-encoding", b"if-match"})
"""Headers that say what is asked for, beside the `ce-…` of a CloudEvent in binary mode."""


class WaitRefused(Refused):
    """The position of Trunkline-Wait-For cannot be waited for: no answer to the request itself."""


class PositionUnknown(WaitRefused):
    """Trunkline-Wait-For is {value!r}; here it takes what Trunkline-Position said of {service}, at most {end}."""

    status: ClassVar[int] = 422


class ViewsBehind(WaitRefused):
    """The views have not reached {value} within {seconds} s; try again."""

    status: ClassVar[int] = 503


@dataclass(frozen=True)
class WriteRequest:
    """A request to change something.

    Attributes:
        principal: who asks.
        request_id: this request's own.
        key: its Idempotency-Key; None: none.
        fingerprint: equal for requests that ask the same.
        if_match: the If-Match header.
        dry_run: only tell what would happen.
    """

    principal: Principal
    request_id: str
    key: str | None = None
    fingerprint: bytes = b""
    if_match: str | None = None
    dry_run: bool = False

    @property
    def cause(self) -> Causation:
        """What follows is traced back to the idempotency key, which outlives retries, or to the request.

        The correlation id is carried on into what others see, so it is not the key itself but a UUID made from it.
        """
        p = self.principal
        chain = self.request_id
        if self.key is not None:
            chain = str(uuid5(_CHAINS, f"{p.role}/{p.party_id}/{p.issuer} {p.subject}\n{self.key}"))
        return Causation(p.actor, chain, self.key or self.request_id, p.role, p.party_id, p.identity_id)


def principal(request: Request) -> Principal:
    """Who asks; the gate has verified the token before any operation is reached."""
    found: Principal = request.state.principal
    return found


DryRun = Annotated[bool, Query(description="Tell what would happen; nothing is recorded, no key is used up.")]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=200, description="The ETag it was read with: change only that version."),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$",
        description="The same key and request: the same answer, and one effect. The same key, another body or another "
        "header that is part of the request (`ce-…`, Content-Type, If-Match): 422.",
    ),
]


async def posted(request: Request, key: Key = None, dry_run: DryRun = False) -> WriteRequest:
    """A POST; a dependency."""
    seen = blake2b(digest_size=16)
    parts = [request.method.encode(), request.url.path.encode(), request.url.query.encode(), await request.body()]
    for name, value in sorted(request.headers.raw):
        if name in _PART_OF_REQUEST or name.startswith(b"ce-"):
            parts += (name, value.strip())
    for part in parts:
        seen.update(len(part).to_bytes(8, "big") + part)
    return WriteRequest(principal(request), request.state.request_id, key, seen.digest(), dry_run=dry_run)


async def acting(request: Request, if_match: IfMatch = None, key: Key = None, dry_run: DryRun = False) -> WriteRequest:
    """A POST that acts on one resource, in a version if need be; a dependency."""
    return replace(await posted(request, key, dry_run), if_match=if_match)


def changed(request: Request, if_match: IfMatch = None, dry_run: DryRun = False) -> WriteRequest:
    """A PUT, PATCH or DELETE; a dependency."""
    return WriteRequest(principal(request), request.state.request_id, if_match=if_match, dry_run=dry_run)


def operating(request: Request) -> Principal:
    """An operator's request (P6); a dependency.

    Raises:
        NotAllowed, ScopeMissing: the token is no operator's.
    """
    asked = principal(request)
    authorize(Branch(asked, EmptyTree()), "operate")
    return asked


CurrentPrincipal = Annotated[Principal, Depends(principal)]
PostRequest = Annotated[WriteRequest, Depends(posted)]
CommandRequest = Annotated[WriteRequest, Depends(acting)]
UpdateRequest = Annotated[WriteRequest, Depends(changed)]
OperatorPrincipal = Annotated[Principal, Depends(operating)]


# -- routers ----------------------------------------------------------------------------------------------------------


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[dict[str, Any]] = []


_PROBLEM: Final[dict[str, Any]] = {"model": Problem, "content": {MEDIA_TYPE: {}}}
_EXPECTED: Final = {401: "no token, or a refused one", 403: "not with this role", 422: "something in the request"}


def service_router(context: ServiceContext, tag: str, problems: Mapping[int, str] | None = None) -> APIRouter:
    """An empty router whose operations need a token and can wait for a position.

    Args:
        context: the service.
        tag: heads its operations in the documentation.
        problems: status -> what it is said for, beside those that every operation may answer.
    """
    responses = {**_EXPECTED, **(problems or {})}
    return APIRouter(
        route_class=JsonRoute,
        tags=[tag],
        dependencies=[Security(HTTPBearer(auto_error=False)), Depends(_caught_up(context))],
        responses={status: {**_PROBLEM, "description": what} for status, what in sorted(responses.items())},
    )


def _caught_up(context: ServiceContext) -> Callable[[str | None], Coroutine[Any, Any, None]]:
    async def wait(
        value: Annotated[
            str | None,
            Header(alias=WAIT_FOR, max_length=60, description=f"A {POSITION} that the answer must have seen."),
        ] = None,
    ) -> None:
        # Asynchronous, and so in the context that the operation is called with, in whatever thread.
        when_authorized(None if value is None else _Wait(context, value))

    return wait


class _Wait:
    """Waits until the views have reached a position: once, when the asker has been let through (T6)."""

    def __init__(self, context: ServiceContext, value: str) -> None:
        self._context, self._value, self._done = context, value, False

    def __call__(self) -> None:
        if self._done:
            return
        self._done = True
        name, value, end = self._context.service.name, self._value, self._context.store.end_of_log()
        service, _, digits = value.partition("/")
        if service != name or not (digits.isascii() and digits.isdigit() and len(digits) < 19) or int(digits) > end:
            raise PositionUnknown(
                value=value, service=name, end=f"{name}/{end}", part="header", pointer=f"#/{WAIT_FOR}"
            )
        if not self._context.wait_for_views(int(digits), _WAIT_S):
            raise ViewsBehind(value=value, seconds=_WAIT_S)


def reader(context: ServiceContext) -> UnitOfWork:
    """Streams as they are now, to be looked at only."""
    return UnitOfWork(context.store, context.clock.now())
