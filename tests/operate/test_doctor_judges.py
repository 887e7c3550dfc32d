"""What `doctor` makes of a service's figures: good, to be looked at, or wrong (O7); and how the figures come about."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from tests.http.world import World, created, event
from tests.operate.home import Home
from trunkline.cli.doctor import commands
from trunkline.cli.doctor.checks import LEAST_BYTES, Check, duration, service_checks, size, without_number_check
from trunkline.cli.terminal.exit_codes import Refused, Unreachable
from trunkline.eventstore.event_store import Store
from trunkline.runtime.disk import sentence, write_error
from trunkline.runtime.lag import behind, log_lags

WELL: dict[str, Any] = {
    "server": "16.2", "end": 8_573, "database_bytes": 1 << 20, "database_error": None,
    "disks": [{"what": "home", "path": "/home", "free_bytes": 50 << 30, "total_bytes": 100 << 30}],
    "lags": [{"name": "relay", "kind": "relay", "events": 0, "seconds": 0.0}],
    "projections": [],
    "deadlines": {"count": 3, "overdue": 0, "next_due": None, "overdue_seconds": 0.0},
    "parked": 0, "quarantined": 0, "waiting": 0, "mail_waiting": 0, "mail_failed": 0, "failed_items": {},
}  # fmt: skip


START = (
    "start it: trunkline up, or trunkline-numbers where the services run apart;"
    " or say where it answers: --url numbers=URL"
)


def judged(what: str, service: str = "numbers", **figures: Any) -> Check:
    """The check of this name, where some figures are others."""
    return next(check for check in service_checks(service, WELL | figures) if check.what == what)


def lag(events: int, seconds: float, kind: str = "subscriber") -> dict[str, Any]:
    return {"lags": [{"name": "notices", "kind": kind, "events": events, "seconds": seconds}]}


def test_then_a_service_that_is_well_needs_nothing() -> None:
    """O7: every check is good, and none of them names a remedy."""
    assert {(check.verdict, check.remedy) for check in service_checks("numbers", WELL)} == {("good", "")}


@pytest.mark.parametrize(
    ("events", "seconds", "verdict"), [(0, 0.0, "good"), (9_000, 5.0, "good"), (1, 61.0, "look"), (1, 3_600.0, "wrong")]
)
def test_then_a_lag_is_judged_by_the_age_of_its_oldest_event(events: int, seconds: float, verdict: str) -> None:
    """O7: many events that have just come are no trouble; one that has waited for an hour is a stall."""
    for kind in ("relay", "subscriber", "state topic"):
        found = judged("notices", **lag(events, seconds, kind))
        assert (found.verdict, f"{events:,} events" in found.found) == (verdict, True)
    view = {"name": "v", "status": "active", "version": 1, "code_version": 1, "lag": events, "lag_seconds": seconds}
    assert judged("view v", projections=[view]).verdict == verdict
    due = {"count": events, "overdue": events, "next_due": None, "overdue_seconds": seconds}
    assert judged("timers", deadlines=due).verdict == verdict
    outdated = view | {"code_version": 2, "lag": 0, "lag_seconds": 0.0}
    assert judged("view v", projections=[outdated]).remedy == "trunkline projection rebuild v --service numbers"


def test_then_a_full_disk_is_named() -> None:
    """O7: before it is full, when it is, and by PostgreSQL's own error."""
    disk = WELL["disks"][0]
    for free, verdict in ((LEAST_BYTES - 1, "wrong"), (1 << 30, "look"), (20 << 30, "good")):
        assert judged("disk of home", disks=[disk | {"free_bytes": free}]).verdict == verdict
    full = judged("database", database_error=sentence(psycopg.errors.DiskFull("could not extend file")))
    assert (full.verdict, "disk is full" in full.found) == ("wrong", True)


@pytest.mark.parametrize("figure", ["parked", "quarantined", "waiting", "mail_failed"])
@pytest.mark.parametrize("service", ["licensing", "numbers"])
def test_then_what_waits_for_a_person_has_a_command_that_settles_it(service: str, figure: str) -> None:
    """O7: so that `look` can come to an end."""
    (found,) = [check for check in service_checks(service, WELL | {figure: 3}) if check.verdict != "good"]
    assert (found.verdict, found.found.startswith("3 "), found.remedy.startswith("trunkline ")) == ("look", True, True)


def test_then_a_dismissed_subscription_is_settled() -> None:
    """S6, O7: one that nobody has dismissed is to be looked at."""
    assert without_number_check({"total": 2, "open": 0}).verdict == "good"
    found = without_number_check({"total": 2, "open": 1})
    assert (found.verdict, found.found) == ("look", "1 active subscriptions without their number, 1 more dismissed")


def test_then_figures_are_said_as_people_say_them() -> None:
    """O1: durations and sizes."""
    assert [duration(s) for s in (4, 120, 9_000, 259_200)] == ["4 s", "2 min", "2.5 h", "3 days"]
    assert [size(b) for b in (5, 1 << 20, 3 << 29)] == ["5 B", "1 MiB", "1.5 GiB"]


@pytest.mark.parametrize(
    ("running", "raised", "found", "remedy"),
    [
        (["licensing"], Refused("There is no /numbers/operate/doctor"), "http://h:1 runs licensing, not numbers",
         "say where each answers: --url licensing=http://h:1,numbers=http://HOST:PORT"),
        (None, Unreachable("Nothing answers at http://h:1: start it"), "Nothing answers at http://h:1",
         START),
        (["licensing", "numbers"], Refused("It is forbidden."), "It is forbidden.",
         "ask with an operator's token (--token)"),
    ],
)  # fmt: skip
def test_then_services_that_run_apart_are_understood(running: Any, raised: Any, found: str, remedy: str) -> None:
    """O7: one address that serves one of the two, none that answers, and a token that may not."""
    remote = SimpleNamespace(urls={"numbers": "http://h:1"}, services_at=lambda _url: running)
    check = commands._away(SimpleNamespace(remote=remote), "numbers", raised)  # type: ignore[arg-type]
    assert (check.verdict, check.found, check.remedy) == ("wrong", found, remedy)


async def test_then_a_subscriber_that_nothing_concerns_is_not_behind(home: Home) -> None:
    """O7: events that it does not read are no lag of its; those that it reads are, since the oldest was recorded."""
    await home.sold(2)
    facts = created(await home.admin.get("/numbers/operate/doctor"))
    assert {each["name"]: each["events"] for each in facts["lags"]} == {"relay": 0, "notices": 0, "NumberState": 0}
    assert {p["lag"] for p in facts["projections"]} == {0}
    store = home.inventory.store
    count, oldest = behind(store, 0, names=["numbers.NumberAdded"])
    (first,) = store.read_log(0, 1, ["numbers.NumberAdded"])
    assert (count, oldest) == (2, store.codec.decode(first[3], first[4]).meta.recorded_at)
    assert behind(store, store.end_of_log()) == (0, None)
    now = home.now + timedelta(minutes=5)
    (_, added) = log_lags(store, now, frozenset(), {"new subscriber": ["numbers.NumberAdded"]})
    assert (added.name, added.events, added.seconds >= 300) == ("new subscriber", 2, True)


async def test_then_it_is_ready_while_only_kafka_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """O7: requests are served, events wait in the outbox; the body says so, and which services run here."""
    runtime = world.deployment.runtimes["numbers"]
    monkeypatch.setattr(runtime, "degradations", lambda: ["Kafka does not answer"])
    answer = await world.nobody().get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "troubles": {},
        "degraded": {"numbers": ["Kafka does not answer"]},
        "services": ["licensing", "numbers"],
        "now": answer.json()["now"],
    }


async def test_then_a_database_that_cannot_write_is_noticed(world: World) -> None:
    """O7: reading alone does not show it."""
    store = world.deployment.runtimes["numbers"].store
    assert write_error(store) is None
    name = store.fetch("SELECT current_database()")[0][0]
    with psycopg.connect(store.url, autocommit=True) as conn:
        conn.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        other = Store(store.url, store.codec)
        found = await asyncio.to_thread(write_error, other)
        other.close()
        conn.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
    assert found is not None
    assert "read-only transaction" in found


async def test_then_gauges_show_what_waits_for_a_person(world: World) -> None:
    """O7: waiting facts, conflicting duplicates, dead letters, mail, overdue deadlines, database and disk."""
    created(await world.bill(event("expired", "5ab5c1b7-0000-4000-8000-00000000d0c7", world.east_org)))
    shown = (await world.nobody().get("/metrics")).text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in shown if not line.startswith("#"))
    assert figures['trunkline_facts_waiting{service="licensing"}'] == "1.0"
    for gauge in ("dead_letters", "conflicting_duplicates", "deadlines_overdue", "deadlines_overdue_seconds"):
        assert figures[f'trunkline_{gauge}{{service="numbers"}}'] == "0.0"
    assert figures['trunkline_mail{service="numbers",state="failed"}'] == "0.0"
    assert float(figures['trunkline_database_bytes{service="licensing"}']) > 0
    assert float(figures['trunkline_disk_free_bytes{service="licensing",what="home"}']) > 0
