"""When a loop fails as a whole: it is started again and shown as not ready; only a damaged store ends the process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from trunkline.availability import Availability, database_availability, is_unavailable, shared_availability
from trunkline.errors import EndsProcess
from trunkline.eventstore.commit_signal import CommitSignal
from trunkline.runtime import kafka_transport
from trunkline.runtime import supervisor as module
from trunkline.runtime.polling_loop import PollingLoop
from trunkline.runtime.supervisor import Supervisor

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(module, "MOST_SECONDS", 0.002)


async def test_it_is_started_again_and_shown_as_not_ready_until_a_step_succeeds() -> None:
    """O8: the other loops go on; one cause is logged once, however often it fails."""
    stopping = asyncio.Event()
    supervisor = Supervisor("numbers", stopping)
    seen: list[list[str]] = []
    steps = 0

    async def step() -> int:
        nonlocal steps
        steps += 1
        if steps > 1:
            seen.append(supervisor.troubles())
        if steps < 5:
            raise RuntimeError("mine")
        stopping.set()
        return 0

    with capture_logs() as logs:
        supervisor.start("mail", lambda: polling(step, supervisor, stopping))
        async with asyncio.timeout(PATIENCE):
            await supervisor.tasks["mail"]
    assert seen[0] == ["the loop 'mail' has failed 1 times in a row and is started again: RuntimeError: mine"]
    assert "failed 4 times" in seen[-1][0]
    assert supervisor.failures == {}
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("a loop has failed and is started again", "error"),
        ("a loop runs again", "info"),
    ]


async def polling(step: object, supervisor: Supervisor, stopping: asyncio.Event) -> None:
    loop = PollingLoop(
        "mail",
        step,  # type: ignore[arg-type]
        commits=CommitSignal(asyncio.get_running_loop()),
        stopping=stopping,
        database=Availability("a database"),
        succeeded=lambda: supervisor.succeeded("mail"),
    )
    await loop.run()


@pytest.mark.parametrize(
    "error", [psycopg.errors.DataCorrupted("page 7"), psycopg.errors.IndexCorrupted(), EndsProcess("topic recreated")]
)
async def test_what_no_restart_mends_ends_the_process(error: Exception) -> None:
    """O8: a damaged store is for people, not for another try."""
    stopping = asyncio.Event()
    supervisor = Supervisor("numbers", stopping)

    async def broken() -> None:
        raise error

    supervisor.start("views", broken)
    async with asyncio.timeout(PATIENCE):
        await stopping.wait()
    assert supervisor.tasks["views"].exception() is error


async def test_a_library_that_cancels_a_loop_only_restarts_it() -> None:
    """O8: a cancellation that nobody here asked for is a failure like others."""
    stopping = asyncio.Event()
    supervisor = Supervisor("numbers", stopping)
    runs = 0

    async def cancelled_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise asyncio.CancelledError
        stopping.set()

    supervisor.start("intake", cancelled_once)
    async with asyncio.timeout(PATIENCE):
        await supervisor.tasks["intake"]
    assert runs == 2


@contextmanager
def logged() -> Iterator[list[tuple[str, int | None]]]:
    lines: list[tuple[str, int | None]] = []
    with capture_logs() as logs:
        yield lines
    lines += [(entry["event"].partition(";")[0], entry.get("failed_tries")) for entry in logs]


def test_a_server_that_goes_is_one_line_and_one_when_it_is_back() -> None:
    """O8: however many loops lose it, and however often they try; the tries are counted."""
    server = Availability("PostgreSQL at db:5432")
    with logged() as lines:
        for _ in range(20):
            for loop in ("relay", "views"):
                server.mark_lost(OSError("refused\nmore"), loop)
        assert server.reason == "refused"
        server.mark_restored("views")
        server.mark_restored("views")
        server.mark_restored("mail")
        assert not server.available
        server.mark_restored("relay")
        assert server.available
    assert lines == [("out of reach", None), ("in reach again", 40)]


def test_a_loop_that_ends_meanwhile_is_not_waited_for() -> None:
    """O8: the server is back for all that are left."""
    server = Availability("a server")
    server.mark_lost("gone", "relay")
    server.forget("views")
    assert not server.available
    server.forget("relay")
    assert server.available


def test_one_server_is_one_availability_in_a_process() -> None:
    """O8: both services' databases on one server go and come back together."""
    one = database_availability("postgresql://u@/licensing?host=%2Fvar%2Frun&port=5433")
    assert one is database_availability("postgresql://u@/numbers?host=%2Fvar%2Frun&port=5433")
    assert one is shared_availability("PostgreSQL at /var/run:5433")
    assert one is not database_availability("postgresql://u@db/numbers")


@pytest.mark.parametrize(
    ("error", "unavailable"),
    [
        (psycopg.OperationalError("connection lost"), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.ReadOnlySqlTransaction(), True),
        (psycopg.errors.ProgramLimitExceeded(), False),
        (psycopg.errors.CharacterNotInRepertoire(), False),
        (psycopg.DataError("no NUL"), False),
        (TimeoutError(), True),
        (ValueError(), False),
    ],
)
def test_what_counts_as_a_server_that_is_away(error: Exception, unavailable: bool) -> None:
    """O8: a refusal of one value is not."""
    assert is_unavailable(error) is unavailable


async def test_an_intake_that_fails_goes_on_with_another_consumer() -> None:
    """O8: a consumer that has ended cannot run again; the service consumes on with a new one."""
    made: list[Any] = []
    stopping = asyncio.Event()

    class Fake:
        is_available = True

        async def run(self) -> None:
            if len(made) == 1:
                raise RuntimeError("mine")
            stopping.set()

        def stop(self) -> None:
            stopping.set()

    def new() -> Any:
        made.append(Fake())
        return made[-1]

    consuming = kafka_transport.Consuming(new)
    supervisor = Supervisor("numbers", stopping)
    supervisor.start("intake", consuming.run)
    async with asyncio.timeout(PATIENCE):
        await supervisor.tasks["intake"]
    assert len(made) == 2
    assert consuming.is_available
