"""Authorization: `authorize` is the one function that reads the table of permissions (P2 to P4, P6).

Outside the principal's branch there is nothing (404), inside it the table decides (403).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from trunkline.errors import Refused
from trunkline.roles import Role, Scope
from trunkline.security.permissions import ACTIONS, NEEDS_SCOPE, Reach
from trunkline.security.principal import OWN_ISSUER, Branch


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
        scope = NEEDS_SCOPE.get(action, "operate")
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
