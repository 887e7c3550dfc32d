"""When numbers change while somebody turns the pages of a search: nothing is skipped, nothing comes twice (N11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.numbers.stock import NOW, drawn, keep, open_views
from trunkline.clock import DAY
from trunkline.eventstore.event_store import Store
from trunkline_numbers.domain.number.events import NumberReleased, NumberReserved
from trunkline_numbers.domain.number.number import NUMBER
from trunkline_numbers.queries import row_estimates, search
from trunkline_numbers.queries.filters import Wanted, conditions
from trunkline_numbers.queries.inventory import Inventory
from trunkline_numbers.queries.page_window import Slice, Sort


@pytest.fixture(scope="module")
def bare(databases: Any) -> Iterator[Store]:
    """Views that each example empties and fills anew."""
    url = databases.create()
    found = open_views(url)
    yield found
    found.close()
    databases.drop(url)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.integers(1, 40),
    sort=st.sampled_from(("number", "available_since")),
    descending=st.booleans(),
    common=st.booleans(),
    moves=st.lists(st.sets(st.integers(0, 99), max_size=50), min_size=1, max_size=6),
)
def test_then_pages_neither_skip_nor_repeat_while_numbers_change(
    bare: Store, limit: int, sort: Sort, descending: bool, common: bool, moves: list[set[int]]
) -> None:
    """N11: what is Available all the time comes up once; what goes and comes back meanwhile comes up once at most."""
    with bare.connection() as conn:
        conn.execute("TRUNCATE number_view_g1, listing_view_g1")
    drawn_lives = list(drawn(130, seed=5).items())
    lives = {number: events[:1] for number, events in drawn_lives if not events[0].legacy}  # type: ignore[attr-defined]
    lives = dict(list(lives.items())[:100])
    keep(bare, lives.items())
    names, changes, at = list(lives), cycle(moves), NOW
    asked = conditions(Wanted(states=("available",)), None)
    upto = NOW if sort == "available_since" else None
    with pytest.MonkeyPatch.context() as patch:
        if common:
            patch.setattr(row_estimates, "BLOCKS", 1)
            patch.setattr(search, "COMMON", 0)
            patch.setattr(search, "FEW", -1)
        inventory = Inventory(bare)
        rows, total = inventory.first_page(asked, Slice(limit, sort, descending, upto=upto))
        found = [row.number for row in rows[:limit]]
        while len(rows) > limit:
            at += timedelta(minutes=1)
            _move(bare, lives, [names[place] for place in sorted(next(changes))], at)
            last = found[-1]
            since = last.life.since if sort == "available_since" else None  # type: ignore[union-attr]
            rows = inventory.next_page(asked, Slice(limit, sort, descending, last.number, since, upto), total)
            found += [row.number for row in rows[:limit]]
    came = [n.number for n in found]
    assert len(came) == len(set(came)), "nothing comes up twice"
    moved = {names[place] for places in moves for place in places}
    assert set(lives) - moved <= set(came), "nothing that stayed is left out"


def _move(store: Store, lives: dict[str, list[Any]], moving: list[str], at: Any) -> None:
    """Some become reserved, those that were are released."""
    for number in moving:
        events = lives[number]
        if NUMBER.fold(number, events).state == "available":
            end = at + 28 * DAY
            new: Any = NumberReserved(
                at=at,
                reserver_id="org-own",
                reserver_kind="organization",
                cause="manual",
                ends_at=end,
                free_ends_at=end,
            )
        else:
            new = NumberReleased(at=at, cause="by_hand", reserver_id="org-own")
        keep(store, [(number, [new])], begun=len(events))
        events.append(new)
