"""When what is said of a DID reservation subscription comes in any order: the same numbers, the same ends (N4, X4).

In memory, so that thousands of histories are tried; tests/end_to_end does the same over both services.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.numbers.facts import ACME, COVER, day
from tests.numbers.world import BY_HAND, World, in_memory
from trunkline.contracts import licensing
from trunkline.contracts.cloudevents.message import Message
from trunkline.errors import Refused
from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.domain.subscription import facts
from trunkline_licensing.domain.subscription.order import fold
from trunkline_numbers.application.paid_reservations import extend_by
from trunkline_numbers.domain.number import operator_commands as by_hand
from trunkline_numbers.domain.number.state import Available

NUMBERS = tuple(f"+6511111{place}" for place in range(4))
Step = tuple[str, int, int]
"""What billing says, the day, and the quantity or after how many days a renewal ends."""


class Payer:
    """Licensing, as far as one subscription is concerned: what it says after each fact it hears, by its own rules."""

    def __init__(self, *, sequenced: bool) -> None:
        self._sequenced, self._heard, self._said = sequenced, list[facts.AnyFact](), 0

    def fact(self, index: int, what: str, on: int, how: int) -> facts.AnyFact:
        kinds: dict[str, tuple[type[Any], dict[str, Any]]] = {
            "started": (facts.Started, {"product": "did_reservation", "quantity": how, "plan_days": 30}),
            "renewed": (facts.Renewed, {"renewed_until": day(on + how)}),
            "quantity": (facts.QuantityChanged, {"quantity": how}),
            "expired": (facts.Expired, {}),
            "reactivated": (facts.Reactivated, {}),
            "terminated": (facts.Terminated, {}),
        }
        kind, own = kinds[what]
        sequence = index if self._sequenced else None
        return kind(source="b", id=f"{index}", at=day(on), organization_id=ACME.id, sequence=sequence, **own)  # type: ignore[no-any-return]

    def hears(self, fact: facts.AnyFact) -> Message:
        self._heard.append(fact)
        after, _ = fold(self._heard)
        assert after is not None
        self._said += 1
        data = licensing.SubscriptionFact(
            subscription_id=COVER,
            organization_id=ACME.id,
            product="did_reservation",
            reference=None,
            license_code=None,
            number=None,
            swapped_out=(),
            status=after.status,
            started_at=after.started_at,
            expired_at=after.expired_at,
            terminated_at=after.terminated_at,
            quantity=after.quantity,
            plan_days=after.plan_days,
            renewed_until=after.renewed_until,
            covers=tuple(
                licensing.CoversFrom(at=c.at, units=c.units, renewed_until=c.renewed_until) for c in after.covers
            ),
        )
        return World._message("SubscriptionRenewed", COVER, fact.at, self._said, data)


def begun(quantity: int, extended: list[int], payer: Payer) -> World:
    """Numbers reserved on day 0, free until day 28; the payer extends some of them, day after day from day 1 on."""
    world = in_memory().adds(*NUMBERS)
    world.by_hand(lambda n, now: by_hand.reserve(n, ACME, "kept", world.policy, now), *NUMBERS)
    world.hears(payer.hears(payer.fact(0, "started", 0, quantity)))
    for on, place in enumerate(extended, start=1):
        world.passes_to(on)

        def extend(uow: UnitOfWork, number: str = NUMBERS[place]) -> None:
            extend_by(uow, COVER, number, None, BY_HAND, world.policy)

        try:
            world.place.run(extend)
        except Refused as refused:
            assert refused.code == "nothing-spare"  # noqa: PT017 - the others are covered
    return world


def picture(world: World) -> dict[str, Any]:
    """Where each number is, who pays, and since when one is Available."""
    lives = {number: world.number(number).life for number in NUMBERS}
    since = {n: life.since if isinstance(life, Available) else None for n, life in lives.items()}
    return {n: (*world.picture(n), since[n], getattr(life, "cover_id", None)) for n, life in lives.items()}


days = st.one_of(st.integers(8, 90), st.sampled_from((20, 28, 40, 58)))
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("renewed"), days, st.sampled_from((10, 20, 30, 60))),
    st.tuples(st.just("quantity"), days, st.integers(0, 4)),
    st.tuples(st.sampled_from(("expired", "reactivated", "reactivated", "terminated")), days, st.just(0)),
)


@settings(max_examples=250, deadline=None)
@given(
    quantity=st.integers(0, 3),
    extended=st.lists(st.sampled_from(range(4)), min_size=1, unique=True),
    told=st.lists(steps, max_size=6).map(lambda told: sorted(told, key=lambda step: step[1])),
    sequenced=st.booleans(),
    later=st.integers(1, 40),
    timers=st.booleans(),
    seed=st.integers(0, 2**32),
)
@example(  # a renewal moves the end to before the loss: it ran out instead, and the next renewal finds it
    quantity=1,
    extended=[0],
    told=[("renewed", 18, 10), ("quantity", 33, 0), ("quantity", 37, 3), ("renewed", 53, 30)],
    sequenced=True,
    later=2,
    timers=False,
    seed=203633247,
)
@example(  # all of it at the instant at which the free period ends
    quantity=1,
    extended=[0],
    told=[("renewed", 8, 10), ("quantity", 28, 0), ("quantity", 28, 1), ("renewed", 28, 60)],
    sequenced=True,
    later=1,
    timers=True,
    seed=0,
)
@example(  # expired before its end, heard when the end is over: Available since the expiry
    quantity=1, extended=[0], told=[("expired", 51, 0)], sequenced=True, later=40, timers=True, seed=0
)
@example(  # renewed until an end that is over as well when it is heard: Available since that one
    quantity=1, extended=[0], told=[("renewed", 58, 20)], sequenced=True, later=29, timers=False, seed=0
)
def test_then_the_same_numbers_are_covered_until_the_same_instant(
    quantity: int, extended: list[int], told: list[Step], sequenced: bool, later: int, timers: bool, seed: int
) -> None:
    """N4, X4, §10.10: any order, twice, in any batches, timers on time or down: as in order, each at its instant."""
    end = max([8, *(on for _, on, _ in told)]) + later
    payer = Payer(sequenced=sequenced)
    plain = begun(quantity, extended, payer)
    for place, step in enumerate(told, start=1):
        plain.passes_to(step[1]).hears(payer.hears(payer.fact(place, *step)))
    plain.passes_to(end)
    chance, payer = Random(seed), Payer(sequenced=sequenced)
    mixed = begun(quantity, extended, payer)
    (mixed.passes_to if timers else mixed.moves_to)(end)
    said = [
        payer.hears(payer.fact(place, *told[place - 1])) for place in chance.sample(range(1, len(told) + 1), len(told))
    ]
    said = chance.sample([*said, *said[:2]], len(said) + len(said[:2]))
    while said:
        some = chance.randint(1, len(said))
        mixed.hears(*said[:some])
        del said[:some]
    assert picture(mixed.passes_to(end)) == picture(plain)
