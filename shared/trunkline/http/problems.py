"""Every error that leaves over HTTP: RFC 9457 problem details with a stable `code` and one sentence (DOMAIN §9)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import Scope

from trunkline.contracts.validation_messages import sentence
from trunkline.errors import Refused
from trunkline.eventstore.event_store import ConcurrencyError
from trunkline.http.json_bodies import UnusableText, pointer

MEDIA_TYPE: Final = "application/problem+json"
_log = structlog.get_logger("trunkline.http")
_CODES: Final = {
    400: "request-unreadable",
    404: "path-unknown",
    405: "method-not-allowed",
    408: "body-too-slow",
    413: "body-too-large",
}
_LONGEST_VALUE: Final = 200
_WORDS: Final = re.compile(r"[-_]")


def request_id(scope: Scope) -> str:
    """The id this request goes by in logs and answers."""
    found: str = scope.get("state", {}).get("request_id", "")
    return found


def problem(
    scope: Scope,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem as a response.

    Args:
        scope: the request's, for its id.
        status: the HTTP status.
        code: stable, for programs: `number-not-available`.
        detail: one sentence, for people.
        errors: what exactly, each with `pointer` (into the part named by `in`), `value` and `detail`.
        headers: further response headers.
    """
    scope.setdefault("state", {})["problem"] = code
    body: dict[str, Any] = {
        "type": f"urn:trunkline:problem:{code}",
        "title": _WORDS.sub(" ", code),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id(scope),
    }
    if errors:
        body["errors"] = errors
    extra = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        extra.setdefault("WWW-Authenticate", 'Bearer realm="trunkline"')
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        extra.setdefault("Retry-After", "1")
    return Response(_written(body), status, extra, MEDIA_TYPE)


def _written(body: dict[str, Any]) -> bytes:
    """A problem as JSON; a refusal may repeat half a surrogate pair of its request, which UTF-8 cannot hold."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        return json.dumps(body).encode()


def refused_problem(scope: Scope, refused: Refused) -> Response:
    """A refusal as a response; `errors`, `pointer` and `value` among its facts say what exactly."""
    errors = refused.facts.get("errors", ())
    if "pointer" in refused.facts:
        errors = [
            {
                "in": refused.facts.get("part", "body"),
                "pointer": refused.facts["pointer"],
                "value": shown_value(refused.facts.get("value")),
                "detail": refused.sentence,
            }
        ]
    assert isinstance(errors, Sequence)
    return problem(scope, refused.status, refused.code, refused.sentence, errors)


def shown_value(value: object) -> object:
    """A wrong value as it may be repeated: whole where it is small, shortened or described where it is not."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}… ({len(value):,} characters)"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, list | tuple | set | frozenset):
        return f"a list of {len(value):,}"
    return "an object"


def _validation_errors(error: RequestValidationError) -> list[dict[str, Any]]:
    """What each parameter or place in the body got and takes."""
    errors: list[dict[str, Any]] = []
    for wrong in error.errors():
        part, *path = wrong["loc"] or ("body",)
        if wrong["type"] == "json_invalid":
            detail = f"not JSON: {wrong.get('ctx', {}).get('error', '')} at character {path[0] if path else 0}"
            errors.append({"in": "body", "pointer": "#", "value": None, "detail": detail})
            continue
        value = None if wrong["type"] == "missing" else shown_value(wrong.get("input"))
        errors.append({"in": part, "pointer": pointer(tuple(path)), "value": value, "detail": sentence(wrong)})
    return errors


def _is_json(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "")
    about_body = any(wrong["loc"][:1] == ("body",) and wrong["type"] != "missing" for wrong in error.errors())
    if about_body and not _is_json(kind):
        got = f"is {kind[:100]!r}" if kind else "is missing"
        detail = f"The content type {got}; this operation takes application/json."
        return problem(request.scope, 415, "content-type-unsupported", detail)
    errors = _validation_errors(error)
    first = errors[0]
    more = f" ({len(errors) - 1} more in `errors`)" if len(errors) > 1 else ""
    detail = f"The {first['in']} at {first['pointer']} is not accepted: {first['detail']}{more}."
    return problem(request.scope, 422, "request-invalid", detail, errors)


async def _on_unusable_text(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnusableText)
    wrong = {"in": error.part, "pointer": error.pointer, "value": None, "detail": error.reason}
    detail = f"The {error.part} at {error.pointer} is not accepted: {error.reason}."
    return problem(request.scope, 422, "request-invalid", detail, [wrong])


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refused_problem(request.scope, error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, f"http-{error.status_code}")
    detail = {
        404: f"There is no {request.url.path}; GET /docs lists what there is.",
        405: f"{request.url.path} does not take {request.method}.",
        408: "The body has not come in time.",
        413: "The body is larger than this operation takes.",
        400: "The request's body cannot be read.",
    }.get(error.status_code, str(error.detail))
    return problem(request.scope, error.status_code, code, detail, headers=error.headers)


async def _on_database(request: Request, error: Exception) -> Response:
    _log.warning("database unavailable", request_id=request_id(request.scope), error=type(error).__name__)
    if isinstance(error, psycopg.errors.DiskFull):
        full = "The database's disk is full: nothing was changed; make room, then try again."
        return problem(request.scope, 503, "disk-full", full)
    return problem(request.scope, 503, "database-unavailable", "The database does not answer; try again in a moment.")


async def _on_conflict(request: Request, error: Exception) -> Response:
    return problem(request.scope, 409, "changed-meanwhile", "Somebody else changed the same thing; try again.")


def add_problem_handlers(app: FastAPI) -> None:
    """Let an app answer every error as a problem; what nothing here expects is the outermost middleware's."""
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(UnusableText, _on_unusable_text)
    app.add_exception_handler(ConcurrencyError, _on_conflict)
    for down in (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout):
        app.add_exception_handler(down, _on_database)
