"""When each thing heard of a subscription meets each state of a number it may concern (S4, S6, X4, §10.12)."""

# ruff: noqa: E501 - a table is as wide as it is

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.numbers.facts import NOW, OTHER_SUB, Tale, day, outcome, states
from trunkline_numbers.domain.number.subscription_sync import Keep, Leave

HEARD: dict[str, Callable[[Tale], Tale]] = {
    "active": lambda n: n.holds(NOW),
    "expired": lambda n: n.keeps(("expired", NOW)),
    "terminated": lambda n: n.keeps(("terminated", NOW)),
    "both": lambda n: n.keeps(("expired", 90), ("terminated", NOW)),
    "swapped": lambda n: n.keeps(("swapped", NOW)),
    "never its own": lambda n: n.follows(Leave(day(NOW)), NOW),
    "other active": lambda n: n.holds(NOW, of=OTHER_SUB),
    "other ended": lambda n: n.keeps(("terminated", NOW), of=OTHER_SUB),
    "other missed": lambda n: n.follows(Keep((("expired", day(NOW)),), day(95)), NOW, of=OTHER_SUB),
}

# The subscription is the one a number of the table is or was assigned to, where there is one; the other one is of the
# same organization; "missed": it is heard of for the first time when it has expired. Words as in
# test_every_state_meets_every_command.py; `R:x`: reserved, because of x.
TABLE = """
state                     | active           | expired   | terminated   | both      | swapped   | never its own | other active     | other ended | other missed
absent                    | unknown          | -         | -            | -         | -         | -             | unknown          | -           | unknown
available                 | Assigned         | -         | -            | -         | -         | -             | Assigned         | -           | Assigned R:expired
available, lapsed         | Assigned         | R:expired | R:terminated | R:expired | R:swapped | Undone        | Assigned         | -           | Assigned R:expired
available, quarantined    | in-quarantine    | -         | -            | -         | -         | -             | in-quarantine    | -           | in-quarantine
available, bound          | Assigned         | -         | -            | -         | -         | -             | Assigned         | -           | Assigned R:expired
available, held elsewhere | not-visible      | -         | -            | -         | -         | -             | not-visible      | -           | not-visible
reserved                  | Assigned         | -         | -            | -         | -         | -             | Assigned         | -           | Assigned R:expired
reserved, for another     | held-for-another | -         | -            | -         | -         | -             | held-for-another | -           | held-for-another
reserved, for its partner | Assigned         | -         | -            | -         | -         | -             | Assigned         | -           | Assigned R:expired
reserved, expired         | Assigned         | R:expired | R:terminated | -         | R:swapped | Undone        | Assigned         | -           | Assigned R:expired
reserved, terminated      | Assigned         | R:expired | R:terminated | R:expired | R:swapped | Undone        | Assigned         | -           | Assigned R:expired
reserved, swapped         | Assigned         | R:expired | R:terminated | R:expired | R:swapped | Undone        | Assigned         | -           | Assigned R:expired
reserved, charged         | Assigned         | -         | -            | -         | -         | -             | Assigned         | -           | Assigned R:expired
reserved, only charged    | Assigned         | -         | -            | -         | -         | -             | Assigned         | -           | Assigned R:expired
reserved, partner charged | Assigned         | -         | -            | -         | -         | -             | Assigned         | -           | Assigned R:expired
reserved, overdue         | + Assigned       | +         | +            | +         | +         | +             | + Assigned       | +           | + Assigned R:expired
assigned                  | -                | R:expired | R:terminated | R:expired | R:swapped | Undone        | taken            | -           | taken
locked                    | is-locked        | -         | -            | -         | -         | -             | is-locked        | -           | is-locked
locked, legacy            | is-locked        | -         | -            | -         | -         | -             | is-locked        | -           | is-locked
deleted                   | is-deleted       | -         | -            | -         | -         | -             | is-deleted       | -           | is-deleted
"""


def cells() -> list[tuple[str, str, str]]:
    head, *rows = [line.split("|") for line in TABLE.strip().splitlines()]
    heard = [word.strip() for word in head[1:]]
    return [(row[0].strip(), h, cell.strip()) for row in rows for h, cell in zip(heard, row[1:], strict=True)]


def test_then_the_table_is_whole() -> None:
    """§3: every state by everything heard."""
    assert {(state, heard) for state, heard, _ in cells()} == {(s, h) for s in states() for h in HEARD}


@pytest.mark.parametrize(("state", "heard", "expected"), cells())
def test_then_the_number_obeys_or_the_others_act_stands(state: str, heard: str, expected: str) -> None:
    """§3, S6: it obeys as long as its present episode is that subscription's."""
    given = states()[state]
    before = given.state
    tale = HEARD[heard](given)
    assert outcome(tale, causes=True) == expected
    if tale.refused is not None:
        assert tale.state == before
        tale.then_refused(type(tale.refused))


@pytest.mark.parametrize("state", states())
@pytest.mark.parametrize("heard", HEARD)
def test_then_the_same_heard_again_says_nothing(state: str, heard: str) -> None:
    """X3, X4: twice is once."""
    given = states()[state]
    tale = HEARD[heard](HEARD[heard](given))
    if tale.refused is None:
        tale.then_nothing()
