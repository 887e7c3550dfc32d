"""When a role acts on something: the table of DOMAIN P3 as data, read by one function (P1 to P4, P6)."""

from __future__ import annotations

import pytest

from trunkline.roles import Role
from trunkline.security.authorization import NotAllowed, NothingThere, Resource, ScopeMissing, authorize
from trunkline.security.permissions import ACTIONS
from trunkline.security.principal import Branch, EmptyTree, Principal

PARTNER, ORG, OTHER, OTHER_ORG = "partner", "org", "other", "other-org"


class Tree(EmptyTree):
    """Two partners with an organization each."""

    def partner_of(self, organization_id: str) -> str | None:
        return {ORG: PARTNER, OTHER_ORG: OTHER}.get(organization_id)


ASKERS: dict[str, Principal] = {
    "platform-admin": Principal("a", "platform-admin", None, frozenset({"operate"})),
    "platform-support": Principal("s", "platform-support", None, frozenset({"operate"})),
    "partner-admin": Principal("p", "partner-admin", PARTNER),
    "org-admin": Principal("o", "org-admin", ORG),
    "member": Principal("m", "member", ORG),
    "machine": Principal("b", "machine", None, frozenset({"billing:write", "projections:read"})),
}
UNKNOWN = NothingThere(key="it")
ORGS = Resource(UNKNOWN, parties=(ORG,), holder_id=ORG, uploader_id=ORG)
PARTNERS = Resource(UNKNOWN, parties=(PARTNER,), holder_id=PARTNER, uploader_id=PARTNER)
PLATFORMS = Resource(UNKNOWN, parties=(ORG, PARTNER), holder_id=ORG, uploader_id=None)
OFFERED = Resource(UNKNOWN, offered=True)
EXTERNAL = Resource(UNKNOWN, parties=(ORG,), external=True)

P3 = {
    # action: who may with what is: the organization's, the partner's, the platform's upload but theirs to use, offered
    "see numbers": ("as p o", "as p", "as p o", "as p o"),
    "reserve numbers": ("as p", "as p", "as p", "as p"),
    "assign numbers": ("a p", "a", "a p", "a"),
    "allocate numbers": ("a p", "a", "a p", "a"),
    "lock numbers": ("as p", "as p", "as", "as"),
    "delete numbers": ("a p o", "a p", "a", "a"),
    "change numbers": ("a", "a p", "a", "a"),
    "bind numbers": ("a p o", "a", "a p o", "a o"),
    "allow external numbers": ("a p", "a", "a p", "a"),
    "change policies": ("a", "a", "a", "a"),
    "import legacy records": ("a", "a", "a", "a"),
}
INITIALS: dict[str, Role] = {
    "a": "platform-admin",
    "s": "platform-support",
    "p": "partner-admin",
    "o": "org-admin",
}


def _may(role: str, action: str, resource: Resource | None) -> bool:
    try:
        authorize(Branch(ASKERS[role], Tree()), action, resource)
    except (NotAllowed, NothingThere, ScopeMissing):
        return False
    return True


@pytest.mark.parametrize(("action", "rows"), P3.items())
def test_it_may_what_the_table_says_and_nothing_else(action: str, rows: tuple[str, ...]) -> None:
    """P3: what is not listed is not allowed."""
    for resource, allowed in zip((ORGS, PARTNERS, PLATFORMS, OFFERED), rows, strict=True):
        expected = {INITIALS[letter] for letter in allowed.replace(" ", "")}
        found = {role for role in INITIALS.values() if _may(role, action, resource)}
        assert found == expected, (action, resource)
        assert not _may("member", action, resource)


def test_external_numbers_are_added_where_they_are_allowed() -> None:
    """P3, R6."""
    assert {role for role in ASKERS if _may(role, "add numbers", ORGS)} == {"platform-admin", "partner-admin"}
    assert _may("org-admin", "add numbers", EXTERNAL)


@pytest.mark.parametrize("action", [a for a in ACTIONS if a != "operate"])
def test_outside_the_branch_there_is_nothing_whatever_the_role(action: str) -> None:
    """P2: 404 comes before 403, so that nobody learns from the difference."""
    foreign = Resource(UNKNOWN, parties=(OTHER_ORG, OTHER), holder_id=OTHER, uploader_id=OTHER)
    for role in ("partner-admin", "org-admin", "member"):
        for resource in (foreign, Resource(UNKNOWN, parties=(None,)), Resource(UNKNOWN, parties=(ORG,), exists=False)):
            with pytest.raises(NothingThere):
                authorize(Branch(ASKERS[role], Tree()), action, resource)
    with pytest.raises(NothingThere):
        authorize(Branch(ASKERS["platform-admin"], Tree()), action, Resource(UNKNOWN, exists=False))


def test_machines_do_what_their_scopes_say() -> None:
    """P1: no role of a machine's own; what no scope is for, it may not."""
    bare = Principal("b", "machine")
    for action, scope in (("publish billing events", "billing:write"), ("see numbers", "projections:read")):
        with pytest.raises(ScopeMissing, match=scope):
            authorize(Branch(bare, Tree()), action)
        authorize(Branch(ASKERS["machine"], Tree()), action)
    assert {action for action in ACTIONS if _may("machine", action, None)} == {
        "see numbers",
        "see parties",
        "see subscriptions",
        "see licenses",
        "see extensions",
        "publish billing events",
    }


def test_licenses_are_the_chiefs_and_a_member_sees_its_own_extension() -> None:
    """P4: owner and admin for their organization, the partner and the platform above it; members read their own."""
    mine = Resource(UNKNOWN, parties=(ORG,), user_id="m")
    others, nobodys = Resource(UNKNOWN, parties=(ORG,), user_id="x"), Resource(UNKNOWN, parties=(ORG,))
    chiefs = {"platform-admin", "partner-admin", "org-admin"}
    assert {role for role in ASKERS if _may(role, "change licenses", mine)} == chiefs
    assert {role for role in ASKERS if _may(role, "see licenses", mine)} == chiefs | {"platform-support", "machine"}
    assert {role for role in ASKERS if _may(role, "see extensions", mine)} == set(ASKERS)
    for resource in (others, nobodys):
        assert {role for role in ASKERS if _may(role, "see extensions", resource)} == set(ASKERS) - {"member"}


def test_operators_need_the_scope_and_the_whole_tree() -> None:
    """P6."""
    assert _may("platform-admin", "operate", None)
    assert _may("platform-support", "operate", None)
    assert not _may("machine", "operate", None)
    with pytest.raises(ScopeMissing, match="operate"):
        authorize(Branch(Principal("a", "platform-admin"), Tree()), "operate")
    with pytest.raises(NotAllowed):
        authorize(Branch(Principal("b", "machine", PARTNER, frozenset({"operate"})), Tree()), "operate")
