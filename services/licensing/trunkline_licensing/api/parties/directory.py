"""What the doors of all kinds of party share: commands, single parties, lists within the branch (P0, P2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from trunkline.eventstore.decider import Decider
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.http.dependencies import WriteRequest, reader
from trunkline.http.idempotency import CommandResult, check_version, shown
from trunkline.http.pagination import TEXT, Items, Paging, one_page, page
from trunkline.http.schemas import OneForm
from trunkline.security.authorization import Resource, authorize, visible
from trunkline.security.principal import Branch, Principal
from trunkline.service_definition import ServiceContext
from trunkline_licensing.api.parties.schemas import IdentityShown, OrganizationShown, PartnerShown, shown_party
from trunkline_licensing.application.visibility import branch_of, party_resource
from trunkline_licensing.domain.party.directory import PARTY, Party
from trunkline_licensing.domain.party.errors import AlreadyRegistered, PartyUnknown
from trunkline_licensing.domain.party.facts import Change, Changes, Details, Identity, PartyFact, Registration, Removal
from trunkline_licensing.message_handlers.party_events import command

UNKNOWN: Final = {404: "no such party, or not in the asker's branch", 409: "the directory refuses"}


@dataclass(frozen=True)
class Command:
    """One change to the directory, within one piece of work."""

    uow: UnitOfWork
    request: WriteRequest
    decider: Decider[Party]
    key: str
    location: str

    def register(self, details: Details) -> CommandResult:
        """201 where the party is new, 200 where it was so already."""
        new = self.uow.get(self.decider, self.key).version == 0
        return self._answer(Registration(at=self.uow.now, details=details), 201 if new else 200)

    def change(self, changes: Changes) -> CommandResult:
        """Change what is named, in the version that If-Match names."""
        check_version(self.request, self.uow.get(self.decider, self.key).version)
        return self._answer(Change(at=self.uow.now, changes=changes), 200)

    def remove(self) -> CommandResult:
        """Let a person leave."""
        check_version(self.request, self.uow.get(self.decider, self.key).version)
        command(self.uow, self.decider, self.key, Removal(at=self.uow.now), self.request.cause)
        return CommandResult(status=204)

    def _answer(self, fact: PartyFact, status: int) -> CommandResult:
        party = command(self.uow, self.decider, self.key, fact, self.request.cause)
        assert party.details is not None
        # A registration repeated changes nothing, so the branch is checked here: the party may have moved since (P2).
        owner = party.details.organization_id if isinstance(party.details, Identity) else self.key
        resource = Resource(PartyUnknown(key=self.key), parties=(owner,))
        if not visible(branch_of(self.uow, self.request.principal), resource):
            raise AlreadyRegistered(key=self.key)
        loaded = self.uow.get(self.decider, self.key)
        version = loaded.version + len(loaded.new)
        return CommandResult(shown_party(party), status, version, self.location)


def asker_branch(context: ServiceContext, principal: Principal) -> Branch:
    """What the asker sees, now."""
    return branch_of(reader(context), principal)


def show_party(context: ServiceContext, branch: Branch, request: Request, key: str, kind: str) -> Response:
    """One platform, partner or organization."""
    uow = reader(context)
    authorize(branch, "see parties", party_resource(uow, key, kind))
    return show_stream(uow, request, PARTY, key)


def show_stream(uow: UnitOfWork, request: Request, decider: Decider[Party], key: str) -> Response:
    """A party that the asker was let through to."""
    loaded = uow.get(decider, key)
    assert loaded.state.details is not None
    return shown(request, shown_party(loaded.state), loaded.version)


# -- lists ------------------------------------------------------------------------------------------------------------


Search = Annotated[OneForm | None, Query(max_length=200, description="Part of the name, or how the UUID begins.")]


def list_parties(
    context: ServiceContext, branch: Branch, paging: Paging, kind: str, search: str | None = None
) -> Items[Any]:
    """A page of the partners or organizations in the asker's branch.

    Args:
        context: the service.
        branch: the asker's.
        paging: which page.
        kind: `partner` or `organization`.
        search: part of their names, whatever its case, or how their ids begin; None: all of them.
    """
    authorize(branch, "see parties")
    mine = branch.principal.party_id
    where = "kind = %(kind)s" + ("" if mine is None else " AND (key = %(mine)s OR partner_id = %(mine)s)")
    if search is not None:
        where += " AND (strpos(lower(name), lower(%(search)s)) > 0 OR starts_with(key, lower(%(search)s)))"
    columns = "owner_email, support_email, billing_email, domains, partner_id, allow_external_numbers"
    params = {"kind": kind, "mine": mine, "search": search}
    return _list(context, paging, f"party_view WHERE {where}", params, columns, _party)


def list_people(context: ServiceContext, paging: Paging, organization_id: str) -> Items[Any]:
    """A page of the people of an organization that the asker was let through to."""
    source = "identity_view WHERE organization_id = %(organization)s AND NOT removed"
    return _list(context, paging, source, {"organization": organization_id}, "organization_id, email, role", _person)


def _list(
    context: ServiceContext,
    paging: Paging,
    source: str,
    params: dict[str, Any],
    columns: str,
    show: Callable[[Any], Any],
) -> Items[Any]:
    """A page of a view, by name; the branch is part of the query (`source`), not a filter after it."""
    wanted = page(paging, {"name": (TEXT, TEXT)}, source, params)
    total = _rows(context, f"SELECT count(*) FROM {source}", params)[0][0]
    beyond = ""
    if wanted.after:
        name, key = wanted.after
        beyond = f" AND (name, key) {wanted.beyond} (%(name)s, %(after)s)"
        params = {**params, "name": name, "after": key}
    order = f"ORDER BY name {wanted.direction}, key {wanted.direction} LIMIT {wanted.limit + 1}"
    rows = _rows(context, f"SELECT key, name, {columns} FROM {source}{beyond} {order}", params)
    return one_page(wanted, rows, total, show, lambda row: (row[1], row[0]))


def _rows(context: ServiceContext, sql: str, params: dict[str, Any]) -> list[Any]:
    with context.store.connection() as conn:
        return conn.execute(sql.encode(), params).fetchall()


def _party(row: Any) -> PartnerShown | OrganizationShown:
    key, name, owner_email, support_email, billing_email, domains, partner_id, external = row
    if billing_email is None:
        return PartnerShown(
            partner_id=key, name=name, owner_email=owner_email, support_email=support_email, domains=domains
        )
    return OrganizationShown(
        organization_id=key,
        partner_id=partner_id,
        name=name,
        billing_email=billing_email,
        allow_external_numbers=external,
    )


def _person(row: Any) -> IdentityShown:
    key, name, organization_id, email, role = row
    return IdentityShown(identity_id=key, organization_id=organization_id, name=name, email=email, role=role)
