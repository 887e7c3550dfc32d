"""Registering, changing and reading parties (P0): platform, partners, organizations, and the people in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from trunkline.doors import Answer, Asked, Changed, Node, Posted, Reading, change, check_version, door, reader, shown
from trunkline.paging import Items, Page, Paging, one_page, page, paging
from trunkline.parties import PLATFORM, Branch, NotAllowed, Resource, authorize
from trunkline.stream import Decider
from trunkline.work import Work
from trunkline_licensing.api.branch import branch_of, identity_resource, party_resource
from trunkline_licensing.api.party_bodies import (
    IdentityChange,
    IdentityShown,
    NewIdentity,
    NewOrganization,
    NewPartner,
    NewPlatform,
    OrganizationChange,
    OrganizationShown,
    PartnerChange,
    PartnerShown,
    PlatformShown,
    said,
    shown_party,
)
from trunkline_licensing.organization import IDENTITY, PARTY, Party
from trunkline_licensing.party_facts import (
    Change,
    Changes,
    Details,
    Identity,
    IdentityChanges,
    Organization,
    OrganizationChanges,
    Partner,
    PartnerChanges,
    PartyFact,
    Platform,
    PlatformChanges,
    Registration,
    Removal,
)
from trunkline_licensing.party_refusals import PartyAboveUnknown
from trunkline_licensing.reactions.party_heard import command

_UNKNOWN = {404: "no such party, or not in the asker's branch", 409: "the directory refuses"}


@dataclass(frozen=True)
class _Command:
    """One change to the directory, within one piece of work."""

    work: Work
    asked: Asked
    decider: Decider[Party]
    key: str
    location: str

    def register(self, details: Details) -> Answer:
        """201 where the party is new, 200 where it was so already."""
        new = self.work.get(self.decider, self.key).version == 0
        return self._answer(Registration(at=self.work.now, details=details), 201 if new else 200)

    def change(self, changes: Changes) -> Answer:
        """Change what is named, in the version that If-Match names."""
        check_version(self.asked, self.work.get(self.decider, self.key).version)
        return self._answer(Change(at=self.work.now, changes=changes), 200)

    def remove(self) -> Answer:
        """Let a person leave."""
        check_version(self.asked, self.work.get(self.decider, self.key).version)
        command(self.work, self.decider, self.key, Removal(at=self.work.now), self.asked.cause)
        return Answer(status=204)

    def _answer(self, fact: PartyFact, status: int) -> Answer:
        party = command(self.work, self.decider, self.key, fact, self.asked.cause)
        assert party.details is not None
        loaded = self.work.get(self.decider, self.key)
        version = loaded.version + len(loaded.new)
        return Answer(shown_party(self.key, party.details), status, version, self.location)


def router(node: Node) -> APIRouter:
    """The operations on all kinds of party."""
    routes = APIRouter()
    for part in (_platform(node), _partners(node), _organizations(node), _identities(node)):
        routes.include_router(part)
    return routes


def _platform(node: Node) -> APIRouter:
    routes = door(node, "parties", _UNKNOWN)
    path = "/licensing/platform"

    @routes.get(path, summary="The platform", response_model=PlatformShown)
    def show_platform(asker: Reading, request: Request) -> Response:
        return _show_party(node, asker_branch(node, asker), request, PLATFORM, "platform")

    @routes.put(path, summary="Register or change the platform", response_model=PlatformShown)
    def put_platform(body: NewPlatform, asked: Changed) -> Response:
        def decide(work: Work) -> Answer:
            branch = branch_of(work, asked.principal)
            unknown = party_resource(work, PLATFORM, "platform").unknown
            authorize(branch, "change the platform", Resource(unknown, parties=(None,)))
            wanted = _Command(work, asked, PARTY, PLATFORM, path)
            if work.state(PARTY, PLATFORM).details is None:
                return wanted.register(Platform(**body.model_dump()))
            return wanted.change(PlatformChanges(**body.model_dump()))

        return change(node, asked, decide)

    return routes


def _partners(node: Node) -> APIRouter:
    routes = door(node, "parties", _UNKNOWN)
    path = "/licensing/partners"

    @routes.post(path, summary="Register a partner", status_code=201, response_model=PartnerShown)
    def register_partner(body: NewPartner, asked: Posted) -> Response:
        def decide(work: Work) -> Answer:
            authorize(branch_of(work, asked.principal), "change partners")
            key = body.partner_id or str(uuid4())
            details = Partner(**body.model_dump(exclude={"partner_id"}))
            return _Command(work, asked, PARTY, key, f"{path}/{key}").register(details)

        return change(node, asked, decide)

    @routes.get(path, summary="The partners in the asker's branch")
    def list_partners(asker: Reading, asked: Annotated[Paging, Depends(paging)]) -> Items[PartnerShown]:
        return _list(node, asker_branch(node, asker), asked, "partner", None)

    @routes.get(path + "/{partner_id}", summary="One partner", response_model=PartnerShown)
    def show_partner(partner_id: UUID, asker: Reading, request: Request) -> Response:
        return _show_party(node, asker_branch(node, asker), request, str(partner_id), "partner")

    @routes.patch(path + "/{partner_id}", summary="Change a partner", response_model=PartnerShown)
    def change_partner(partner_id: UUID, body: PartnerChange, asked: Changed) -> Response:
        def decide(work: Work) -> Answer:
            key = str(partner_id)
            authorize(branch_of(work, asked.principal), "change partners", party_resource(work, key, "partner"))
            return _Command(work, asked, PARTY, key, f"{path}/{key}").change(PartnerChanges(**said(body)))

        return change(node, asked, decide)

    return routes


def _organizations(node: Node) -> APIRouter:
    routes = door(node, "parties", _UNKNOWN)
    path = "/licensing/organizations"

    @routes.post(path, summary="Register an organization", status_code=201, response_model=OrganizationShown)
    def register_organization(body: NewOrganization, asked: Posted) -> Response:
        def decide(work: Work) -> Answer:
            branch = branch_of(work, asked.principal)
            partner_id = body.partner_id
            if "partner_id" not in body.model_fields_set:
                partner_id = asked.principal.party_id
            _authorize_under(work, branch, "register organizations", partner_id)
            key = body.organization_id or str(uuid4())
            details = Organization(**{**body.model_dump(exclude={"organization_id"}), "partner_id": partner_id})
            return _Command(work, asked, PARTY, key, f"{path}/{key}").register(details)

        return change(node, asked, decide)

    @routes.get(path, summary="The organizations in the asker's branch")
    def list_organizations(asker: Reading, asked: Annotated[Paging, Depends(paging)]) -> Items[OrganizationShown]:
        return _list(node, asker_branch(node, asker), asked, "organization", None)

    @routes.get(path + "/{organization_id}", summary="One organization", response_model=OrganizationShown)
    def show_organization(organization_id: UUID, asker: Reading, request: Request) -> Response:
        return _show_party(node, asker_branch(node, asker), request, str(organization_id), "organization")

    @routes.patch(path + "/{organization_id}", summary="Change an organization", response_model=OrganizationShown)
    def change_organization(organization_id: UUID, body: OrganizationChange, asked: Changed) -> Response:
        def decide(work: Work) -> Answer:
            key, changes = str(organization_id), said(body)
            branch, resource = branch_of(work, asked.principal), party_resource(work, key, "organization")
            authorize(branch, "change organizations", resource)
            if "allow_external_numbers" in changes:
                authorize(branch, "allow external numbers", resource)
            if "partner_id" in changes:
                authorize(branch, "move organizations", resource)
            return _Command(work, asked, PARTY, key, f"{path}/{key}").change(OrganizationChanges(**changes))

        return change(node, asked, decide)

    return routes


def _identities(node: Node) -> APIRouter:
    routes = door(node, "parties", _UNKNOWN)
    path = "/licensing/organizations/{organization_id}/identities"

    def at(organization: str, key: str) -> str:
        return f"{path.format(organization_id=organization)}/{key}"

    @routes.post(path, summary="Register a person", status_code=201, response_model=IdentityShown)
    def register_identity(organization_id: UUID, body: NewIdentity, asked: Posted) -> Response:
        def decide(work: Work) -> Answer:
            org = str(organization_id)
            resource = party_resource(work, org, "organization")
            authorize(branch_of(work, asked.principal), "change identities", resource)
            key = body.identity_id or str(uuid4())
            details = Identity(organization_id=org, **body.model_dump(exclude={"identity_id"}))
            return _Command(work, asked, IDENTITY, key, at(org, key)).register(details)

        return change(node, asked, decide)

    @routes.get(path, summary="The people of an organization")
    def list_identities(
        organization_id: UUID, asker: Reading, asked: Annotated[Paging, Depends(paging)]
    ) -> Items[IdentityShown]:
        work = reader(node)
        branch = branch_of(work, asker)
        authorize(branch, "see parties", party_resource(work, str(organization_id), "organization"))
        return _list(node, branch, asked, "identity", str(organization_id))

    @routes.get(path + "/{identity_id}", summary="One person", response_model=IdentityShown)
    def show_identity(organization_id: UUID, identity_id: UUID, asker: Reading, request: Request) -> Response:
        work = reader(node)
        resource = identity_resource(work, str(organization_id), str(identity_id))
        authorize(branch_of(work, asker), "see parties", resource)
        return _shown(work, request, IDENTITY, str(identity_id))

    @routes.patch(path + "/{identity_id}", summary="Change a person", response_model=IdentityShown)
    def change_identity(organization_id: UUID, identity_id: UUID, body: IdentityChange, asked: Changed) -> Response:
        def decide(work: Work) -> Answer:
            org, key = str(organization_id), str(identity_id)
            resource = identity_resource(work, org, key)
            authorize(branch_of(work, asked.principal), "change identities", resource)
            return _Command(work, asked, IDENTITY, key, at(org, key)).change(IdentityChanges(**said(body)))

        return change(node, asked, decide)

    @routes.delete(path + "/{identity_id}", summary="A person leaves", status_code=204)
    def remove_identity(organization_id: UUID, identity_id: UUID, asked: Changed) -> Response:
        def decide(work: Work) -> Answer:
            org, key = str(organization_id), str(identity_id)
            resource = identity_resource(work, org, key)
            authorize(branch_of(work, asked.principal), "change identities", resource)
            return _Command(work, asked, IDENTITY, key, at(org, key)).remove()

        return change(node, asked, decide)

    return routes


def asker_branch(node: Node, asker: Any) -> Branch:
    """What the asker sees, now."""
    return branch_of(reader(node), asker)


def _authorize_under(work: Work, branch: Branch, action: str, partner_id: str | None) -> None:
    """Refuse unless the asker may bring an organization under a partner; None: under the platform itself."""
    if partner_id is None:
        authorize(branch, action)
        if not branch.principal.sees_all:
            raise NotAllowed(role=branch.principal.role, action=action, where=" of the platform's own")
        return
    known = work.state(PARTY, partner_id).kind == "partner"
    unknown = PartyAboveUnknown(kind="partner", key=partner_id)
    authorize(branch, action, Resource(unknown, parties=(partner_id,), exists=known))


def _show_party(node: Node, branch: Branch, request: Request, key: str, kind: str) -> Response:
    work = reader(node)
    authorize(branch, "see parties", party_resource(work, key, kind))
    return _shown(work, request, PARTY, key)


def _shown(work: Work, request: Request, decider: Decider[Party], key: str) -> Response:
    loaded = work.get(decider, key)
    assert loaded.state.details is not None
    return shown(request, shown_party(key, loaded.state.details), loaded.version)


# -- lists ------------------------------------------------------------------------------------------------------------

_IN_BRANCH = {
    "partner": "key = %(mine_key)s",
    "organization": "(key = %(mine_key)s OR above_id = %(mine)s)",
    "identity": "TRUE",  # one organization's, which the asker was let through to
}


def _list(node: Node, branch: Branch, asked: Paging, kind: str, above: str | None) -> Items[Any]:
    """A page of the parties of one kind in the asker's branch; the branch is part of the query."""
    authorize(branch, "see parties")
    mine = branch.principal.party_id
    wanted = page(asked, ("name",), kind, above, mine)
    where = "kind = %(kind)s"
    if mine is not None:
        where += f" AND {_IN_BRANCH[kind]}"
    if above is not None:
        where += " AND above_id = %(above)s"
    params = {"kind": kind, "above": above, "mine": mine, "mine_key": f"party/{mine}", "limit": wanted.limit + 1}
    total = _query(node, f"SELECT count(*) FROM party_view WHERE {where}", params)[0][0]
    if wanted.after:
        name, key = _after(wanted)
        where += f" AND (name, key) {wanted.beyond} (%(name)s, %(after)s)"
        params |= {"name": name, "after": key}
    order = f"ORDER BY name {wanted.direction}, key {wanted.direction} LIMIT %(limit)s"
    rows = _query(node, f"SELECT name, key, details FROM party_view WHERE {where} {order}", params)
    return one_page(wanted, rows, total, _item, lambda row: (row[0], row[1]))


def _after(wanted: Page) -> tuple[str, str]:
    name, key = wanted.after
    return name, key


def _query(node: Node, sql: str, params: dict[str, Any]) -> list[Any]:
    with node.store.connection() as conn:
        return conn.execute(sql.encode(), params).fetchall()


def _item(row: Any) -> Any:
    _, key, details = row
    return shown_party(key.partition("/")[2], msgspec.json.decode(details, type=Details))
