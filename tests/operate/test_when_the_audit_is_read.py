"""When somebody asks what operators did: nothing of it is missing, refused or not (P6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from tests.http.world import Json, World, created, problem
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.failed_items import cause_of
from trunkline.runtime.retention import Retention
from trunkline.security.audit_log import list_audit
from trunkline.security.key_journal import JOURNAL, note, take_over
from trunkline.text import storable

OPERATE = "/numbers/operate"


def _newest(world: World, count: int = 1) -> list[tuple[str, str, str]]:
    store = world.deployment.runtimes["numbers"].store
    return [(r.actor, r.command, r.outcome) for r in list_audit(store, count)][::-1]


async def test_a_command_that_never_gets_to_its_handler_is_on_record(world: World) -> None:
    """P6: without the scope, malformed, with a body that is none."""
    eve = world.caller("platform-support", subject="eve")
    problem(await eve.post(f"{OPERATE}/clock/advance", {"by": "1d"}), 403, "scope-missing")
    assert _newest(world) == [("user:eve", f"POST {OPERATE}/clock/advance", "refused: scope-missing")]
    ops = world.caller("platform-admin", scopes=("operate",), subject="ops")
    for body in ({"by": 1}, {}, {"by": "1d", "x": "y"}):
        problem(await ops.post(f"{OPERATE}/clock/advance", body), 422, "request-invalid")
        assert _newest(world) == [("user:ops", f"POST {OPERATE}/clock/advance", "refused: request-invalid")]
    problem(await ops("POST", f"{OPERATE}/clock/set", content=b"{"), 415)
    assert _newest(world) == [("user:ops", f"POST {OPERATE}/clock/set", "refused: request-invalid")]


async def test_a_command_that_its_handler_records_is_on_record_once(world: World) -> None:
    """P6: done and refused."""
    ops = world.caller("platform-admin", scopes=("operate",), subject="ops")
    await ops.get(f"{OPERATE}/doctor")
    created(await ops.post(f"{OPERATE}/clock/advance", {"by": "1s"}))
    problem(await ops.post(f"{OPERATE}/clock/advance", {"by": "soon"}), 422)
    assert _newest(world, 2) == [
        ("user:ops", "clock advance", "done"),
        ("user:ops", "clock advance", "refused: duration-unreadable"),
    ]


async def test_reading_streams_and_mail_is_on_record(world: World) -> None:
    """P6: what people wrote is read there; who follows the log is on record once."""
    (number,) = world.numbers(1)
    created(await world.add(number))
    ops = world.caller("platform-admin", scopes=("operate",), subject="reader")
    reads = (f"{OPERATE}/streams/number/{number}", f"{OPERATE}/mail", f"{OPERATE}/parked", f"{OPERATE}/log")
    for path in (*reads, f"{OPERATE}/log"):
        created(await ops.get(path))
    store = world.deployment.runtimes["numbers"].store
    rows = list_audit(store, 4)[::-1]
    assert [row.actor for row in rows] == ["user:reader"] * 4
    assert [row.command.removeprefix(f"GET {OPERATE}") for row in rows] == [
        "/streams/{category}/{key:path}",
        "/mail",
        "/parked",
        "/log",
    ]
    assert rows[0].arguments["key"] == number
    problem(await ops.get(f"{OPERATE}/streams/number/+6500000000"), 404)
    assert _newest(world)[0][2] == "refused: nothing-there"


async def test_what_postgresql_cannot_keep_is_on_record_written_out(world: World) -> None:
    """§9, P6: a null character in a value or in a name of a parameter, of requests that were refused or not."""
    ops = world.caller("platform-admin", scopes=("operate",), subject="ops")
    created(await ops.get(f"{OPERATE}/mail?n%00=v%00"))
    problem(await ops.get(f"{OPERATE}/log?limit=%00&n%00=1"), 422)
    refused = {"token_id": "t", "remark": "\0", "n\0": 1}
    problem(await ops.post(f"{OPERATE}/tokens/revoke", refused), 422)
    rows = list_audit(world.deployment.runtimes["numbers"].store, 3)[::-1]
    assert rows[0].arguments == {"n␀": "v␀"}
    assert rows[1].arguments == {"limit": "␀", "n␀": "1"}
    assert [row.outcome for row in rows] == ["done", "refused: request-invalid", "refused: request-invalid"]


def test_what_is_kept_as_it_came_can_be_stored() -> None:
    """§9: in a remark, an argument or the cause of a failure."""
    assert storable("a\0b\ud83dc😀") == "a␀b\\ud83dc😀"
    assert cause_of(ValueError("x\0\udfffy")) == "ValueError: x␀\\udfffy"


async def test_the_first_use_of_a_token_is_on_record(world: World) -> None:
    """P6: a login; a token that the command line makes for one command is none."""
    jti = str(uuid4())
    by = world.caller("partner-admin", world.east, subject="ada", token_id=jti)
    for _ in range(3):
        created(await by.get("/numbers"))
    first = world.deployment.runtimes["licensing"].store
    logins = [row for row in list_audit(first, 50) if row.command == "login" and row.arguments["token_id"] == jti]
    assert [(row.actor, row.arguments["party"]) for row in logins] == [("user:ada", world.east)]
    command = str(uuid4())
    created(await world.caller("platform-admin", token_id=command, command=True).get("/numbers"))
    assert command not in [row.arguments.get("token_id") for row in list_audit(first, 50)]


async def test_what_is_done_with_the_key_alone_comes_into_the_audit(world: World, tmp_path: Path) -> None:
    """P6: issued tokens and rotations; each line once, however often it is looked, a torn one when it is whole."""
    folder = tmp_path
    store = world.deployment.runtimes["numbers"].store
    begin = store.positions("key journal").get("key journal") or 0
    (folder / JOURNAL).write_bytes(b" " * (begin - 1) + b"\n" if begin else b"")
    at, jti = datetime(2026, 3, 1, tzinfo=UTC), str(uuid4())
    note(folder, at, "account:ada", "token issue", token_id=jti)
    with (folder / JOURNAL).open("ab") as file:
        file.write(b'{"at": "2026')
    assert [take_over(store, folder) for _ in range(3)] == [1, 0, 0]
    (row,) = [r for r in list_audit(store, 20) if r.arguments.get("token_id") == jti]
    assert (row.at, row.actor, row.command, row.outcome) == (at, "account:ada", "token issue", "done")
    with (folder / JOURNAL).open("ab") as file:
        file.write(b'-03-01T00:00:00Z", "actor": "a", "command": "token rotate", "arguments": {}}\n')
    assert take_over(store, folder) == 1


# -- retention --------------------------------------------------------------------------------------------------------


def _row(store: Store, sql: str, *params: object) -> Json:
    with store.connection() as conn:
        return conn.execute(sql.encode(), params)


async def test_what_only_grows_is_removed_when_its_time_is_over(world: World) -> None:
    """O7, S3: answers, mail, settled messages and revocations; not what waits for somebody, nor what was processed."""
    runtime = world.deployment.runtimes["numbers"]
    store, now = runtime.store, runtime.clock.now()
    mark, old, young = uuid4().hex, now - timedelta(days=366), now - timedelta(days=29)
    inbox = "INSERT INTO inbox (source, id, payload_hash, received_at, answer) VALUES (%s, %s, %s, %s, %s)"
    mail = "INSERT INTO mail (key, subject, body, created_at, state) VALUES (%s, 's', 'b', %s, %s)"
    for name, at in (("old", old), ("young", young)):
        _row(store, inbox, f"http/{mark}", name, b"h", at, b"{}")
        _row(store, inbox, f"billing:{mark}", name, b"h", at, None)
        for state in ("sent", "failed"):
            _row(store, mail, f"{mark}/{name}/{state}", at, state)
        revoked = "INSERT INTO token_revocations (subject, not_before, revoked_at, revoked_by, remark)"
        _row(store, revoked + " VALUES (%s, %s, %s, 'me', '')", f"{mark}/{name}", at, at)
    retention = Retention(store, runtime.clock, runtime.settings, runtime.leader_election)
    retention.remove(now, now)
    kept = store.fetch("SELECT source || '/' || id FROM inbox WHERE source LIKE %s ORDER BY 1", (f"%{mark}",))
    assert [row[0] for row in kept] == [f"billing:{mark}/old", f"billing:{mark}/young", f"http/{mark}/young"]
    kept = store.fetch("SELECT key FROM mail WHERE key LIKE %s ORDER BY 1", (f"{mark}%",))
    assert [row[0].removeprefix(f"{mark}/") for row in kept] == ["old/failed", "young/failed", "young/sent"]
    kept = store.fetch("SELECT subject FROM token_revocations WHERE subject LIKE %s", (f"{mark}%",))
    assert [row[0] for row in kept] == [f"{mark}/young"]
    assert retention.remove(now, now) == 0
