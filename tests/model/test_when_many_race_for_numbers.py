"""When 64 writers want the same number at once: one has it, the others are told why they have not (F3, N2, S6, X3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.model.desk import prepare
from tests.model.races import WRITERS, Races


@pytest.fixture
def races(databases: Any, tmp_path: Any) -> Iterator[Races]:
    """Two copies of the service on one database."""
    url = databases.create(prepare)
    found = Races(url, tmp_path)
    yield found
    found.close()
    databases.drop(url)


REFUSALS = {
    "number-not-available",
    "number-held-for-another",
    "number-taken",
    "number-is-locked",
}


def test_then_one_wins_and_the_rest_get_a_clear_refusal(races: Races) -> None:
    """S6, N2: reservations, locks and starting subscriptions, through both copies; never two, never nobody."""
    winners: Counter[str] = Counter()
    for _ in range(8):
        number, attempts = races.race()
        assert len(attempts) == WRITERS
        (winner,) = [attempt for attempt in attempts if attempt.outcome == "won"]
        (taken,) = races.takes(number)
        assert (
            taken
            == {
                "reserve": "numbers.NumberReserved",
                "lock": "numbers.NumberLocked",
                "start": "numbers.NumberAssigned",
            }[winner.writer]
        )
        losers = [attempt for attempt in attempts if attempt is not winner]
        assert {attempt.outcome for attempt in losers} <= REFUSALS
        assert all(number in attempt.sentence for attempt in losers)
        winners[winner.writer] += 1
    assert winners.total() == 8
