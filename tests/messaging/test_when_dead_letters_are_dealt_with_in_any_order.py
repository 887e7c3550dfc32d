"""When dead letters of several keys are retried, edited and discarded in whatever order comes to mind (O5, X3)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, Literal, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.messaging.ear import ear_service, event, prepare
from trunkline.clock import SystemClock
from trunkline.errors import Refused
from trunkline.eventstore.event_store import Store
from trunkline.eventstore.unit_of_work import UnitOfWork, run
from trunkline.messaging.dead_letters.replay import Edit, discard, retry
from trunkline.messaging.dead_letters.store import parked_message, parked_page
from trunkline.messaging.inbox import Inbox
from trunkline.messaging.records import IncomingRecord

TOPICS = ("T", "U")
NOW = SystemClock().now
_places = count()


class Letter(NamedTuple):
    """One that is parked."""

    topic: str
    key: bytes | None


class Act(NamedTuple):
    """What somebody does to the letter at a place of the list."""

    what: Literal["retry", "edit", "discard"]
    place: int


letters = st.lists(
    st.builds(Letter, st.sampled_from(TOPICS), st.sampled_from([b"a", b"b", None])), min_size=1, max_size=7
)
acts = st.lists(st.builds(Act, st.sampled_from(["retry", "edit", "edit", "discard"]), st.integers(0, 6)), max_size=25)


@pytest.fixture
def store(new_database: Callable[..., str]) -> Any:
    found = Store(new_database(prepare), ear_service(TOPICS).codec())
    yield found
    found.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(letters, acts)
def test_then_each_is_heard_once_at_most_and_each_key_in_its_order(
    store: Store, parked: list[Letter], done: list[Act]
) -> None:
    """O5: against a model that knows only the rules: an older one of its key first, each once, what is unread waits."""
    service = ear_service(TOPICS)
    told = b"%d " % next(_places)  # no other example has these keys
    good = [event(one.topic) for one in parked]
    records = [
        IncomingRecord(
            f"kafka/c/{one.topic}/0", one.topic, 0, next(_places), one.key and told + one.key, said.headers, b"{"
        )
        for one, said in zip(parked, good, strict=True)
    ]
    last = max((p.id for p in parked_page(store, limit=10_000)), default=0)
    Inbox(store, service, NOW).accept(records)
    ids = [p.id for p in parked_page(store, after=last, limit=100)]
    waits = dict.fromkeys(range(len(parked)), True)
    heard: list[str] = []
    for act in done:
        place = act.place % len(parked)
        older = any(waits[n] and parked[n] == parked[place] and parked[n].key is not None for n in range(place))
        edit = Edit(value=good[place].value) if act.what == "edit" else Edit()

        def decide(uow: UnitOfWork, act: Act = act, index: int = place, edit: Edit = edit) -> None:
            if act.what == "discard":
                discard(uow, ids[index], "me", "why")
            else:
                retry(uow, service, ids[index], "me", edit)

        expected = waits[place] and (act.what == "discard" or (act.what == "edit" and not older))
        try:
            run(store, NOW, decide)
        except Refused:
            assert not expected
        else:
            assert expected
            waits[place] = False
            if act.what == "edit":
                heard.append((dict(good[place].headers)["ce_id"] or b"").decode())
    rows = store.fetch("SELECT event_id FROM heard ORDER BY id DESC LIMIT %s", (len(heard),))
    assert [row[0] for row in reversed(rows)] == heard
    for n, one in enumerate(ids):
        kept = parked_message(store, one)
        assert kept is not None
        assert (kept.status == "waiting") == waits[n]
        assert kept.value == b"{"
