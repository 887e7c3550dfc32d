"""Operators' commands on views and timers: rebuild, verify, rollback, with progress while they run (O3, P6)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from trunkline.deadlines.deadlines import rebuild_deadlines
from trunkline.errors import Refused
from trunkline.http.dependencies import OperatorPrincipal
from trunkline.projections.rebuild import Progress, ProgressCallback, Rebuild
from trunkline.security.audit_log import auditing

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

LINES = "application/x-ndjson"
_SECONDS_BETWEEN = 0.1
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {LINES: {}},
        "description": 'lines of `{"progress": …}`, at the end one of `{"result": …}` or `{"error": …}`',
    }
}


class Rebuilt(BaseModel):
    """How many rows there are now."""

    rows: int


def add_projections(router: APIRouter, runtime: ServiceRuntime) -> None:
    """Add the commands to a service's operators' doors.

    Args:
        router: it has their prefix, and asks who gives them.
        runtime: the running service.
    """
    rebuild = Rebuild(runtime.projector, runtime.clock.now)

    def command(
        principal: OperatorPrincipal, verb: str, name: str, work: Callable[[str, ProgressCallback], Any]
    ) -> StreamingResponse:
        def audited(tell: ProgressCallback) -> Any:
            with auditing(runtime.store, runtime.clock.now, principal.actor, f"projection {verb}", {"name": name}):
                return work(name, tell)

        return StreamingResponse(stream_lines(audited), media_type=LINES)

    @router.post(
        "/projections/{name}/rebuild",
        summary="Build a view anew beside the old one, compare, swap",
        response_class=StreamingResponse,
        responses=STREAMED,
    )
    def rebuild_view(principal: OperatorPrincipal, name: str) -> StreamingResponse:
        return command(principal, "rebuild", name, rebuild.rebuild)

    @router.post(
        "/projections/{name}/verify",
        summary="Hold a view against a fold of the streams from zero",
        response_class=StreamingResponse,
        responses=STREAMED,
    )
    def verify_view(principal: OperatorPrincipal, name: str) -> StreamingResponse:
        return command(principal, "verify", name, rebuild.verify)

    @router.post(
        "/projections/{name}/rollback",
        summary="Show the generation before this one again, brought up to the present",
        response_class=StreamingResponse,
        responses=STREAMED,
    )
    def roll_back_view(principal: OperatorPrincipal, name: str) -> StreamingResponse:
        return command(principal, "rollback", name, rebuild.rollback)

    @router.post("/deadlines/rebuild", summary="Compute all due rows anew from the streams")
    def rebuild_due_rows(principal: OperatorPrincipal) -> Rebuilt:
        with auditing(runtime.store, runtime.clock.now, principal.actor, "deadlines rebuild", {}):
            return Rebuilt(rows=rebuild_deadlines(runtime.store, runtime.service.deciders))


def stream_lines(work: Callable[[ProgressCallback], Any]) -> Iterator[bytes]:
    """Do something in a thread and tell its progress line by line.

    It runs to its end even if nobody listens any more. A refusal that comes before anything else is raised here, so
    that it is answered as every other one.
    """
    queue: SimpleQueue[Progress | _End] = SimpleQueue()

    def run() -> None:
        try:
            queue.put(_End(result=work(queue.put)))
        except Exception as error:  # noqa: BLE001 - told to the one who asked; the audit has it too
            queue.put(_End(error=error))

    # In the request's context, so that what the thread puts on record counts as the request's record.
    threading.Thread(target=copy_context().run, args=(run,), name="operate", daemon=True).start()
    first = queue.get()
    if isinstance(first, _End) and first.error is not None:
        raise first.error
    return _told(first, queue)


def _told(first: Progress | _End, queue: SimpleQueue[Progress | _End]) -> Iterator[bytes]:
    told_at = 0.0
    phase = ""
    item = first
    while isinstance(item, Progress):
        if item.phase != phase or time.monotonic() - told_at >= _SECONDS_BETWEEN:
            phase, told_at = item.phase, time.monotonic()
            yield ndjson("progress", item)
        item = queue.get()
    if item.error is None:
        yield ndjson("result", item.result)
    elif isinstance(item.error, Refused):
        yield ndjson("error", {"code": item.error.code, "detail": item.error.sentence})
    else:
        yield ndjson("error", {"code": "internal-error", "detail": "Something went wrong; the audit names it."})


class _End:
    def __init__(self, result: Any = None, error: Exception | None = None) -> None:
        self.result = result
        self.error = error


def ndjson(name: str, value: Any) -> bytes:
    """One line of what is told while something goes on."""
    return msgspec.json.encode({name: value}) + b"\n"
