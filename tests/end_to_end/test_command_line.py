"""When a command is typed: what it says to people and to programs, and the code it leaves with (O1, O2, O3, O6, O7)."""

from __future__ import annotations

import importlib.metadata
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.shell import Shell, event

PARTNER = ("--owner-email", "owner@partner.example", "--support-email", "help@partner.example")
LISTING = ("--vendor", "Carrier", "--country", "GB", "--sku", "GB-LONDON")
Environment = pytest.MonkeyPatch


@pytest.fixture
def alone(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Environment) -> Shell:
    """Commands typed where nothing runs, and nothing has."""
    monkeypatch.setenv("TRUNKLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRUNKLINE_URL", "http://127.0.0.1:9")
    return Shell(capsys)


def partner(shell: Shell) -> str:
    """A new partner's id."""
    return str(shell.json("party", "register", "partner", "--name", "Meridian", *PARTNER)["partner_id"])


def organization(shell: Shell, partner_id: str) -> str:
    """A new organization's id."""
    given = ("--name", "Harbour", "--billing-email", "billing@harbour.example", "--partner", partner_id)
    return str(shell.json("party", "register", "organization", *given)["organization_id"])


_places = iter(range(1, 1_000))


def number(shell: Shell) -> str:
    """A new number, nobody's yet."""
    fresh = f"+442079460{next(_places):03d}"
    assert shell.json("number", "add", fresh, *LISTING)["added"] == 1
    return fresh


def file_of(path: Path, *events: dict[str, Any] | str) -> str:
    """A file of events, one a line; a text stands as it is."""
    path.write_text("".join(f"{e if isinstance(e, str) else json.dumps(e)}\n" for e in events), "utf-8")
    return str(path)


def now(shell: Shell) -> datetime:
    """What time it is for the services."""
    return datetime.fromisoformat(shell.json("clock", "show")["numbers"]["now"])


def eventually(look: Callable[[], bool]) -> None:
    """Look until it is so; numbers hears of things a moment after licensing."""
    assert any(look() for _ in range(1_000)), "it never came to be so"


def assigned(shell: Shell, tmp_path: Path) -> tuple[str, str, str]:
    """A number assigned to a subscription of a new organization: number, subscription, organization."""
    org, e164, subscription = organization(shell, partner(shell)), number(shell), str(uuid4())
    at = now(shell) - timedelta(hours=1)
    started = event("started", subscription, org, at, product="number", number=e164, sku="GB-LONDON")
    assert shell.json("billing", "publish", file_of(tmp_path / "start.jsonl", started))["accepted"] == 1
    eventually(lambda: shell.json("number", "show", e164)["state"] == "assigned")
    return e164, subscription, org


# -- help and usage -----------------------------------------------------------------------------------------------


def all_commands() -> list[tuple[str, ...]]:
    """Every command and group there is, found by walking the help's own tree."""
    import typer

    from trunkline.cli.main import _app

    found: list[tuple[str, ...]] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        found.append(path)
        for name, below in getattr(command, "commands", {}).items():
            walk(below, (*path, name))

    walk(typer.main.get_command(_app()), ())
    return found


@pytest.mark.parametrize("path", all_commands(), ids=" ".join)
def test_then_its_help_says_what_it_does(alone: Shell, path: tuple[str, ...]) -> None:
    """O1: --help of every command, and every verb takes --json."""
    said = alone.text(*path, "--help")
    assert f"Usage: {' '.join(('trunkline', *path))}" in said
    assert "--json" in said or "Commands" in said or "COMMAND" in said


def test_then_it_says_which_version_it_is(alone: Shell) -> None:
    """O1: that of the installed distribution."""
    assert alone.text("--version") == f"trunkline {importlib.metadata.version('trunkline')}\n"


@pytest.mark.parametrize(
    "argv",
    [
        ("nonsense",),
        ("number",),
        ("number", "show"),
        ("number", "show", "+442079460001", "--as-of", "yesterday"),
        ("number", "show", "+442079460001", "--as-of", "2026-01-01T00:00:00"),
        ("number", "add", "+442079460001"),
        ("token", "issue", "--role", "king"),
        ("token", "issue", "--role", "org-admin"),
        ("party", "show", "not-a-uuid", "--organization", "3466261f-9a93-43c2-851f-4050529fdaa6"),
        ("party", "list", "identities"),
        ("party", "change", "partner", "3466261f-9a93-43c2-851f-4050529fdaa6"),
        ("stream", "show", "number"),
        ("stream", "follow", "--after", "3"),
        ("billing", "publish", "/there/is/no/such.file"),
        ("billing", "validate", "/there/is/no/such.file"),
        ("topics", "create"),
        ("clock", "set", "tomorrow"),
        ("clock", "show", "--url", "nowhere"),
        ("mail", "list", "--limit", "0"),
    ],
    ids=" ".join,
)
def test_then_wrong_usage_ends_with_2(alone: Shell, argv: tuple[str, ...]) -> None:
    """O1: 2 and a sentence on stderr, nothing on stdout."""
    done = alone(*argv)
    assert done.code == 2
    assert done.out == "" or argv == ("number",)
    assert done.err or argv == ("number",)


def test_then_a_bad_setting_ends_with_2_and_its_name(alone: Shell, monkeypatch: Environment) -> None:
    """A bad value names the variable, what it got and what it takes."""
    monkeypatch.setenv("TRUNKLINE_HTTP_PORT", "eighty")
    done = alone("clock", "show")
    assert done.code == 2
    assert "TRUNKLINE_HTTP_PORT is 'eighty'; it takes a port" in done.err


@pytest.mark.parametrize(
    "argv",
    [
        ("clock", "show"),
        ("clock", "advance", "1d"),
        ("number", "show", "+442079460001"),
        ("number", "refused"),
        ("party", "list", "partners"),
        ("subscription", "list"),
        ("billing", "waiting"),
        ("stream", "show", "number/+442079460001"),
        ("stream", "follow"),
        ("projection", "list"),
        ("projection", "verify", "number_view"),
        ("mail", "list"),
        ("deadletter", "list"),
        ("audit",),
        ("doctor",),
        ("doctor", "--reconcile"),
    ],
    ids=" ".join,
)
def test_then_with_nothing_running_it_ends_with_4(alone: Shell, argv: tuple[str, ...], tmp_path: Path) -> None:
    """O1: 4, a sentence that says what to start, and no home made by asking."""
    done = alone(*argv)
    assert done.code == 4
    assert "trunkline up" in done.err + done.out
    assert not (tmp_path / "home").exists()
    assert isinstance(alone(*argv, "--json").json, dict)


def test_then_a_service_that_is_not_trunkline_is_told_apart(alone: Shell) -> None:
    """O1: what answers as something else is as good as nothing."""
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        done = alone("party", "list", "partners", "--url", f"http://127.0.0.1:{other.server_port}")
        other.shutdown()
    assert done.code == 4
    assert "not as Trunkline does" in done.err


# -- tokens -------------------------------------------------------------------------------------------------------


def test_then_a_token_is_good_for_what_it_was_issued_for(shell: Shell) -> None:
    """P1, P2: a partner's token sees its own branch and nothing of another."""
    mine, other = partner(shell), partner(shell)
    token = shell.json("token", "issue", "--role", "partner-admin", "--party", mine)["token"]
    assert shell.text("token", "issue", "--role", "partner-admin", "--party", mine).count(".") == 2
    listed = shell.json("party", "list", "partners", "--token", token)["items"]
    assert [p["partner_id"] for p in listed] == [mine]
    refused = shell("party", "show", other, "--token", token)
    assert (refused.code, refused.out) == (1, "")


def test_then_a_token_is_revoked_by_its_id_or_its_subject(shell: Shell) -> None:
    """T3: from the command on, in both services; others of the same subject hold where one is named by its id."""
    issue = ("token", "issue", "--role", "platform-admin", "--scope", "operate", "--subject", "gone")
    first, second = shell.json(*issue), shell.json(*issue)
    assert "is believed no more" in shell.text("token", "revoke", "--jti", first["jti"], "--remark", "lost")
    refused = shell("audit", "--token", first["token"])
    assert (refused.code, "revoked" in refused.err) == (1, True), refused.err
    assert shell("audit", "--token", second["token"]).code == 0
    assert "is believed no more" in shell.text("token", "revoke", "--subject", "gone")
    assert shell("audit", "--token", second["token"]).code == 1
    assert shell("token", "revoke").code == 2
    assert shell("token", "revoke", "--jti", "x", "--subject", "y").code == 2


def test_then_keys_are_rotated_while_the_services_run(shell: Shell) -> None:
    """T3: what the old key signed is believed until the overlap ends, what the new one signs at once."""
    token = shell.json("token", "issue", "--role", "platform-admin", "--scope", "operate")["token"]
    before = {key["kid"] for key in shell.json("token", "keys")["keys"]}
    rotated = shell.json("token", "rotate")
    assert rotated["kid"] not in before
    assert {key["kid"] for key in shell.json("token", "keys")["keys"]} == before | {rotated["kid"]}
    assert shell("audit").code == 0
    assert shell("audit", "--token", token).code == 0
    assert "signs from now on" in shell.text("token", "rotate", "--overlap-days", "0")
    assert shell("audit").code == 0
    token = shell.json("token", "issue", "--role", "platform-admin", "--scope", "operate")["token"]
    assert shell("audit", "--token", token).code == 0


def test_then_a_token_without_the_scope_does_not_operate(shell: Shell) -> None:
    """P6: operators' commands need the scope."""
    token = shell.json("token", "issue", "--role", "platform-admin")["token"]
    done = shell("mail", "list", "--token", token)
    assert done.code == 1
    assert "operate" in done.err
    assert shell("mail", "list", "--token", token, "--json").json["code"] == "scope-missing"


# -- parties ------------------------------------------------------------------------------------------------------


def test_then_parties_are_registered_shown_listed_and_changed(shell: Shell) -> None:
    """P0: the whole directory, by people and by programs."""
    assert "Platform" in shell.text("party", "register", "platform", "--name", "The Platform", *PARTNER)
    assert shell.json("party", "show", "platform")["name"] == "The Platform"
    top = partner(shell)
    org = organization(shell, top)
    assert shell.json("party", "show", top)["name"] == "Meridian"
    assert "billing@harbour.example" in shell.text("party", "show", org)
    assert shell.json("party", "change", "organization", org, "--name", "Harbour 2")["name"] == "Harbour 2"
    assert shell.json("party", "change", "partner", top, "--domain", "p.example")["domains"] == ["p.example"]
    person = shell.json(
        *("party", "register", "identity", "--organization", org),
        *("--name", "Ada", "--email", "ada@harbour.example", "--role", "owner"),
    )
    changed = shell.json(
        *("party", "change", "identity", person["identity_id"], "--organization", org, "--name", "Ada L."),
    )
    assert changed["name"] == "Ada L."
    assert shell.json("party", "show", person["identity_id"], "--organization", org)["role"] == "owner"
    assert "Ada L." in shell.text("party", "list", "identities", "--organization", org)
    assert "Harbour 2" in shell.text("party", "list", "organizations", "--limit", "1000")
    found = shell.json("party", "list", "partners", "--limit", "1")
    assert len(found["items"]) == 1
    assert found["total_is"] == "exact"


def test_then_a_party_and_a_file_can_be_tried_first(shell: Shell, tmp_path: Path) -> None:
    """O1: `--dry-run` decides the same and records nothing."""
    top = partner(shell)
    org = organization(shell, top)
    changed = shell.json("party", "change", "organization", org, "--name", "Harbour 3", "--dry-run")
    assert changed["name"] == "Harbour 3"
    said = shell.text("party", "change", "organization", org, "--name", "Harbour 3", "--dry-run")
    assert said.startswith("Nothing was done. It would be so:")
    assert shell.json("party", "show", org)["name"] != "Harbour 3"
    person = ("--name", "Ada", "--email", "ada@harbour.example", "--role", "member", "--dry-run")
    ghost = shell.json("party", "register", "identity", "--organization", org, *person)
    assert shell("party", "show", ghost["identity_id"], "--organization", org).code == 1
    subscription = str(uuid4())
    facts = {"product": "did_reservation", "quantity": 1, "plan_days": 30}
    events = file_of(tmp_path / "events", event("started", subscription, org, now(shell), **facts))
    assert shell.json("billing", "publish", events, "--dry-run")["accepted"] == 1
    assert shell("subscription", "show", subscription).code == 1
    assert shell.json("billing", "publish", events)["accepted"] == 1


def test_then_an_unknown_party_ends_with_1(shell: Shell) -> None:
    """O1: refused is 1, with the sentence of the problem details."""
    done = shell("party", "show", str(uuid4()))
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1


# -- numbers ------------------------------------------------------------------------------------------------------


def test_then_numbers_are_added_one_by_one(shell: Shell) -> None:
    """N12: a bad one does not spoil the others; 3 says that some were refused, 1 that all were."""
    fresh = f"+442079460{next(_places):03d}"
    done = shell("number", "add", f"{fresh},12", fresh, *LISTING)
    assert done.code == 3
    assert "too short" in done.out
    assert "2 of 3 numbers were refused." in done.err
    assert shell("number", "add", "12", *LISTING).code == 1


def test_then_a_number_is_shown_now_and_as_it_was(shell: Shell, tmp_path: Path) -> None:
    """N13: now, as of an instant, and everything that happened."""
    e164, subscription, org = assigned(shell, tmp_path)
    assert org in shell.text("number", "show", e164)
    assert shell.json("number", "show", e164)["subscription_id"] == subscription
    before = shell("number", "show", e164, "--as-of", "2020-01-01")
    assert before.code == 1
    history = shell.json("number", "history", e164)["items"]
    assert [h["event"] for h in history] == ["NumberAdded", "NumberAssigned"]
    assert "NumberAssigned" in shell.text("number", "history", e164)
    assert "1 of 2; --limit shows more." in shell.text("number", "history", e164, "--limit", "1")


def test_then_a_refused_assignment_is_listed(shell: Shell, tmp_path: Path) -> None:
    """S6: a subscription that names a number nobody knows waits for it, in sight."""
    org, subscription = organization(shell, partner(shell)), str(uuid4())
    wanted = f"+442079460{next(_places):03d}"
    started = event("started", subscription, org, now(shell), product="number", number=wanted, sku="GB-LONDON")
    shell.json("billing", "publish", file_of(tmp_path / "events", started))
    eventually(lambda: wanted in [r["number"] for r in shell.json("number", "refused")["items"]])
    assert wanted in shell.text("number", "refused")
    said = shell.text("subscription", "show", subscription)
    assert ("number sold" in said, "no, since" in said, "holds" in said) == (True, True, False)
    assert subscription in shell.text("doctor")


# -- billing ------------------------------------------------------------------------------------------------------


def test_then_a_file_is_published_once_whatever_is_repeated(shell: Shell, tmp_path: Path) -> None:
    """S1, S3: accepted, then duplicates; the same id saying something else is put aside and reported."""
    e164, subscription, org = assigned(shell, tmp_path)
    expired = event("expired", subscription, org, now(shell))
    file = file_of(tmp_path / "events", expired, expired)
    first = shell.json("billing", "publish", file)
    assert (first["accepted"], first["duplicate"]) == (1, 1)
    assert "2 events: 2 duplicate." in shell.text("billing", "publish", file)
    other = expired | {"time": (now(shell) - timedelta(minutes=1)).isoformat()}
    unread = {"specversion": "1.0"}
    done = shell("billing", "publish", file_of(tmp_path / "mixed", "not json", expired, other, unread))
    assert done.code == 3
    assert "3 of 4 events are not taken." in done.err
    told = shell("billing", "publish", str(tmp_path / "mixed"), "--json").json
    assert [(f["line"], f["code"]) for f in told["findings"]] == [
        (1, "not-json"),
        (3, "quarantined"),
        (4, "attribute-missing"),
    ]
    aside = shell.json("billing", "quarantined", "--limit", "1000")["items"]
    assert [q["subject"] for q in aside if q["event_id"] == expired["id"]] == [subscription]
    assert subscription in shell.text("billing", "quarantined", "--limit", "1000")
    assert shell.json("number", "show", e164)["state"] in ("assigned", "reserved")


def test_then_a_file_of_nothing_good_ends_with_1(shell: Shell, tmp_path: Path) -> None:
    """O1: nothing was done: 1."""
    assert shell("billing", "publish", file_of(tmp_path / "events", "not json")).code == 1


def test_then_facts_that_wait_are_listed(shell: Shell, tmp_path: Path) -> None:
    """S7: a fact about an organization that nobody knows yet."""
    subscription, org = str(uuid4()), str(uuid4())
    started = event("started", subscription, org, now(shell), product="number", number="+442079460999", sku="S")
    assert shell.json("billing", "publish", file_of(tmp_path / "events", started))["waiting"] == 1
    waiting = shell.json("billing", "waiting", "--limit", "1000")["items"]
    assert f"party/{org}" in [w["awaited"] for w in waiting]
    assert subscription in shell.text("billing", "waiting", "--limit", "1000")


def test_then_more_events_than_a_batch_holds_are_all_sent(shell: Shell, tmp_path: Path) -> None:
    """S1: batches of up to 500, in the order of the file."""
    org, at = str(uuid4()), now(shell)
    events = [event("expired", str(uuid4()), org, at) for _ in range(1_001)]
    assert shell.json("billing", "publish", file_of(tmp_path / "many", *events))["waiting"] == 1_001


def test_then_a_subscription_is_shown_with_every_fact(shell: Shell, tmp_path: Path) -> None:
    """S2: what billing's facts come to, and what became of each."""
    e164, subscription, org = assigned(shell, tmp_path)
    found = shell.json("subscription", "show", subscription)
    assert (found["status"], [f["verdict"] for f in found["facts"]]) == ("active", ["accepted"])
    assert found["in_numbers"]["numbers"] == [e164]
    assert e164 in shell.text("subscription", "show", subscription)
    eventually(lambda: shell.json("subscription", "list", "--organization", org)["total"] == 1)
    listed = shell.json("subscription", "list", "--organization", org, "--status", "active", "--product", "number")
    assert [s["number"] for s in listed["items"]] == [e164]
    assert subscription in shell.text("subscription", "list", "--number", e164)
    assert shell("subscription", "show", str(uuid4())).code == 1


# -- operators ----------------------------------------------------------------------------------------------------


def test_then_the_clock_moves_ahead_and_never_back(shell: Shell) -> None:
    """O6: both services' clock, by a length or to an instant."""
    before = now(shell)
    moved = shell.json("clock", "advance", "1d12h")
    assert {datetime.fromisoformat(c["now"]) - before >= timedelta(days=1.5) for c in moved.values()} == {True}
    there = (now(shell) + timedelta(days=1)).astimezone(UTC).replace(microsecond=0)
    shell.text("clock", "set", there.isoformat())
    assert now(shell) >= there
    assert "ahead of the machine" in shell.text("clock", "show")
    back = shell("clock", "set", before.isoformat())
    assert back.code == 1
    assert "never goes back" in back.err
    assert shell("clock", "advance", "soon").code == 1


def test_then_a_notice_can_be_read(shell: Shell, tmp_path: Path) -> None:
    """N5: listed, and shown whole by its key."""
    e164, subscription, org = assigned(shell, tmp_path)
    expired = event("expired", subscription, org, now(shell))
    shell.json("billing", "publish", file_of(tmp_path / "events", expired))
    eventually(lambda: shell.json("number", "show", e164)["state"] == "reserved")
    shell.json("clock", "advance", "49d")

    def mails() -> list[dict[str, Any]]:
        return [m for m in shell.json("mail", "list", "--state", "sent")["items"] if e164 in m["key"]]

    eventually(lambda: len(mails()) == 1)
    (mail,) = mails()
    assert mail["recipient"] == "billing@harbour.example"
    assert mail["key"] in shell.text("mail", "list")
    assert e164 in shell.text("mail", "show", mail["key"])
    assert shell("mail", "show", "no/such/mail").code == 1


def test_then_streams_are_shown_and_followed(shell: Shell, tmp_path: Path) -> None:
    """O2: the events of one stream, as of an instant, and all of a log as they happen."""
    e164, subscription, _ = assigned(shell, tmp_path)
    stream = f"number/{e164}"
    assert [e["version"] for e in shell.json("stream", "show", stream)["items"]] == [1, 2]
    assert "SubscriptionActivated" in shell.text("stream", "show", f"subscription/{subscription}")
    assert "numbers.SubscriptionHeard" not in shell.text("stream", "show", f"subscription/{subscription}")
    assert shell("stream", "show", stream, "--as-of", "2020-01-01").code == 1
    follow = ("stream", "follow", "--service", "numbers")
    followed = shell(*follow, "--after", "0", "--count", "3", "--json")
    assert [json.loads(line)["position"] for line in followed.out.splitlines()] == [1, 2, 3]
    before = str(shell.json("stream", "show", stream)["items"][0]["position"] - 1)
    assert f"NumberAdded  {stream}" in shell.text(*follow, "--after", before, "--count", "1")


def test_then_views_are_listed_verified_rebuilt_and_rolled_back(shell: Shell, tmp_path: Path) -> None:
    """O3: blue/green, equal to a fold from zero."""
    assigned(shell, tmp_path)
    names = {(p["service"], p["name"]) for p in shell.json("projection", "list")["items"]}
    assert ("numbers", "number_view") in names
    assert "number_view" in shell.text("projection", "list")
    assert shell.json("projection", "verify", "number_view")["differences"] == 0
    assert "all as the streams say" in shell.text("projection", "rebuild", "number_view")
    assert "is shown again" in shell.text("projection", "rollback", "number_view")
    assert shell("projection", "verify", "no_view").code == 1
    both = [name for service, name in names if (("numbers" if service == "licensing" else "licensing"), name) in names]
    for name in both[:1]:
        assert shell("projection", "verify", name).code == 2
        assert shell.json("projection", "verify", name, "--service", "licensing")["differences"] == 0


def test_then_there_are_no_dead_letters_without_a_broker(shell: Shell) -> None:
    """X6: the list is empty, and one that is not there is refused."""
    assert shell.json("deadletter", "list") == {"items": [], "more": False}
    assert shell.text("deadletter", "list") == "No dead letters.\n"
    assert shell("deadletter", "show", "numbers", "7").code == 1


def test_then_what_operators_do_is_on_record(shell: Shell) -> None:
    """P6: done and refused alike, with who did it."""
    shell.json("clock", "advance", "1s")
    shell("clock", "advance", "soon")
    outcomes = {(a["command"], a["outcome"]) for a in shell.json("audit")["items"]}
    refused = ("POST /licensing/operate/clock/advance", "refused: duration-unreadable")
    assert {("clock advance", "done"), refused} <= outcomes
    assert "clock advance" in shell.text("audit")


def test_then_the_doctor_finds_everything_well(shell: Shell) -> None:
    """O7: every check with what was found; what merely waits is no illness."""
    found = shell.json("doctor")
    assert found["well"] is True
    assert {"database", "relay", "timers", "schemas", "clocks"} <= {check["what"] for check in found["checks"]}
    assert "PostgreSQL" in shell.text("doctor")


def test_then_the_doctor_holds_the_two_services_against_each_other(shell: Shell, tmp_path: Path) -> None:
    """O7: whatever has been done to this home so far, nothing has drifted apart."""
    assigned(shell, tmp_path)
    found = shell.json("doctor", "--reconcile")
    assert (found["well"], found["reconciled"]["differences"], found["reconciled"]["moving"]) == (True, [], [])
    assert min(kind["compared"] for kind in found["reconciled"]["kinds"] if kind["kind"] in ("assigned", "party")) > 0
    assert "assigned numbers: all agree\n" in shell.text("doctor", "--reconcile")


# -- before anything runs -----------------------------------------------------------------------------------------


def test_then_databases_are_migrated_once(
    alone: Shell, new_database: Callable[..., str], monkeypatch: Environment
) -> None:
    """`migrate` prepares; a dry run only tells."""
    monkeypatch.setenv("TRUNKLINE_LICENSING_DATABASE_URL", new_database())
    monkeypatch.setenv("TRUNKLINE_NUMBERS_DATABASE_URL", new_database())
    told = alone.json("migrate", "--dry-run")
    assert told["dry_run"] is True
    assert alone.json("migrate")["applied"] == told["applied"]
    assert alone.json("migrate")["applied"] == {"licensing": [], "numbers": []}
    assert "at this version already" in alone.text("migrate")


def test_then_a_database_that_is_away_ends_with_4(alone: Shell, monkeypatch: Environment) -> None:
    """O1: could not reach something: 4, and no secret in the sentence."""
    for service in ("LICENSING", "NUMBERS"):
        monkeypatch.setenv(f"TRUNKLINE_{service}_DATABASE_URL", f"postgresql://u:s3cret@127.0.0.1:9/{service}")
    done = alone("migrate")
    assert done.code == 4
    assert "s3cret" not in done.err


def test_then_one_service_alone_asks_for_a_broker(
    capsys: pytest.CaptureFixture[str], new_database: Callable[..., str], tmp_path: Path, monkeypatch: Environment
) -> None:
    """`trunkline-numbers` runs one service, which has nobody to talk to without a broker."""
    from trunkline_numbers.__main__ import main

    monkeypatch.setenv("TRUNKLINE_HOME", str(tmp_path))
    monkeypatch.setenv("TRUNKLINE_NUMBERS_DATABASE_URL", new_database())
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert "TRUNKLINE_KAFKA_BOOTSTRAP" in capsys.readouterr().err


def test_then_a_taken_port_is_told_in_a_sentence(alone: Shell, databases: Any, monkeypatch: Environment) -> None:
    """It refuses to start, naming the address; no traceback."""
    urls = databases.create(), databases.create()
    for service, url in zip(("LICENSING", "NUMBERS"), urls, strict=True):
        monkeypatch.setenv(f"TRUNKLINE_{service}_DATABASE_URL", url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("TRUNKLINE_HTTP_PORT", str(port))
        done = alone("up")
    for url in urls:
        databases.drop(url)
    assert done.code == 2
    assert done.err.startswith(f"Nothing can listen on 127.0.0.1:{port}: address already in use; ")
    assert "set TRUNKLINE_HTTP_PORT to another port" in done.err
