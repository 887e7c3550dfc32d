"""The policy in force and all that were before it; the platform's administrators apply another (N15)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from trunkline.eventstore.recorded_event import RecordedEvent, recorded
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import CurrentPrincipal, UpdateRequest, WriteRequest, reader, service_router
from trunkline.http.idempotency import CommandResult, change, check_version, shown
from trunkline.http.pagination import Items, Paging, one_page, page, paging, whole
from trunkline.security.authorization import authorize
from trunkline.security.principal import Principal
from trunkline.service_definition import ServiceContext
from trunkline_numbers.api.policies.schemas import PolicyApplied, PolicyShown, PolicyToApply, changes, document
from trunkline_numbers.application.visibility import Visibility
from trunkline_numbers.domain.policy import CURRENT, DEFAULT, POLICY, apply_policy


def router(context: ServiceContext) -> APIRouter:
    """The operations."""
    routes = service_router(context, "policies", {409: "another version is in force by now"})

    @routes.get("/numbers/policy", summary="The policy in force", response_model=PolicyShown)
    def show_policy(principal: CurrentPrincipal, request: Request) -> Response:
        _authorize(context, principal)
        *_, newest = _versions(context)
        return shown(request, newest, newest.version)

    @routes.get("/numbers/policy/history", summary="Every policy there was")
    def history(principal: CurrentPrincipal, paging: Annotated[Paging, Depends(paging)]) -> Items[PolicyShown]:
        _authorize(context, principal)
        wanted = page(paging, {"version": (whole,)}, "policy")
        versions = _versions(context)
        total = len(versions)
        if wanted.descending:
            versions.reverse()
        if wanted.after:
            (last,) = wanted.place()
            versions = [v for v in versions if (v.version < last if wanted.descending else v.version > last)]
        return one_page(wanted, versions[: wanted.limit + 1], total, lambda v: v, lambda v: (str(v.version),))

    @routes.put("/numbers/policy", summary="Put a policy in force", response_model=PolicyApplied)
    def put_policy(body: PolicyToApply, request: UpdateRequest) -> Response:
        return change(context, request, lambda uow: _apply(uow, request, body))

    return routes


def _authorize(context: ServiceContext, principal: Principal) -> None:
    authorize(Visibility(reader(context), principal).branch, "change policies")


def _apply(uow: UnitOfWork, request: WriteRequest, body: PolicyToApply) -> CommandResult:
    """Put it in force for all that is written from now on, whichever copy of the service writes it."""
    authorize(Visibility(uow, request.principal).branch, "change policies")
    loaded = uow.get(POLICY, CURRENT)
    check_version(request, loaded.version)
    before = loaded.state
    policy = body.policy.policy()
    events = apply_policy(before, policy, body.remark, uow.now, body.policy.version)
    after = uow.record(POLICY, CURRENT, events, request.cause)
    answer = PolicyApplied(
        version=after.version,
        policy=document(after.policy),
        applied_at=after.since,
        outcome="applied" if events else "in force already",
        changes=changes(before.policy, after.policy),
    )
    return CommandResult(answer, version=after.version)


def _versions(context: ServiceContext) -> list[PolicyShown]:
    """From the built-in one to the one in force."""
    rows = context.store.read_streams([POLICY.stream(CURRENT)])
    found = (recorded(context.store.codec, (0, *row)) for row in rows)
    return [PolicyShown(version=0, policy=document(DEFAULT)), *map(_shown, found)]


def _shown(applied: RecordedEvent) -> PolicyShown:
    return PolicyShown(
        version=applied.version,
        policy=document(applied.event.policy),
        applied_at=applied.event.at,
        applied_by=applied.meta.actor,
        remark=applied.event.remark,
    )
