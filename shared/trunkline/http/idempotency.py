"""What operations answer: changes once for each idempotency key, resources in the version at hand.

A change is `change(context, request, decide)`: its effect and the answer kept under its key are one transaction.
A key belongs to the issuer, subject, party and role that used it. What the answer was granted for is kept with it and
checked again, with the rights and the tree of then, before it is sent again.
Asked with `?dry_run=true` it decides the same and commits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

import msgspec
from fastapi import Request, Response
from pydantic import BaseModel

from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import POSITION, WaitRefused, WriteRequest, reader
from trunkline.http.problems import MEDIA_TYPE, refused_problem
from trunkline.security.authorization import Grant, authorize_again, recording_grants
from trunkline.security.principal import Branch, Principal
from trunkline.service_definition import ServiceContext

DRY_RUN: Final = "Trunkline-Dry-Run"


class IdempotencyKeyReused(Refused):
    """The Idempotency-Key {key!r} was used before for another request: take a new key for a new request."""

    status: ClassVar[int] = 422


class AnswerWithheld(Refused):
    """The answer kept under the Idempotency-Key {key!r} is about something that is not in your branch any more."""

    status: ClassVar[int] = 404


class VersionMismatch(Refused):
    """If-Match is {given}, but the version is "{version}": read it again and decide anew."""

    status: ClassVar[int] = 412


def etag(version: int) -> str:
    """The ETag of a stream's version."""
    return f'"{version}"'


def check_version(request: WriteRequest, version: int) -> None:
    """Hold If-Match, where it was sent, against the version at hand.

    Raises:
        VersionMismatch: it names another version.
    """
    if request.if_match is None or request.if_match.strip() == "*":
        return
    if etag(version) not in (given.strip() for given in request.if_match.split(",")):
        raise VersionMismatch(given=request.if_match, version=version)


@dataclass(frozen=True)
class CommandResult:
    """What a change answers.

    Attributes:
        body: the resource after it; None: nothing to show.
        version: its stream's version, for the ETag.
        location: where it can be read.
        problem: the body is problem details (RFC 9457), and what was decided is on record all the same.
    """

    body: BaseModel | None = None
    status: int = 200
    version: int | None = None
    location: str | None = None
    problem: bool = False


class _Stored(msgspec.Struct, frozen=True):
    """An answer as the inbox keeps it."""

    status: int
    body: bytes
    media_type: str
    headers: dict[str, str] = {}
    grants: tuple[Grant, ...] = ()


class _DecisionRefused(Exception):
    """The decision itself refuses; a refusal of the key or of a stored answer is not kept under the key."""

    def __init__(self, refused: Refused, grants: tuple[Grant, ...]) -> None:
        super().__init__(refused.sentence)
        self.refused, self.grants = refused, grants


def change(context: ServiceContext, request: WriteRequest, decide: Callable[[UnitOfWork], CommandResult]) -> Response:
    """Do a change once, and answer the same to the same key ever after.

    Args:
        context: the service.
        request: who asks, and under which key.
        decide: loads, decides and records; a refusal is an answer too and kept under the key.
            In a dry run what it records is thrown away: its answer has neither a position nor an ETag.

    Raises:
        Refused: as `decide` raises it, where there is no key.
        IdempotencyKeyReused: the key is another request's.
        AnswerWithheld, NotAllowed, ScopeMissing: an answer is kept, and the principal may not see it any more.
    """
    if request.dry_run:
        told = _kept(decide(reader(context)), ())
        return Response(told.body, told.status, {DRY_RUN: "true"}, told.media_type)

    try:
        stored, position = context.run(partial(_once, context, request, partial(_decided, decide)))
    except _DecisionRefused as decision:
        if request.key is None:
            raise decision.refused from None
        problem = refused_problem({"state": {"request_id": request.request_id}}, decision.refused)
        kept = _Stored(problem.status_code, bytes(problem.body), MEDIA_TYPE, grants=decision.grants)
        # Kept after the fact: should a rival with the same key have been accepted meanwhile, its answer stands.
        stored, position = context.run(partial(_once, context, request, lambda _: kept))
    headers = {POSITION: f"{context.service.name}/{position}", **stored.headers}
    return Response(stored.body, stored.status, headers, stored.media_type)


def _decided(decide: Callable[[UnitOfWork], CommandResult], uow: UnitOfWork) -> _Stored:
    """The answer to a new request, with what it was granted for."""
    with recording_grants() as grants:
        try:
            return _kept(decide(uow), grants)
        except WaitRefused:
            raise
        except Refused as refused:
            raise _DecisionRefused(refused, tuple(grants)) from refused


def _once(
    context: ServiceContext, request: WriteRequest, answer: Callable[[UnitOfWork], _Stored], uow: UnitOfWork
) -> _Stored:
    """The answer that is kept under the request's key; else a new one, kept from now on."""
    if request.key is None:
        return answer(uow)
    found = _find(uow, request)
    if found is not None:
        branch = Branch(request.principal, context.service.tree(uow))
        authorize_again(branch, found.grants, AnswerWithheld(key=request.key))
        return found
    stored = answer(uow)
    row = (_source(request.principal), request.key, request.fingerprint, uow.now, msgspec.json.encode(stored))
    uow.write("INSERT INTO inbox (source, id, payload_hash, received_at, answer) VALUES (%s, %s, %s, %s, %s)", [row])
    return stored


def _find(uow: UnitOfWork, request: WriteRequest) -> _Stored | None:
    """The answer kept under the request's key; raises IdempotencyKeyReused where it is another request's."""
    sql = "SELECT payload_hash, answer FROM inbox WHERE source = %s AND id = %s"
    rows = uow.fetch(sql, (_source(request.principal), request.key))
    if not rows:
        return None
    fingerprint, kept = rows[0]
    if bytes(fingerprint) != request.fingerprint:
        key = request.key
        raise IdempotencyKeyReused(key=key, part="header", pointer="#/Idempotency-Key", value=key)
    return msgspec.json.decode(kept, type=_Stored)


def _source(principal: Principal) -> str:
    """Whose key it is, as the inbox names it; the subject comes last, as it may have any character."""
    return f"http/{principal.role}/{principal.party_id or '-'}/{principal.issuer} {principal.subject}"


def _kept(answer: CommandResult, grants: Iterable[Grant]) -> _Stored:
    headers = {}
    if answer.version is not None:
        headers["ETag"] = etag(answer.version)
    if answer.location is not None:
        headers["Location"] = answer.location
    body = b"" if answer.body is None else answer.body.model_dump_json().encode()
    media_type = MEDIA_TYPE if answer.problem else "application/json"
    return _Stored(answer.status, body, media_type, headers, tuple(grants))


def shown(request: Request, body: BaseModel, version: int | None = None) -> Response:
    """A resource that was read, with its ETag; 304 where the reader has that version already."""
    headers = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if version is not None:
        headers["ETag"] = etag(version)
        known = request.headers.get("if-none-match", "")
        if known.strip() == "*" or etag(version) in known:
            return Response(status_code=304, headers=headers)
    return Response(body.model_dump_json(), headers=headers, media_type="application/json")
