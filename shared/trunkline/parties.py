"""Who may do what, in which branch of the tree platform → partner → organization (DOMAIN P1 to P4, P6).

The table is data. `authorize` is the one function that reads it, and every door goes through that function:
outside the asker's branch there is nothing (404), inside it the table decides (403).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Protocol, get_args

import msgspec

from trunkline.errors import Refused
from trunkline.own_token import ISSUER

Role = Literal["platform-admin", "platform-support", "partner-admin", "org-admin", "member", "machine"]
Scope = Literal["billing:write", "projections:read", "operate"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
PLATFORM: Final = "platform"
"""The platform's own key among the parties."""
OWN_ISSUER: Final = ISSUER
"""The issuer of the tokens that the home's own key signs."""


@dataclass(frozen=True)
class Principal:
    """Who asks (P1).

    Attributes:
        subject: who it is, unique over all issuers; goes into every event's envelope as `user:<subject>`.
        role: an organization's owner is `org-admin` too.
        party_id: the partner or organization it belongs to; None: the platform.
        scopes: what a machine may do, and `operate` for people.
        issuer: who issued the token.
        sources: the CloudEvents sources that the token may use for its events; none: as its party may.
        identity_id: the person of the directory that it is; None: nobody of the directory.
        token_id: the token's `jti`.
    """

    subject: str
    role: Role
    party_id: str | None = None
    scopes: frozenset[str] = frozenset()
    issuer: str = OWN_ISSUER
    sources: frozenset[str] = frozenset()
    identity_id: str | None = None
    token_id: str | None = None

    @property
    def person(self) -> str:
        """Who it is to what serves a person (P4): the identity of the directory, or else the subject."""
        return self.identity_id or self.subject

    @property
    def actor(self) -> str:
        """How events name this principal."""
        return f"user:{self.subject}"

    @property
    def sees_all(self) -> bool:
        """Whether its branch is the whole tree."""
        return self.party_id is None


class Person(msgspec.Struct, frozen=True):
    """A person of the directory, as far as tokens are held against it."""

    organization_id: str
    role: str
    removed: bool = False


class Tree(Protocol):
    """The tree of parties, as a service knows it."""

    @property
    def knows_everybody(self) -> bool:
        """Whether a person that it does not know does not exist."""
        ...

    def kind_of(self, party_id: str) -> str | None:
        """`partner` or `organization`; None: unknown."""
        ...

    def person(self, identity_id: str) -> Person | None:
        """A person of the directory, also one who has left; None: unknown."""
        ...

    def partner_of(self, organization_id: str) -> str | None:
        """The partner above an organization; None for the platform's own, for a partner, and for the unknown."""
        ...

    def allows_external(self, organization_id: str) -> bool:
        """Whether an organization is allowed external numbers (R6)."""
        ...


class EmptyTree:
    """A tree without any party: for principals whose branch is the whole tree."""

    knows_everybody = False

    def kind_of(self, party_id: str) -> str | None:
        """None: no party is known."""
        return None

    def person(self, identity_id: str) -> Person | None:
        """None: nobody is known."""
        return None

    def partner_of(self, organization_id: str) -> str | None:
        """None: no party is known."""
        return None

    def allows_external(self, organization_id: str) -> bool:
        """False: no party is known."""
        return False


@dataclass(frozen=True)
class Branch:
    """What a principal sees: its party and all below it (P2)."""

    principal: Principal
    tree: Tree

    def holds(self, party_id: str | None) -> bool:
        """Whether a party is in it. None is the platform itself."""
        mine = self.principal.party_id
        if mine is None:
            return True
        if party_id is None or party_id == PLATFORM:
            return False
        return party_id == mine or self.tree.partner_of(party_id) == mine

    def holds_any(self, party_ids: Iterable[str | None]) -> bool:
        """Whether one of them is in it."""
        return self.principal.sees_all or any(party is not None and self.holds(party) for party in party_ids)

    def below(self, party_id: str | None) -> bool:
        """Whether a party is under the asker's own, not the asker's own itself."""
        return self.holds(party_id) and party_id != self.principal.party_id


Reach = Literal["branch", "orgs", "uploaded", "held", "external", "own"]
"""What of its branch a role reaches with an action: `branch` all of it; `orgs` what is below its own party;
`uploaded` what the branch brought in; `held` what its own party holds or brought in; `external` all of it where
the organization is allowed external numbers (R6); `own` what serves the asker as a person (P4)."""

Row = Mapping[Role, Reach]

# Platform roles and machines without a party have the whole tree as their branch.
_EVERYONE: Final[Row] = {
    "platform-admin": "branch",
    "platform-support": "branch",
    "partner-admin": "branch",
    "org-admin": "branch",
    "machine": "branch",
}
_CHIEFS: Final[Row] = {"platform-admin": "branch", "partner-admin": "branch", "org-admin": "branch"}
_SELLERS: Final[Row] = {"platform-admin": "branch", "partner-admin": "orgs"}

ACTIONS: Final[Mapping[str, Row]] = {
    # P3, row by row
    "see numbers": _EVERYONE,
    "add numbers": {"platform-admin": "branch", "partner-admin": "branch", "org-admin": "external"},
    "reserve numbers": {"platform-admin": "branch", "platform-support": "branch", "partner-admin": "branch"},
    "assign numbers": _SELLERS,
    "allocate numbers": _SELLERS,
    "lock numbers": {"platform-admin": "branch", "platform-support": "branch", "partner-admin": "uploaded"},
    "delete numbers": {"platform-admin": "branch", "partner-admin": "uploaded", "org-admin": "uploaded"},
    "change numbers": {"platform-admin": "branch", "partner-admin": "held"},
    "bind numbers": {"platform-admin": "branch", "partner-admin": "orgs", "org-admin": "branch"},
    "allow external numbers": _SELLERS,
    "change policies": {"platform-admin": "branch"},
    # what the platform's import brings in: locks without end (N7), trunks' own forms of a number (R9)
    "import legacy records": {"platform-admin": "branch"},
    # P4, and the directory of P0
    "see parties": _EVERYONE,
    "change the platform": {"platform-admin": "branch"},
    "change partners": {"platform-admin": "branch"},
    "register organizations": {"platform-admin": "branch", "partner-admin": "branch"},
    "change organizations": _CHIEFS,
    "move organizations": {"platform-admin": "branch"},
    "change identities": _CHIEFS,
    "see subscriptions": _EVERYONE,
    "see licenses": _EVERYONE,
    "see extensions": {**_EVERYONE, "member": "own"},
    "change licenses": _CHIEFS,
    "publish billing events": {"platform-admin": "branch", "machine": "branch"},
    # P6
    "operate": {"platform-admin": "branch", "platform-support": "branch", "machine": "branch"},
}

_NEEDS_SCOPE: Final[Mapping[str, Scope]] = {
    "publish billing events": "billing:write",
    "see numbers": "projections:read",
    "see parties": "projections:read",
    "see subscriptions": "projections:read",
    "see licenses": "projections:read",
    "see extensions": "projections:read",
}


class NotAllowed(Refused):
    """The role {role} may not {action}{where}."""

    status: ClassVar[int] = 403


class ScopeMissing(Refused):
    """The token lacks the scope {scope}, which one needs to {action}."""

    status: ClassVar[int] = 403


class TokenOutdated(Refused):
    """The directory does not bear out the token any more: {why}."""

    status: ClassVar[int] = 403


class NothingThere(Refused):
    """There is nothing of this kind under {key}."""

    status: ClassVar[int] = 404


@dataclass(frozen=True)
class Resource:
    """What is asked for.

    Attributes:
        unknown: raised where it is outside the asker's branch: the same as where it does not exist.
        parties: whose it is; none: the platform's own.
        holder_id: the party whose to use or resell it is.
        uploader_id: the party that brought it in; None: the platform.
        offered: the asker sees it though it is nobody's of its branch (an Available number).
        external: its organization is allowed external numbers (R6).
        user_id: the person it serves; None: nobody.
        exists: whether there is such a thing at all; what does not exist is unknown to everybody.
    """

    unknown: Refused
    parties: tuple[str | None, ...] = ()
    holder_id: str | None = None
    uploader_id: str | None = None
    offered: bool = False
    external: bool = False
    user_id: str | None = None
    exists: bool = True


class Grant(msgspec.Struct, frozen=True):
    """One thing that a principal was let through to, as far as it must still hold when the answer is sent again.

    Attributes:
        action: a row of `ACTIONS`; None: the principal only sees it.
        parties, holder_id, uploader_id, offered, user_id: as in `Resource`.
        anything: no resource was named.
    """

    action: str | None
    parties: tuple[str | None, ...] = ()
    holder_id: str | None = None
    uploader_id: str | None = None
    offered: bool = False
    user_id: str | None = None
    anything: bool = False


_GRANTS: ContextVar[set[Grant] | None] = ContextVar("grants", default=None)


@contextmanager
def recording_grants() -> Iterator[set[Grant]]:
    """Collect what `authorize` and `visible` let through within the block, each once."""
    grants: set[Grant] = set()
    token = _GRANTS.set(grants)
    try:
        yield grants
    finally:
        _GRANTS.reset(token)


def authorize_again(branch: Branch, grants: Iterable[Grant], unknown: Refused) -> None:
    """Check what was granted once against the rights and the tree of now.

    Args:
        branch: of the principal that asks now.
        grants: as `recording_grants` collected them.
        unknown: raised where something is no longer in the branch.

    Raises:
        Refused: `unknown` (404), or NotAllowed, ScopeMissing, TokenOutdated as `authorize` raises them (403).
    """
    check_standing(branch)
    for grant in grants:
        if grant.anything:
            resource = None
        else:
            external = any(party is not None and branch.tree.allows_external(party) for party in grant.parties)
            resource = Resource(
                unknown,
                parties=grant.parties,
                holder_id=grant.holder_id,
                uploader_id=grant.uploader_id,
                offered=grant.offered,
                external=external,
                user_id=grant.user_id,
            )
        if grant.action is not None:
            authorize(branch, grant.action, resource)
        elif resource is not None and not visible(branch, resource):
            raise unknown


def _record(action: str | None, resource: Resource | None) -> None:
    grants = _GRANTS.get()
    if grants is None:
        return
    if resource is None:
        grants.add(Grant(action, anything=True))
        return
    r = resource
    grants.add(Grant(action, r.parties, r.holder_id, r.uploader_id, r.offered, r.user_id))


_AUTHORIZED: ContextVar[Callable[[], None] | None] = ContextVar("authorized", default=None)


def when_authorized(action: Callable[[], None] | None) -> None:
    """Have something done, in the present context, each time `authorize` has let a principal through.

    Args:
        action: may raise, and then `authorize` does; None: nothing any more.
    """
    _AUTHORIZED.set(action)


_KINDS: Final[Mapping[Role, tuple[str, ...]]] = {
    "partner-admin": ("partner",),
    "org-admin": ("organization",),
    "member": ("organization",),
    "machine": ("partner", "organization"),
}
_HELD_BY: Final[Mapping[Role, tuple[str, ...]]] = {
    "org-admin": ("owner", "admin"),
    "member": ("owner", "admin", "member"),
}
"""Which roles in an organization may have a token of a role: nobody has more rights than the directory gives."""


def check_standing(branch: Branch) -> None:
    """Hold a principal against the directory as it is now (P0, P1).

    A party must be of the kind that the role is for. A person of the directory must be in the party that the token
    names, must have a role that goes with the token's, and must not have left.

    Raises:
        TokenOutdated: as it says. What the service does not know (yet) is no reason.
    """
    p, tree = branch.principal, branch.tree
    if p.party_id is not None:
        kind = tree.kind_of(p.party_id)
        if kind is not None and kind not in _KINDS.get(p.role, ()):
            raise TokenOutdated(why=f"its party is no {' or '.join(_KINDS.get(p.role, ('party',)))}")
    if p.identity_id is None:
        return
    person = tree.person(p.identity_id)
    if person is None:
        if tree.knows_everybody and p.issuer != OWN_ISSUER:
            raise TokenOutdated(why="there is no such person")
    elif person.removed:
        raise TokenOutdated(why="the person has left")
    elif p.party_id != person.organization_id:
        raise TokenOutdated(why="the person is not of its party")
    elif person.role not in _HELD_BY.get(p.role, ()):
        raise TokenOutdated(why=f"the person is {person.role}, not {p.role}")


def visible(branch: Branch, resource: Resource) -> bool:
    """Whether the asker may know that the resource exists (P2)."""
    found = resource.exists and (resource.offered or branch.holds_any(resource.parties))
    if found:
        _record(None, resource)
    return found


def authorize(branch: Branch, action: str, resource: Resource | None = None) -> None:
    """The one gate of every door.

    Args:
        branch: the asker's.
        action: a row of `ACTIONS`.
        resource: what it is done to; None: nothing in particular yet (a list, which its branch then bounds).

    Raises:
        Refused: `resource.unknown` where the resource is outside the branch (404).
        NotAllowed, ScopeMissing: inside it, but not with this role or token (403).
        TokenOutdated: the directory knows the token's party or person otherwise (403).
    """
    principal = branch.principal
    check_standing(branch)
    if resource is not None and not visible(branch, resource):
        raise resource.unknown
    reach = ACTIONS[action].get(principal.role)
    if reach is None:
        raise NotAllowed(role=principal.role, action=action, where="")
    if action == "operate" and not principal.sees_all:  # what operators see is not cut along the tree
        raise NotAllowed(role=principal.role, action=action, where=" with a token of one party")
    scope: Scope | None = "operate" if action == "operate" else None
    if principal.role == "machine":
        scope = _NEEDS_SCOPE.get(action, "operate")
    if scope is not None and scope not in principal.scopes:
        raise ScopeMissing(scope=scope, action=action)
    if resource is not None and not principal.sees_all and not _reaches(branch, reach, resource):
        raise NotAllowed(role=principal.role, action=action, where=_WHERE[reach])
    _record(action, resource)
    if (then := _AUTHORIZED.get()) is not None:
        then()


_WHERE: Final[Mapping[Reach, str]] = {
    "branch": " outside its branch",
    "orgs": " other than its organizations'",
    "uploaded": " that its branch has not uploaded",
    "held": " that its party neither holds nor has uploaded",
    "external": " for an organization that is not allowed external numbers",
    "own": " other than its own",
}


def _reaches(branch: Branch, reach: Reach, resource: Resource) -> bool:
    match reach:
        case "branch":
            return branch.holds_any(resource.parties) or resource.offered
        case "orgs":
            return any(branch.below(party) for party in resource.parties)
        case "uploaded":
            return branch.holds(resource.uploader_id)
        case "held":
            return branch.principal.party_id in (resource.holder_id, resource.uploader_id)
        case "external":
            return branch.holds_any(resource.parties) and resource.external
        case "own":
            return resource.user_id is not None and branch.principal.person == resource.user_id
