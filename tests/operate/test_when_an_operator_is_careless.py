"""When an operator types what would do harm: it is refused, or it is mended by the next command (O6, P6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.http.world import InProcess, prepare_licensing, prepare_numbers, running
from trunkline.application import NotConfigured
from trunkline.cli.client.api_client import check_private
from trunkline.cli.operations.clock import _caught_up
from trunkline.cli.terminal.exit_codes import Misused
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
        clock = deployment.nodes["numbers"].clock
        assert isinstance(clock, SandboxClock)
        clock.advance(timedelta(days=3))
    with pytest.raises(NotConfigured, match=r"numbers was moved ahead by 3 days.*TRUNKLINE_SANDBOX"):
        async with InProcess(settings, [licensing(), numbers()]):
            pass
    async with running(tmp_path, *urls):
        pass


def test_a_clock_that_was_left_behind_catches_up_with_the_next_move() -> None:
    """O6: both stand at one instant after it, whatever has become of the move before."""
    clocks = {"licensing": {"ahead_seconds": 0.0}, "numbers": {"ahead_seconds": 86_400.0}}
    assert _caught_up(clocks, "licensing", "advance", {"by": "2h"}) == {"by": "2h86400s"}
    assert _caught_up(clocks, "numbers", "advance", {"by": "2h"}) == {"by": "2h"}
    assert _caught_up(clocks, "licensing", "set", {"at": "t"}) == {"at": "t"}


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
