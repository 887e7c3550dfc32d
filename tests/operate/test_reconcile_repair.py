"""When what differs is repaired: stated again by its owner, also after a back-up was restored (O7, X1, §10.16)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.end_to_end.shell import Shell
from tests.http.world import created, prepare_licensing, prepare_numbers
from tests.operate.home import Home, at_home, keyed, lose, named
from trunkline.cli.reconcile.difference import Difference
from trunkline.cli.reconcile.repair import Repair, repair, shown
from trunkline.eventstore.leader_election import LeaderElection
from trunkline_licensing.domain.extension.extension import EXTENSION


async def repaired(home: Home, found: list[Difference]) -> list[Repair]:
    done = await home.ask(lambda remotes: repair(remotes._remote, found))
    await home.quiet()
    return done


async def test_then_what_was_lost_on_the_way_agrees_afterwards(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """O7, P6: a subscription, a party, a copy, a binding that was given up and one that was never asked for again."""
    (_, unheard), (copied, _), (rings, _), (moved, _) = await home.sold(4)
    extension, other = await home.line(rings), await home.line(moved)
    lose(monkeypatch, home.inventory, keyed(unheard, home.west_org, extension))
    await home.happens("expired", unheard)
    created(await home.admin("PATCH", f"/licensing/organizations/{home.west_org}", json={"name": "Other"}))
    await home.customer.patch(extension, number=None)
    await home.quiet()
    monkeypatch.undo()
    with home.licensing.store.connection() as conn:
        conn.execute(b"UPDATE number_copy SET state = 'locked', version = 999999 WHERE number = %s", (copied,))
    before = await home.compared()
    assert {("subscription", unheard), ("party", home.west_org), ("binding", extension), ("copy", copied)} <= named(
        before.differences
    )
    done = await repaired(home, before.differences)
    assert {(each.kind, each.key) for each in done} == named(before.differences)
    after = await home.compared()
    assert after.agrees, after
    assert "agrees now" in shown(done, named(after.differences))
    commands = [command for (command,) in home.licensing.store.fetch("SELECT command FROM audit")]
    assert "repair" in commands
    assert home.licensing.run(lambda uow: uow.state(EXTENSION, other))[0].facts is not None


def clone(url: str, create: Callable[..., str]) -> str:
    """A back-up of a database, restored as another one."""
    found = create()
    name, server = urlsplit(found).path[1:], urlsplit(url)._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f'DROP DATABASE "{name}"'.encode())
        conn.execute(f'CREATE DATABASE "{name}" TEMPLATE "{urlsplit(url).path[1:]}"'.encode())
    return found


@pytest.mark.parametrize("older", ["licensing", "numbers"])
async def test_then_a_restored_service_and_the_other_one_come_to_agree(
    older: str, tmp_path: Path, new_database: Any
) -> None:
    """X1, §10.16: the restore is noticed, sequences are given again in a new epoch, and what differs is repaired."""
    urls = {"licensing": new_database(prepare_licensing), "numbers": new_database(prepare_numbers)}
    async with at_home(tmp_path, urls["licensing"], urls["numbers"]) as home:
        ((number, key), (free, other)) = await home.sold(2)
        extension = await home.line(number)
        org, path = home.east_org, home.customer.path
    back_up = clone(urls[older], new_database)
    async with at_home(tmp_path, urls["licensing"], urls["numbers"]) as later:
        created(await later.caller("org-admin", org)("PATCH", f"{path}/{extension}", json={"number": free}))
        await later.sold(1)
    given = {f"{name}_url": url for name, url in (urls | {older: back_up}).items()}
    async with at_home(tmp_path, **given) as restored:
        runtime = restored.licensing if older == "licensing" else restored.inventory
        assert runtime.store.epochs.current == 1
        await restored.quiet()
        found = await restored.compared()
        assert older == "numbers" or ("binding", extension) in named(found.differences)
        await repaired(restored, found.differences)
        after = await restored.compared()
        kept = {number, key, free, other, extension, org}
        assert not {each.key for each in after.differences} & kept, after
        assert all("there is no" in each.licensing for each in after.differences), "only what licensing has lost"
        assert older == "licensing" or after.agrees
        ringing = created(await restored.caller("org-admin", org).get(f"{path}/{extension}"))["number"]
        assert ringing["status"] == "bound"


def test_then_a_restore_is_declared_before_the_start(
    tmp_path: Path, new_database: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """X1, O1: each time a new epoch, for one service or both; not while the service runs on the database."""
    urls = {"licensing": new_database(prepare_licensing), "numbers": new_database(prepare_numbers)}
    monkeypatch.setenv("TRUNKLINE_HOME", str(tmp_path))
    for name, url in urls.items():
        monkeypatch.setenv(f"TRUNKLINE_{name.upper()}_DATABASE_URL", url)
    shell = Shell(capsys)
    assert shell.json("restored", "--dry-run")["restored"] == [
        {"service": "licensing", "epoch": 1},
        {"service": "numbers", "epoch": 1},
    ]
    assert shell.json("restored")["restored"][0]["epoch"] == 1
    assert shell.json("restored", "--service", "numbers")["restored"] == [{"service": "numbers", "epoch": 2}]
    running = LeaderElection(urls["numbers"])
    assert running.hold("relay")
    refused = shell("restored", "--service", "numbers")
    running.resign()
    assert refused.code == 1
    assert "numbers is running on this database: stop it" in refused.err
    misused = shell("doctor", "--repair")
    assert misused.code == 2
