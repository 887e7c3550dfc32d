"""When somebody has a token that was good once: the directory has changed since, or it was revoked (P0, P1, T3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from tests.http.world import Caller, World, created, later, problem
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.security.authorization import NotAllowed, NothingThere, Resource, TokenOutdated, authorize
from trunkline.security.principal import Principal
from trunkline.security.revocations import Revocations
from trunkline.security.tokens import TokenRefused, Tokens, Verified
from trunkline_licensing.application.visibility import branch_of


async def _person(world: World, role: str) -> str:
    body = {"name": "Ada", "email": f"{uuid4().hex}@org.example", "role": role}
    answer = await world.admin.post(f"/licensing/organizations/{world.east_org}/identities", body)
    found: str = created(answer)["identity_id"]
    await world.settle()
    return found


def _paths(world: World) -> tuple[str, ...]:
    """What an organization's administrator reads, at both services."""
    return (f"/licensing/organizations/{world.east_org}", "/licensing/subscriptions", "/numbers", "/numbers/refused")


async def _refused(world: World, by: Caller) -> None:
    for path in _paths(world):
        problem(await by.get(path), 403, "token-outdated")


async def test_a_person_who_has_left_has_no_rights_from_then_on(world: World) -> None:
    """P1: in licensing with the answer to the removal, in numbers once it has heard of it."""
    person = await _person(world, "admin")
    by = world.caller("org-admin", world.east_org, subject=person)
    for path in _paths(world):
        created(await by.get(path))
    removed = await world.admin("DELETE", f"/licensing/organizations/{world.east_org}/identities/{person}")
    assert removed.status_code == 204
    problem(await by.get(f"/licensing/organizations/{world.east_org}"), 403, "token-outdated")
    await world.settle()
    await _refused(world, by)


async def test_a_changed_role_counts_from_then_on(world: World) -> None:
    """P1: an admin who is a member now; a member's token shows them no less."""
    person = await _person(world, "admin")
    admin, member = (world.caller(role, world.east_org, subject=person) for role in ("org-admin", "member"))
    change = f"/licensing/organizations/{world.east_org}/identities/{person}"
    created(await world.admin("PATCH", change, json={"role": "member"}))
    await world.settle()
    await _refused(world, admin)
    extensions = f"/licensing/organizations/{world.east_org}/extensions"
    assert created(await member.get(extensions))["items"] == []
    created(await world.admin("PATCH", change, json={"role": "admin"}))
    await world.settle()
    created(await admin.get("/numbers"))


async def test_role_and_kind_of_party_must_fit(world: World) -> None:
    """P1, P2: an organization's administrator of a partner would have its whole branch."""
    for role, party in (("org-admin", world.east), ("member", world.east), ("partner-admin", world.east_org)):
        await _refused(world, world.caller(role, party))
    person = await _person(world, "admin")
    await _refused(world, world.caller("org-admin", world.west_org, subject=person))


async def test_a_revoked_token_is_believed_no_more(world: World) -> None:
    """T3, P6: by its id, at both services of the process at once; on record; other tokens go on."""
    jti = str(uuid4())
    by, other = (world.caller("platform-support", token_id=token_id) for token_id in (jti, None))
    created(await by.get("/numbers"))
    body = {"token_id": jti, "remark": "lost"}
    created(await world.admin.post("/licensing/operate/tokens/revoke", body))
    for path in ("/numbers", "/licensing/partners"):
        told = problem(await by.get(path), 401, "token-refused")
        assert "revoked" in told["detail"]
        created(await other.get(path))
    rows = created(await world.admin.get("/licensing/operate/audit"))["items"]
    newest = next(row for row in rows if row["command"] != "login")
    assert (newest["command"], newest["outcome"], newest["arguments"]["token_id"]) == ("token revoke", "done", jti)
    listed = created(await world.admin.get("/licensing/operate/tokens/revoked", params={"limit": 500}))["items"]
    assert jti in [r["token_id"] for r in listed]


async def test_all_tokens_of_a_subject_are_revoked_from_an_instant_on(world: World) -> None:
    """T3: what was issued before; what is issued after holds."""
    subject = f"eve-{uuid4().hex}"
    old = world.caller("platform-support", subject=subject)
    body = {"subject": subject}
    created(await world.admin.post("/numbers/operate/tokens/revoke", body))
    problem(await old.get("/numbers"), 401, "token-refused")
    tokens = Tokens.of(world.deployment.settings)
    tokens._now = lambda: later(2)  # the instant of a token has whole seconds
    new = Caller(world.app, tokens.issue("platform-support", subject=subject))
    created(await new.get("/numbers"))
    for wrong in ({}, {"subject": "a", "token_id": "b"}):
        problem(await world.admin.post("/numbers/operate/tokens/revoke", wrong), 422, "revoke-either-or")


async def test_another_copy_learns_of_a_revocation(world: World) -> None:
    """T3: from its own database, no later than a second after it looked last, and not at every request."""
    store = world.deployment.runtimes["numbers"].store
    now, subject = 0.0, f"eve-{uuid4().hex}"
    elsewhere = Revocations([store], lambda: now)
    token = Verified(Principal(subject, "machine", token_id="x"), datetime.now(UTC).timestamp() - 60)
    elsewhere.check(token)
    created(await world.admin.post("/numbers/operate/tokens/revoke", {"subject": subject}))
    elsewhere.check(token)
    now = 1.0
    with pytest.raises(TokenRefused, match="revoked"):
        elsewhere.check(token)


async def test_a_member_of_an_issuer_sees_their_own_extension(world: World) -> None:
    """P4: the claim that names the person is held against the directory; one it does not know has no rights."""
    person = await _person(world, "member")
    member = Principal("https://i.example#7", "member", world.east_org, issuer="https://i.example", identity_id=person)
    store, org = world.deployment.runtimes["licensing"].store, world.east_org
    uow = UnitOfWork(store, datetime.now(UTC))
    own = Resource(NothingThere(key="x"), parties=(org,), user_id=person)
    authorize(branch_of(uow, member), "see extensions", own)
    with pytest.raises(NotAllowed):
        authorize(branch_of(uow, member), "see extensions", replace(own, user_id=str(uuid4())))
    with pytest.raises(TokenOutdated, match="no such person"):
        authorize(branch_of(uow, replace(member, identity_id=str(uuid4()))), "see extensions", own)


async def test_every_refusal_leaves_a_line_with_the_subject(world: World) -> None:
    """P6: 401 with whom the token claims to be, 403 with who it is."""
    with capture_logs() as lines:
        problem(await world.caller("org-admin", world.east_org, subject="eve").get("/numbers/operate/audit"), 403)
        expired = world.tokens.issue("platform-admin", subject="mallory", ttl=timedelta(hours=-2))
        problem(await Caller(world.app, expired).get("/numbers"), 401, "token-refused")
        problem(await world.nobody().get("/numbers"), 401, "token-missing")
    told = [(line["status"], line["code"], line.get("subject"), line.get("claimed_subject")) for line in lines]
    assert told == [
        (403, "not-allowed", "eve", None),
        (401, "token-refused", None, "mallory"),
        (401, "token-missing", None, None),
    ]
