"""Extensions as an asker meets them: the organization first, then the extension, then who it serves (P2, P4)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.security.authorization import Resource, authorize
from trunkline.security.principal import Principal
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.extensions.schemas import ExtensionShown, shown_extension
from trunkline_licensing.application.visibility import branch_of, extension_resource, party_resource
from trunkline_licensing.domain.extension.extension import EXTENSION, Extension
from trunkline_licensing.domain.party.directory import IDENTITY
from trunkline_licensing.domain.party.facts import Identity
from trunkline_licensing.domain.pool.catalogue import Catalogue

PATH: Final = "/licensing/organizations/{organization_id}/extensions"
UNKNOWN: Final = {404: "no such organization or extension, or not in the asker's branch", 409: "licensing refuses"}


def in_organization_of(uow: UnitOfWork, principal: Principal, action: str, organization_id: str) -> None:
    """Let the asker through to an organization's licenses and extensions.

    Raises:
        PartyUnknown, NotAllowed, ScopeMissing: as they say.
    """
    org: Resource = party_resource(uow, organization_id, "organization")
    if principal.role == "member":  # reaches what serves it, whichever extension that is
        org = Resource(org.unknown, parties=org.parties, exists=org.exists, user_id=principal.person)
    authorize(branch_of(uow, principal), action, org)


def to_extension(uow: UnitOfWork, principal: Principal, action: str, organization_id: str, extension_id: str) -> None:
    """Let the asker through to one extension; the organization comes first, so that nobody learns of another's.

    Raises:
        PartyUnknown, ExtensionUnknown, NotAllowed, ScopeMissing: as they say.
    """
    in_organization_of(uow, principal, action, organization_id)
    authorize(branch_of(uow, principal), action, extension_resource(uow, organization_id, extension_id))


def person_of(uow: UnitOfWork, x: Extension) -> Identity | None:
    """Whom an extension serves, as far as that person is still known."""
    if x.facts is None or x.facts.user_id is None:
        return None
    details = uow.state(IDENTITY, x.facts.user_id).details
    return details if isinstance(details, Identity) else None


def shown(uow: UnitOfWork, extension_id: str, catalogue: Catalogue) -> ExtensionShown:
    """An extension as it is within a piece of work."""
    x = uow.state(EXTENSION, extension_id)
    return shown_extension(x, person_of(uow, x), catalogue)


def shown_all(uow: UnitOfWork, extension_ids: list[str], catalogue: Catalogue) -> list[ExtensionShown]:
    """Several of them; their people in one query."""
    states = [uow.state(EXTENSION, key) for key in extension_ids]
    uow.load((IDENTITY, x.facts.user_id) for x in states if x.facts is not None and x.facts.user_id is not None)
    return [shown_extension(x, person_of(uow, x), catalogue) for x in states]


_decode: Final = msgspec.msgpack.Decoder(Extension).decode
ROW: Final = "e.folded, i.name, i.email, i.role"
ROWS: Final = "extension_view e LEFT JOIN identity_view i ON i.key = e.user_id AND NOT i.removed"


def of_row(folded: bytes, name: str | None, email: str | None, role: Any) -> tuple[Extension, Identity | None]:
    """An extension and its person out of a row of `ROWS` with the columns `ROW`."""
    x = _decode(folded)
    if name is None or x.facts is None:
        return x, None
    return x, Identity(organization_id=x.facts.organization_id, name=name, email=email or "", role=role)


def rows(context: ServiceContext, sql: str, params: dict[str, Any]) -> list[Any]:
    """Read views."""
    with context.store.connection() as conn:
        return conn.execute(sql.encode(), params).fetchall()
