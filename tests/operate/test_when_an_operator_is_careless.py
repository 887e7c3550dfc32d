"""When an operator types what would do harm: it is refused, or it is mended by the next command (O6, P6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from tests.http.world import InProcess, prepare_licensing, prepare_numbers, running
from trunkline.application import NotConfigured
from trunkline.cli.client.api_client import check_private
from trunkline.cli.operations.clock import _move
from trunkline.cli.terminal.exit_codes import Ended, Misused, Refused, Unreachable
from trunkline.clock import read_duration
from trunkline.operations.sandbox_clock import SandboxClock
from trunkline.settings import Settings
from trunkline_licensing.wiring import service as licensing
from trunkline_numbers.wiring import service as numbers


async def test_a_moved_clock_is_a_sandboxs_for_ever(new_database: Callable[..., str], tmp_path: Path) -> None:
    """O6: without TRUNKLINE_SANDBOX such a database is refused, and nothing of it changes."""
    urls = new_database(prepare_licensing), new_database(prepare_numbers)
    settings = Settings(
        home=tmp_path, licensing_database_url=SecretStr(urls[0]), numbers_database_url=SecretStr(urls[1])
    )
    async with running(tmp_path, *urls):
        pass  # a sandbox whose clock was never moved
    async with InProcess(settings, [licensing(), numbers()]):
        pass
    async with running(tmp_path, *urls) as deployment:
        clock = deployment.runtimes["numbers"].clock
        assert isinstance(clock, SandboxClock)
        clock.advance(timedelta(days=3))
    with pytest.raises(NotConfigured, match=r"numbers was moved ahead by 3 days.*TRUNKLINE_SANDBOX"):
        async with InProcess(settings, [licensing(), numbers()]):
            pass
    async with running(tmp_path, *urls):
        pass


class Clocks:
    """The services as a command about clocks meets them: it can fail to reach one of them, or be refused by it."""

    def __init__(self, **ahead: float) -> None:
        self.ahead = ahead
        self.start = datetime(2026, 1, 1, tzinfo=UTC)
        self.broken: set[str] = set()
        self.refusing: set[str] = set()
        self.dry = False

    def get(self, path: str) -> dict[str, Any]:
        name = path.split("/")[1]
        if path.endswith("/deadlines"):
            return {"overdue": 0}
        now = self.start + timedelta(seconds=self.ahead[name])
        return {"now": now.isoformat(), "ahead_seconds": self.ahead[name], "sandbox": True}

    def post(self, path: str, body: dict[str, str], *, dry_run: bool = False) -> None:
        _, name, *_, how = path.split("/")
        if name in self.refusing:
            raise Refused("It cannot be moved so far.")
        if dry_run:
            self.dry = True
            return
        if name in self.broken:
            raise Unreachable("Nothing answers.")
        at = datetime.fromisoformat(body["at"]) if how == "set" else None
        by = read_duration(body["by"]).total_seconds() if at is None else 0.0
        self.ahead[name] = self.ahead[name] + by if at is None else (at - self.start).total_seconds()


def moved(clocks: Clocks, how: str, body: dict[str, str]) -> bool:
    """Whether a move was done, as the command says."""
    call = SimpleNamespace(remote=clocks, present=lambda *_: None)
    try:
        _move(call, how, body)  # type: ignore[arg-type]
    except Ended:
        return False
    assert not clocks.dry  # what people see is not the rehearsal
    return True


MOVES = [("advance", {"by": "1d"}), ("set", {"at": "2026-01-02T00:00:00+00:00"})]


@pytest.mark.parametrize(("how", "body"), MOVES)
def test_no_clock_moves_where_one_service_refuses(how: str, body: dict[str, str]) -> None:
    """O6: both are asked before either moves."""
    for refusing in ("licensing", "numbers"):
        clocks = Clocks(licensing=0.0, numbers=0.0)
        clocks.refusing.add(refusing)
        assert not moved(clocks, how, body)
        assert clocks.ahead == {"licensing": 0.0, "numbers": 0.0}


@pytest.mark.parametrize(("how", "body"), MOVES)
@pytest.mark.parametrize("before", [0.0, 3_600.0])
def test_a_move_that_reached_one_clock_is_completed_by_typing_it_again(
    how: str, body: dict[str, str], before: float
) -> None:
    """O6: the same command moves the other one only, also where one was behind before."""
    clocks = Clocks(licensing=before, numbers=0.0)
    clocks.broken.update({"licensing"})
    assert not moved(clocks, how, body)
    clocks.broken.clear()
    assert moved(clocks, how, body)
    end = 86_400.0 + (before if how == "advance" else 0.0)
    assert clocks.ahead == {"licensing": end, "numbers": end}


def test_a_clock_that_was_left_behind_catches_up_with_the_next_move() -> None:
    """O6: both stand at one instant after it, whatever has become of the move before."""
    clocks = Clocks(licensing=0.0, numbers=86_400.0)
    assert moved(clocks, "advance", {"by": "2h"})
    assert clocks.ahead == {"licensing": 93_600.0, "numbers": 93_600.0}


def test_an_instant_that_all_clocks_have_passed_is_refused() -> None:
    """O6: a clock never goes back."""
    clocks = Clocks(licensing=86_400.0, numbers=86_400.0)
    assert not moved(clocks, "set", {"at": "2026-01-01T12:00:00+00:00"})
    clocks = Clocks(licensing=86_400.0, numbers=90_000.0)
    assert not moved(clocks, "set", {"at": "2026-01-01T12:00:00+00:00"})
    assert clocks.ahead == {"licensing": 86_400.0, "numbers": 90_000.0}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://far.example"])
def test_a_token_goes_to_this_machine_or_over_https(url: str) -> None:
    """P6: where nobody on the way can read it."""
    check_private({"numbers": url}, Settings())


def test_a_token_goes_nowhere_else_unless_that_is_said() -> None:
    """P6: the operator's token is worth everything."""
    far = {"licensing": "https://far.example", "numbers": "http://far.example:8080"}
    with pytest.raises(Misused, match=r"http://far\.example:8080 is another machine"):
        check_private(far, Settings())
    check_private(far, Settings(allow_plain_http=True))
