"""The operators' doors of one service, under `/<service>/operate` (O2, O3, O6, O7, P6).

All need the scope `operate`; every one that changes something is on record in the audit, done or refused.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel

from trunkline.errors import Refused
from trunkline.eventstore.history import happened, read_history, read_page
from trunkline.http.dependencies import DryRun, OperatorPrincipal, operating, service_router
from trunkline.http.idempotency import DRY_RUN
from trunkline.http.pagination import TEXT, moment, page, row_id
from trunkline.http.schemas import AnyInstant, Instant
from trunkline.mail.outbox import MailState, find_mail, list_mail
from trunkline.operations.audit_routes import audited_route
from trunkline.operations.compacted_topic_routes import add_states
from trunkline.operations.conflicting_duplicate_routes import add_conflicts
from trunkline.operations.dead_letter_routes import add_letters
from trunkline.operations.failed_item_routes import add_resolving
from trunkline.operations.lists import ROW_IDS, OperatePage, Pages, Shown, items, show
from trunkline.operations.projection_routes import add_projections
from trunkline.operations.repair_routes import add_repair
from trunkline.operations.republish_routes import add_republish
from trunkline.operations.sandbox_clock import NoSandbox, SandboxClock, duration
from trunkline.operations.token_routes import add_tokens
from trunkline.runtime.status import deadline_facts, facts, projection_facts, waiting_page
from trunkline.security.audit_log import auditing, list_audit
from trunkline.security.authorization import NothingThere
from trunkline.security.revocations import Revocations

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

Key = Annotated[str, Path(max_length=300, pattern=r"^[^\x00]+$")]


class LogPage(BaseModel):
    """A stretch of the log. `after` is what to ask with next, `end` the log's end."""

    items: list[Shown]
    after: int
    end: int


class Advance(BaseModel, extra="forbid"):
    """How far to move the clock: `49d`, `36h`, `90m`, `10s`, or together as `1d12h`."""

    by: str


class SetTo(BaseModel, extra="forbid"):
    """Where to move the clock, with an offset or Z."""

    at: Instant


class ClockShown(BaseModel):
    """The service's time, and how far it is ahead of the machine's; `sandbox`: whether it can be moved."""

    now: datetime
    ahead_seconds: float
    sandbox: bool


class InstantWithoutZone(Refused):
    """{value} has no time zone: write it with Z or with an offset."""

    status: ClassVar[int] = 422


def operate_router(runtime: ServiceRuntime, revocations: Revocations) -> APIRouter:
    """All operators' doors of a service.

    Args:
        runtime: the running service.
        revocations: the tokens that the process believes no more.
    """
    router = service_router(runtime, f"{runtime.service.name}: operate", {404: "there is no such thing"})
    router.prefix = f"/{runtime.service.name}/operate"
    router.route_class = audited_route(runtime)
    router.dependencies.insert(0, Depends(operating))  # before anything waits
    _streams(router, runtime)
    _clock(router, runtime)
    add_resolving(router, runtime)
    _mail(router, runtime)
    _messages(router, runtime)
    _records(router, runtime)
    add_letters(router, runtime)
    add_conflicts(router, runtime)
    add_projections(router, runtime)
    add_republish(router, runtime)
    add_states(router, runtime)
    add_repair(router, runtime)
    add_tokens(router, runtime, revocations)
    return router


def _streams(router: APIRouter, runtime: ServiceRuntime) -> None:
    @router.get("/streams/{category}/{key:path}", summary="The events of a stream, with who caused them and why")
    def stream(
        category: Key,
        key: Key,
        as_of: Annotated[AnyInstant | None, Query(description="Only what occurred until this instant.")] = None,
    ) -> OperatePage:
        if as_of is not None and as_of.tzinfo is None:
            raise InstantWithoutZone(value=as_of.isoformat(), part="query", pointer="#/as_of")
        events = read_history(runtime.store, f"{category}/{key}", as_of)
        if not events:
            raise NothingThere(key=f"{category}/{key}")
        return OperatePage(items=[show(happened(event)) for event in events])

    @router.get("/log", summary="The log after a position, to be followed live")
    def log(
        after: Annotated[int, Query(ge=0, le=ROW_IDS[-1])] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> LogPage:
        events = read_page(runtime.store, after, limit)
        return LogPage(
            items=[show(happened(event)) for event in events],
            after=events[-1].position if events else after,
            end=runtime.store.end_of_log(),
        )


def _clock(router: APIRouter, runtime: ServiceRuntime) -> None:
    def shown() -> ClockShown:
        clock = runtime.clock
        sandbox = isinstance(clock, SandboxClock)
        ahead = clock.ahead().total_seconds() if isinstance(clock, SandboxClock) else 0.0
        return ClockShown(now=clock.now(), ahead_seconds=ahead, sandbox=sandbox)

    def test_clock() -> SandboxClock:
        if not isinstance(runtime.clock, SandboxClock):
            raise NoSandbox
        return runtime.clock

    def would_be(at: datetime, response: Response) -> ClockShown:
        response.headers[DRY_RUN] = "true"
        ahead = test_clock().ahead().total_seconds() + (at - runtime.clock.now()).total_seconds()
        return ClockShown(now=at, ahead_seconds=ahead, sandbox=True)

    @router.get("/clock", summary="The service's time")
    def clock() -> ClockShown:
        return shown()

    @router.post("/clock/advance", summary="Move a sandbox's clock ahead")
    def advance(principal: OperatorPrincipal, body: Advance, response: Response, dry_run: DryRun = False) -> ClockShown:
        if dry_run:
            return would_be(test_clock().advance(duration(body.by), dry_run=True), response)
        with auditing(runtime.store, runtime.clock.now, principal.actor, "clock advance", {"by": body.by}):
            test_clock().advance(duration(body.by))
        runtime.commit_signal.set()
        return shown()

    @router.post("/clock/set", summary="Move a sandbox's clock to an instant ahead")
    def set_to(principal: OperatorPrincipal, body: SetTo, response: Response, dry_run: DryRun = False) -> ClockShown:
        if dry_run:
            return would_be(test_clock().set(body.at, dry_run=True), response)
        with auditing(runtime.store, runtime.clock.now, principal.actor, "clock set", {"at": body.at.isoformat()}):
            test_clock().set(body.at)
        runtime.commit_signal.set()
        return shown()


def _mail(router: APIRouter, runtime: ServiceRuntime) -> None:
    @router.get("/mail", summary="Mail, newest first")
    def mails(pages: Pages, state: MailState | None = None) -> OperatePage:
        window = page(pages, {"created_at": (moment, TEXT)}, "mail", state)
        return items(
            window, list_mail(runtime.store, window.limit + 1, state, window.place() or None), "created_at", "key"
        )

    @router.get("/mail/{key:path}", summary="One mail")
    def mail(key: Key) -> Shown:
        found = find_mail(runtime.store, key)
        if found is None:
            raise NothingThere(key=key)
        return show(found)


def _messages(router: APIRouter, runtime: ServiceRuntime) -> None:
    @router.get("/waiting", summary="Facts that wait for something unknown yet, the longest first")
    def waiting(pages: Pages, awaiting: Annotated[str | None, Query(pattern="^[a-z_]{1,40}$")] = None) -> OperatePage:
        window = page(pages, {"since": (moment, TEXT, TEXT)}, "waiting", awaiting)
        rows = waiting_page(runtime.store, window.limit + 1, window.place() or None, awaiting)
        return items(window, rows, "since", "awaited", "waiter")


def _records(router: APIRouter, runtime: ServiceRuntime) -> None:
    @router.get("/audit", summary="What operators did, newest first")
    def audit(pages: Pages) -> OperatePage:
        window = page(pages, {"id": (row_id,)}, "audit")
        (before,) = window.place() or (None,)
        return items(window, list_audit(runtime.store, window.limit + 1, before), "id")

    @router.get("/deadlines", summary="How many streams are due, and when the next one is")
    def deadlines() -> Shown:
        return show(deadline_facts(runtime.store, runtime.clock))

    @router.get("/projections", summary="Views, their generations, positions and lag")
    def projections() -> list[Shown]:
        return [show(found) for found in projection_facts(runtime.projector, runtime.clock.now())]

    @router.get("/doctor", summary="The figures that tell whether the service is well")
    def doctor() -> Shown:
        return show(facts(runtime))
