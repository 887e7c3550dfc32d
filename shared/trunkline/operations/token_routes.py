"""The operators' doors for revoking tokens (T3, P6)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from trunkline.errors import Refused
from trunkline.http.dependencies import OperatorPrincipal
from trunkline.http.pagination import page, row_id
from trunkline.http.schemas import LINES, Instant
from trunkline.operations.lists import OperatePage, Pages, Shown, items, show
from trunkline.security.audit_log import auditing
from trunkline.security.principal import OWN_ISSUER
from trunkline.security.revocations import Revocation, Revocations, list_revocations

if TYPE_CHECKING:
    from trunkline.runtime.service_runtime import ServiceRuntime

_TEXT: Final = r"^[^\x00-\x1f\x7f]+$"


class RevokeEitherOr(Refused):
    """A revocation names either one token by its `token_id`, or a `subject`."""

    status: ClassVar[int] = 422


class Revoke(BaseModel, extra="forbid"):
    """What is not to be believed any more: one token, or all of a subject that were issued before an instant."""

    token_id: str | None = Field(default=None, min_length=1, max_length=200, pattern=_TEXT, description="Its `jti`.")
    issuer: str = Field(default=OWN_ISSUER, max_length=300, pattern=_TEXT, description="Of the token named by its id.")
    subject: str | None = Field(
        default=None, min_length=1, max_length=600, pattern=_TEXT, description="As histories name it after `user:`."
    )
    not_before: Instant | None = Field(default=None, description="Default: now, on the machine's clock.")
    remark: Annotated[str, LINES] = Field(default="", max_length=1_000, description="Why.")


def add_tokens(router: APIRouter, runtime: ServiceRuntime, revocations: Revocations) -> None:
    """Add the doors to a service's operators' doors.

    Args:
        router: it has their prefix, and asks who comes.
        runtime: the running service.
        revocations: what the process believes no more.
    """

    @router.post("/tokens/revoke", summary="Believe a token, or a subject's tokens, no more")
    def revoke(principal: OperatorPrincipal, body: Revoke) -> Shown:
        now = datetime.now(UTC)  # tokens live by the machine's clock
        about = {"token_id": body.token_id, "subject": body.subject, "remark": body.remark}
        with auditing(runtime.store, runtime.clock.now, principal.actor, "token revoke", about):
            if (body.token_id is None) == (body.subject is None):
                raise RevokeEitherOr(pointer="#/subject", value=body.subject)
            whole = body.subject is not None
            revocation = Revocation(
                id=0,
                issuer=None if whole else body.issuer,
                token_id=body.token_id,
                subject=body.subject,
                not_before=(body.not_before or now) if whole else None,
                revoked_at=now,
                revoked_by=principal.actor,
                remark=body.remark,
            )
            revocations.add(runtime.store, revocation)
        return show(revocation)

    @router.get("/tokens/revoked", summary="Revoked tokens, oldest first")
    def revoked(pages: Pages) -> OperatePage:
        window = page(pages, {"id": (row_id,)}, "revoked")
        (after,) = window.place() or (0,)
        return items(window, list_revocations(runtime.store, after, window.limit + 1), "id")
