"""What the operators' routes put on record by themselves (P6).

A handler records the command that it carries out. What never gets so far is recorded here: a command that is malformed
or comes without the right, and the reading of streams, mail and messages, which hold what people wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from trunkline.errors import Refused
from trunkline.http.json_bodies import JsonRoute
from trunkline.security import audit_log
from trunkline.security.principal import Principal

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

log = structlog.get_logger(__name__)
READS: Final = ("/streams/", "/log", "/mail", "/parked", "/quarantined", "/conflicts")
"""What an operator reads there has the contents of events, mails and messages."""
_TRIES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MOST_FOLLOWING: Final = 10_000
_RECORDED: Final[ContextVar[list[bool] | None]] = ContextVar("recorded", default=None)


def mark_recorded() -> None:
    """Note that the request at hand is on record: its handler has written it down."""
    marks = _RECORDED.get()
    if marks is not None:
        marks.append(True)


audit_log.on_record.append(mark_recorded)


def audited_route(runtime: ServiceRuntime) -> type[APIRoute]:
    """The class of a service's operators' routes."""

    following: set[str] = set()

    class AuditedRoute(JsonRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handled(request: Request) -> Response:
                marks: list[bool] = []
                token = _RECORDED.set(marks)
                try:
                    answer = await handle(request)
                except (Refused, RequestValidationError, HTTPException) as refused:
                    if not marks:
                        await _record(runtime, request, self.path, f"refused: {_code(refused)}", must=False)
                    raise
                finally:
                    _RECORDED.reset(token)
                if _reads(request.method, self.path, runtime.service.name) and not _follows(
                    request, self.path, following
                ):
                    await _record(runtime, request, self.path, "done", must=True)
                return answer

            return handled

    return AuditedRoute


def _reads(method: str, path: str, service: str) -> bool:
    return method == "GET" and path.removeprefix(f"/{service}/operate").startswith(READS)


def _follows(request: Request, path: str, following: set[str]) -> bool:
    """Whether a token goes on following the log, which asks for it again and again: that it began is on record."""
    if not path.endswith("/log"):
        return False
    principal: Principal = request.state.principal
    name = principal.token_id or principal.subject
    if name in following:
        return True
    if len(following) >= _MOST_FOLLOWING:
        following.clear()
    following.add(name)
    return False


def _code(error: Exception) -> str:
    if isinstance(error, Refused):
        return error.code
    return "request-invalid" if isinstance(error, RequestValidationError) else "request-unreadable"


async def _record(runtime: ServiceRuntime, request: Request, path: str, outcome: str, *, must: bool) -> None:
    """Write the request down; where it was refused, the refusal is answered even if that fails."""
    principal: Principal = request.state.principal
    if request.method not in _TRIES and not _reads(request.method, path, runtime.service.name):
        return
    command = f"{request.method} {path}"
    about = {**request.path_params, **request.query_params}
    try:
        await run_in_threadpool(
            audit_log.put_on_record, runtime.store, runtime.clock.now(), principal.actor, command, about, outcome
        )
    except Exception:
        if must:
            raise
        log.exception("a refused command is not on record", command=command, actor=principal.actor)
