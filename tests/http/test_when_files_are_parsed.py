"""When a rival is faster than a decision about a file: the file was parsed once, and outside the lock (X2, §9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.http.bulk import Office
from tests.http.test_when_numbers_are_uploaded import file_of, lines, send
from tests.http.world import World, created
from trunkline.eventstore.event_store import ConcurrencyError, Store
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline.files.csv_reader import read_csv
from trunkline_licensing.application.bulk_assignment.layouts import read_users


class Parsing:
    """Calls of a parser, each with whether its thread held the writers' lock; and a rival that wins once."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.locked: list[bool] = []
        self.commits = 0
        self._store, self._patch = store, monkeypatch
        self._commit = UnitOfWork.commit

    def watch(self, module: str, parser: str, parse: Callable[..., Any]) -> None:
        def watched(*arguments: Any, **more: Any) -> Any:
            self.locked.append(self._store.locked_here is not None)
            return parse(*arguments, **more)

        self._patch.setattr(f"{module}.{parser}", watched)
        self._patch.setattr(UnitOfWork, "commit", _method(self.committed))

    def committed(self, uow: UnitOfWork) -> int:
        self.commits += 1
        if self.commits == 1:
            raise ConcurrencyError("a rival was faster")
        return self._commit(uow)


def _method(committed: Callable[[UnitOfWork], int]) -> Callable[[UnitOfWork], int]:
    def commit(uow: UnitOfWork) -> int:
        return committed(uow)

    return commit


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "once"}], ids=["no key", "key"])
async def test_then_numbers_are(world: World, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> None:
    """X2, R1: the second decision, under the writers' lock, takes what the first one has read."""
    parsing = Parsing(world.deployment.runtimes["numbers"].store, monkeypatch)
    parsing.watch("trunkline_numbers.api.uploads.routes", "read_csv", read_csv)
    world.admin.client.headers.update(key)
    made = created(await send(world.admin, file_of(*lines(*world.numbers(3))), vendor="V", sku="S"))
    assert made["good"] == 3
    assert (parsing.locked, parsing.commits >= 2) == ([False], True)


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "once"}], ids=["no key", "key"])
async def test_then_people_are(world: World, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> None:
    """X2, L9: the same for a file of people."""
    office = Office(world)
    one = await office.draft()
    parsing = Parsing(world.deployment.runtimes["licensing"].store, monkeypatch)
    parsing.watch("trunkline_licensing.api.bulk_assignments.users", "read_users", read_users)
    office.admin.client.headers.update(key)
    created(await office.send(one, b"Ext Key,User's Name,Number\n101,Ada,\n"))
    assert (parsing.locked, parsing.commits >= 2) == ([False], True)
    assert created(await office.admin.get(one))["total"] == 1
