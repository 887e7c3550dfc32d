"""Who brings numbers in, and for whom: the same for one, for a range and for a file (P3, R6)."""

from __future__ import annotations

from dataclasses import dataclass

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.roles import Role
from trunkline.security.authorization import NotAllowed, Resource, authorize
from trunkline.security.principal import Principal
from trunkline_numbers.application.visibility import Visibility, party
from trunkline_numbers.domain.number.events import PartyKind
from trunkline_numbers.domain.number.state import Party
from trunkline_numbers.domain.party_replica import PARTY
from trunkline_numbers.domain.upload import Upload, UploadPreviewed, UploadUnknown, file_of


@dataclass(frozen=True)
class ImportTerms:
    """Who brings numbers in.

    Attributes:
        uploader_id: the asker's party; None: the platform.
        uploader_kind: decides who may delete the numbers (R7).
        holder: whose to use or resell they will be; None: nobody's yet.
        domains: the portal domains that the asker may show numbers to; None: any.
        legacy: whether the asker may bring in locks without end (N7).
    """

    uploader_id: str | None
    uploader_kind: PartyKind | None
    holder: Party | None
    domains: frozenset[str] | None
    legacy: bool


def bringing(uow: UnitOfWork, principal: Principal, holder_id: str | None) -> ImportTerms:
    """Authorize it.

    Args:
        uow: where parties are read.
        principal: who asks.
        holder_id: the partner or organization the numbers are for; None: the asker's own, the platform's nobody's.

    Raises:
        HolderUnknown: there is no such party in the asker's branch.
        NotAllowed: not with this role, or for an organization that is not allowed external numbers (R6).
    """
    visibility = Visibility(uow, principal)
    for_whom = holder_id or principal.party_id
    authorize(visibility.branch, "add numbers", visibility.holder(for_whom) if for_whom is not None else None)
    kind: PartyKind = "partner" if principal.role == "partner-admin" else "organization"
    own = party(uow, principal.party_id)
    return ImportTerms(
        principal.party_id,
        None if principal.party_id is None else kind,
        party(uow, for_whom),
        None if principal.sees_all else frozenset(own.domains if own is not None else ()),
        _may_import(visibility),
    )


def still_bringing(uow: UnitOfWork, file: UploadPreviewed) -> ImportTerms:
    """Authorize the party that sent a file once more, as the tree and the party's rights are now (P2, R6).

    Args:
        uow: where parties are read.
        file: as it was previewed.

    Raises:
        HolderUnknown, NotAllowed: the holder has moved, or is not allowed external numbers any more.
    """
    role: Role = "platform-admin"
    if file.uploader_id is not None:
        role = "partner-admin" if file.uploader_kind == "partner" else "org-admin"
    return bringing(uow, Principal("", role, file.uploader_id), file.holder_id)


def upload_resource(uow: UnitOfWork, u: Upload) -> Resource:
    """An upload belongs to whoever sent the file: what its rows were refused for was said to them."""
    uploader_id = u.file.uploader_id if u.file is not None else None
    details = uow.state(PARTY, uploader_id).details if uploader_id is not None else None
    return Resource(
        unknown=UploadUnknown(upload_id=u.upload_id),
        parties=(uploader_id,),
        uploader_id=uploader_id,
        external=details is not None and details.allow_external_numbers,
        exists=u.file is not None,
    )


def check_starter(uow: UnitOfWork, u: Upload, began: Principal) -> None:
    """Authorize who let an upload run once more, as the directory is now (P2, P3).

    Raises:
        UploadUnknown, HolderUnknown, NotAllowed, TokenOutdated: it could not let it run any more.
    """
    authorize(Visibility(uow, began).branch, "add numbers", upload_resource(uow, u))
    bringing(uow, began, file_of(u).holder_id)


def _may_import(visibility: Visibility) -> bool:
    try:
        authorize(visibility.branch, "import legacy records")
    except NotAllowed:
        return False
    return True
