"""When a fact arrives after others have got the number, it ends where the facts in their order put it (X4, N4, S6).

Each history is one that the campaign found, made as small as it gets; the oracle says what is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.pair import Pair, prepare_licensing, prepare_numbers
from tests.model.convergence.checking import Example, check
from tests.model.convergence.facts import DAY, Act, Fact, Hours, Kind, Sold
from tests.model.convergence.histories import TRUNK, History, Step
from tests.model.convergence.product import START
from tests.model.convergence.stage import Stage


def at(day: int, hour: int = 0) -> Hours:
    """An instant of a history."""
    return day * DAY + hour


def fact(id_: int, subscription: str, kind: Kind, when: Hours, number: str = "", old: str = "") -> Fact:
    """A fact in the order of instants."""
    return Fact(id_, subscription, kind, when, number=number, old=old)


def reservations(id_: int, quantity: int = 1) -> Fact:
    """D pays for so many reservations, thirty days at a time."""
    return Fact(id_, "D", "started", 0, product="did_reservation", quantity=quantity, plan=30 * DAY)


def example(
    facts: list[Fact],
    days: list[tuple[int, int]],
    last_day: int,
    acts: tuple[Act, ...] = (),
    *,
    organizations: str = "",
    absent: str = "",
    timers: bool = True,
    quarantine: int = 0,
) -> Example:
    """A history, and on which day which fact, by its id, is received; acts happen at their own instants.

    Args:
        facts: of any subscriptions.
        days: in the order in which they are received.
        last_day: at the end of it all is compared.
        acts: of people, each after the facts of its day.
        organizations: the names of subscriptions that are another organization's.
        absent: numbers that are not added at the beginning.
        timers: whether they run before each step.
        quarantine: its days.
    """
    by_id = {each.id: each for each in facts}
    names = sorted({each.subscription for each in facts})
    sold = {name: Sold("O2" if name in organizations else "O1", rank) for rank, name in enumerate(names)}
    steps = [Step(day, (by_id[id_],), timers=timers) for day, id_ in days]
    steps += [Step(act.at // DAY, act=act, timers=timers) for act in acts]
    steps.sort(key=lambda step: (step.day, step.act is not None))
    history = History(sold, tuple(facts), acts, quarantine, absent, last_day)
    return Example(0, history, tuple(steps), 0)


def chain_before(*acts: Act, quarantine: int = 0, organizations: str = "") -> Example:
    """S had B for ten days, which is received after people have acted on it: when it gave A up follows from it."""
    facts = [
        fact(1, "S", "started", at(1, 5), "A"),
        fact(2, "S", "swapped", at(2, 5), "B", "A"),
        fact(3, "S", "swapped", at(12, 5), "D", "B"),
    ]
    days = [(56, 3), (62, 2), (128, 1)]
    return example(facts, days, 130, acts, quarantine=quarantine, organizations=organizations)


def lost_to_another(*, early: bool, timers: bool = True) -> Example:
    """T gets A back for half a day, when S had left it for B, which was locked until then."""
    facts = [
        fact(1, "S", "started", at(45, 16), "A"),
        fact(2, "S", "swapped", at(48, 4), "B", "A"),
        fact(3, "T", "started", at(30, 5), "A"),
        fact(4, "T", "expired", at(31, 5)),
        fact(5, "T", "reactivated", at(88, 5)),
        fact(6, "T", "swapped", at(88, 17), "D", "A"),
    ]
    days = [(30, 3), (31, 4), (45, 1), (48, 2), *([(88, 5), (88, 6)] if early else [(88, 6), (125, 5)])]
    return example(facts, days, 130, (Act(at(35, 23), "lock", "B"),), timers=timers)


def renewed_anew(days: list[tuple[int, int]]) -> Example:
    """Two renewals, the one that is numbered last dated before the other one: it is the one that counts (D10.12)."""
    facts = [
        Fact(1, "D", "started", 0, 1, product="did_reservation", quantity=1, plan=30 * DAY),
        Fact(2, "D", "renewed", at(32, 9), 2, until=110 * DAY),
        Fact(3, "D", "renewed", at(32, 1), 3, until=140 * DAY),
    ]
    acts = (Act(at(0, 23), "reserve", "C", party="O1"), Act(at(11, 23), "extend", "C", subscription="D"))
    return example(facts, days, 45, acts)


def had_twice(*acts: Act, other: str = "") -> Example:
    """S had A twice, which was believed to be once; others have acted on A when that is known: C was had in between."""
    facts = [
        Fact(1, "S", "started", at(2, 3), 1, number="A"),
        Fact(2, "S", "swapped", at(31, 3), 2, number="C", old="A"),
        Fact(3, "S", "swapped", at(31, 15), 3, number="A", old="C"),
        Fact(4, "S", "swapped", at(31, 19), 4, number="B", old="A"),
    ]
    days = [(10, 1), (31, 3), (31, 4), (40, 2)]
    if other:
        facts.append(fact(5, "T", "started", at(33, 5), "A"))
        days.append((33, 5))
    return example(facts, days, 45, acts, organizations="T" if other == "O2" else "")


def renewed_late(*days: tuple[int, int], organizations: str = "S") -> Example:
    """S waits for what D pays for and gets it, as neither its swap nor D's renewal is known when that would be over."""
    facts = [
        reservations(1),
        Fact(2, "D", "renewed", at(50, 13), until=95 * DAY),
        fact(3, "S", "started", at(2, 14), "A"),
        fact(4, "S", "swapped", at(31, 14), "D", "A"),
    ]
    acts = (Act(at(0, 23), "reserve", "A", party="O1"), Act(at(1, 23), "extend", "A", subscription="D"))
    return example(facts, [(0, 1), (16, 3), *days], 136, acts, organizations=organizations)


def had_in_between(second_loss: Kind) -> Example:
    """T had A while S was expired, which arrives when S has had A again and lost it again: since then it is free."""
    number, old = ("C", "A") if second_loss == "swapped" else ("", "")
    facts = [
        fact(1, "S", "started", at(2, 3), "A"),
        fact(2, "S", "expired", at(14, 8)),
        fact(3, "S", "reactivated", at(24, 8)),
        fact(4, "S", second_loss, at(53, 8), number, old),
        fact(5, "T", "started", at(2, 13), "A"),
        fact(6, "T", "expired", at(17, 13)),
    ]
    return example(facts, [(61, 1), (91, 6), (93, 2), (96, 4), (97, 3), (130, 5)], 132)


HISTORIES = {
    "what another one of the organization had in an expiry it had, for however short (N9)": example(
        [
            Fact(1, "S", "started", at(2, 17), 1, number="A"),
            Fact(2, "S", "swapped", at(34, 5), 2, number="D", old="C"),
            Fact(3, "S", "terminated", at(34, 5), 3),
            Fact(4, "T", "started", at(0, 11), 1, number="A"),
            Fact(5, "T", "swapped", at(29, 11), 2, number="D", old="A"),
            Fact(6, "T", "expired", at(29, 19), 3),
            Fact(7, "T", "reactivated", at(34, 19), 4),
        ],
        [(0, 4), (5, 3), (6, 1), (29, 5), (32, 6), (34, 7), (35, 2)],
        70,
    ),
    "a paid number that was restored and swapped at once frees its unit (N4)": example(
        [
            reservations(1),
            fact(2, "S", "started", at(2, 10), "A"),
            fact(3, "S", "expired", at(2, 19)),
            fact(4, "S", "reactivated", at(63, 7)),
            fact(5, "S", "swapped", at(63, 8), "D", "C"),
        ],
        [(2, 2), (4, 1), (5, 3), (49, 5), (65, 4)],
        67,
        (Act(at(20, 23), "extend", "A", subscription="D"),),
    ),
    "what was had until an expiry was had, also where it did not come back (N9)": example(
        [
            fact(1, "T", "started", at(103, 4), "A"),
            Fact(2, "S", "started", at(30), 1, number="A"),
            Fact(3, "S", "swapped", at(30, 1), 2, number="C", old="A"),
            Fact(4, "S", "swapped", at(30, 6), 3, number="A", old="C"),
            Fact(5, "S", "expired", at(90, 6), 4),
            Fact(6, "S", "reactivated", at(140, 6), 5),
        ],
        [(90, 5), (103, 1), (140, 6), (154, 3), (165, 2), (171, 4)],
        173,
    ),
    "whose organization it was kept for could have it first, also when all is over (S6)": example(
        [
            fact(1, "S", "started", at(0, 14), "B"),
            fact(2, "S", "swapped", at(10, 14), "A", "B"),
            fact(3, "T", "started", at(45), "A"),
            fact(4, "U", "started", at(10, 8), "A"),
            fact(5, "U", "terminated", at(67, 19)),
        ],
        [(3, 1), (10, 4), (10, 2), (47, 3), (98, 5)],
        100,
        organizations="S",
    ),
    "... but not who came to name it later": example(
        [
            fact(1, "S", "started", at(0, 14), "A"),
            fact(2, "T", "started", at(98, 1), "A"),
            fact(4, "U", "started", at(0, 8), "A"),
            fact(5, "U", "terminated", at(67, 19)),
        ],
        [(3, 4), (10, 1), (98, 2), (99, 5)],
        100,
        organizations="S",
    ),
    "who named it after it had come back does not get it in between (N9, S6)": example(
        [
            Fact(1, "S", "started", at(2, 5), 1, number="B"),
            Fact(2, "S", "swapped", at(61, 5), 2, number="D", old="A"),
            Fact(3, "S", "swapped", at(90, 5), 3, number="B", old="D"),
            Fact(4, "S", "swapped", at(91, 5), 4, number="D", old="B"),
            Fact(5, "T", "started", at(45, 4), 1, number="A"),
            Fact(6, "T", "swapped", at(105, 4), 2, number="D", old="A"),
        ],
        [(11, 1), (49, 5), (80, 2), (105, 6), (122, 4), (126, 3)],
        130,
    ),
    "what another one had in an expiry moves nothing after it (X4)": had_in_between("swapped"),
    "... nor after a second expiry": had_in_between("expired"),
    "what was had twice is had twice behind a lock (N9, X4)": had_twice(Act(at(32, 23), "lock", "A")),
    "... behind a person's reservation": had_twice(Act(at(32, 23), "reserve", "A", party="O2")),
    "... behind another one's assignment": had_twice(other="O1"),
    "... behind another organization's assignment": had_twice(other="O2"),
    "what was got for want of a renewal is paid for again (N4)": renewed_late((133, 2), (134, 4)),
    "... when the swap arrives first": renewed_late((133, 4), (134, 2)),
    "... when it is received ahead of its instant": renewed_late((18, 2), (133, 4)),
    "the renewal that is last by sequence counts, in whatever order they arrive (N4)": renewed_anew(
        [(0, 1), (32, 2), (32, 3)]
    ),
    "... the other way round": renewed_anew([(0, 1), (32, 3), (33, 2)]),
    "... also ahead of their instants (D10.14)": renewed_anew([(0, 1), (21, 3), (29, 2)]),
    "what was had before a person reserved it for another one was left then (N9, X4)": chain_before(
        Act(at(47, 23), "reserve", "B", party="O2"),
    ),
    "... or for the same one": chain_before(Act(at(47, 23), "reserve", "B", party="O1")),
    "... or while that reservation goes on": chain_before(Act(at(120, 23), "reserve", "B", party="O2")),
    "... or released it since": chain_before(
        Act(at(47, 23), "reserve", "B", party="O2"), Act(at(60, 23), "release", "B")
    ),
    "... or locked it": chain_before(Act(at(47, 23), "lock", "B")),
    "... or locked it, and still does": chain_before(Act(at(120, 23), "lock", "B")),
    "... or unlocked it since": chain_before(Act(at(47, 23), "lock", "B"), Act(at(50, 23), "unlock", "B")),
    "... or deleted it": chain_before(Act(at(47, 23), "delete", "B")),
    "... or recovered it since": chain_before(Act(at(47, 23), "delete", "B"), Act(at(50, 23), "recover", "B")),
    "... or reserved it when its quarantine was over (N15)": chain_before(
        Act(at(47, 23), "reserve", "B", party="O2"), quarantine=10
    ),
    "... or locked it in its quarantine (N15)": chain_before(Act(at(14, 23), "lock", "B"), quarantine=10),
    "what was had behind another one's time and a person's reservation": example(
        [
            fact(1, "S", "started", at(10, 15), "B"),
            fact(3, "S", "swapped", at(87, 15), "C", "B"),
            fact(9, "T", "started", at(5, 8), "A"),
            fact(12, "T", "swapped", at(82, 8), "B", "D"),
            fact(14, "T", "terminated", at(92, 19)),
        ],
        [(150, 9), (154, 3), (167, 1), (188, 14), (188, 12)],
        190,
        (Act(at(169, 23), "reserve", "B", party="O2"),),
        organizations="T",
    ),
    "what is kept for want of another one is had since it came back (N9)": example(
        [
            fact(1, "S", "started", at(5, 6), "B"),
            fact(2, "S", "swapped", at(34, 6), "A", "B"),
            fact(3, "S", "expired", at(35, 6)),
            fact(4, "T", "started", at(36, 14), "B"),
            fact(5, "T", "swapped", at(98, 15), "A", "C"),
        ],
        [(36, 4), (86, 1), (98, 5), (104, 2), (133, 3)],
        140,
    ),
    "what did not come back after an expiry is waited for in its second time (S6)": lost_to_another(early=True),
    "... before its timer has run": lost_to_another(early=True, timers=False),
    "... also where the reactivation arrives last": lost_to_another(early=False),
    "... and before its timer has run": lost_to_another(early=False, timers=False),
    "a paid number that is taken and lost at one instant frees its unit (N4)": example(
        [
            reservations(1),
            fact(2, "S", "started", at(2, 14), "A"),
            fact(3, "S", "swapped", at(12, 14), "B", "A"),
            fact(4, "S", "terminated", at(12, 14)),
            fact(5, "D", "terminated", at(84, 5)),
        ],
        [(0, 1), (2, 2), (12, 3), (12, 4), (84, 5)],
        90,
        (
            Act(at(0, 23), "reserve", "B", party="O1"),
            Act(at(2, 23), "reserve", "D", party="O1"),
            Act(at(11, 23), "extend", "B", subscription="D"),
            Act(at(20, 23), "extend", "D", subscription="D"),
        ),
    ),
    "a paid number that another got when it had run out was released earlier (N4)": example(
        [reservations(1), fact(2, "S", "started", at(2, 11), "A"), fact(3, "D", "expired", at(58))],
        [(0, 1), (2, 2), (58, 3)],
        60,
        (Act(at(0, 23), "reserve", "A", party="O1"), Act(at(1, 23), "extend", "A", subscription="D")),
        organizations="S",
    ),
    "what was over before the number was added never had it (S6)": example(
        [fact(1, "S", "started", at(1, 2), "B"), fact(2, "S", "expired", at(1, 3))],
        [(59, 1), (64, 2)],
        70,
        (Act(at(5, 23), "add", "B"),),
        absent="B",
    ),
    "a swap to a number that is added later waits, and keeps the old one (N9)": example(
        [
            fact(1, "S", "started", at(1, 6), "B"),
            fact(2, "S", "swapped", at(3, 6), "C", "B"),
            fact(3, "S", "swapped", at(4, 6), "B", "C"),
        ],
        [(15, 2), (15, 3), (15, 1)],
        20,
        (Act(at(8, 23), "add", "B"),),
        absent="B",
    ),
    "what was had before an assignment that did not count is reserved after it": example(
        [
            fact(1, "S", "started", at(0, 16), "B"),
            fact(2, "S", "swapped", at(1, 19), "C", "B"),
            fact(3, "S", "terminated", at(12, 19)),
            fact(4, "T", "started", at(45, 1), "B"),
            fact(5, "T", "expired", at(106, 1)),
            fact(6, "T", "swapped", at(111, 1), "C", "D"),
        ],
        [(32, 2), (95, 4), (146, 6), (158, 1), (167, 3), (167, 5)],
        170,
    ),
    "what was had and left before another one left it (N9)": example(
        [
            fact(1, "S", "started", at(30, 15), "A"),
            fact(2, "S", "swapped", at(80, 7), "C", "A"),
            fact(3, "S", "swapped", at(85, 7), "A", "C"),
            fact(4, "T", "started", at(115, 16), "A"),
            fact(5, "T", "swapped", at(116, 16), "C", "A"),
            fact(6, "T", "expired", at(116, 17)),
        ],
        [(30, 1), (85, 3), (116, 5), (116, 6), (180, 4), (180, 2)],
        182,
    ),
    "a reactivation that was followed by the end takes nothing from who has it since": example(
        [
            fact(1, "S", "started", at(10, 13), "A"),
            fact(2, "S", "expired", at(99, 13)),
            fact(3, "S", "reactivated", at(107, 13)),
            fact(4, "S", "terminated", at(136, 13)),
            fact(5, "T", "started", at(166, 5), "A"),
            fact(6, "T", "swapped", at(171, 6), "B", "A"),
        ],
        [(99, 2), (128, 1), (171, 5), (171, 6), (171, 3), (171, 4)],
        175,
    ),
    "a reactivation and an end behind a tenure of no duration (D10.5)": example(
        [
            fact(1, "S", "started", at(1, 1), "A"),
            fact(2, "S", "expired", at(2, 13)),
            fact(3, "S", "reactivated", at(59, 18)),
            fact(4, "S", "terminated", at(59, 19)),
            fact(5, "T", "started", at(37, 17), "A"),
            fact(6, "T", "terminated", at(37, 17)),
        ],
        [(10, 2), (21, 1), (56, 5), (60, 4), (66, 6), (66, 3)],
        70,
    ),
    "who waited gets the number when it was left, not when it was believed to be": example(
        [
            fact(1, "S", "started", at(30, 6), "A"),
            fact(2, "S", "swapped", at(87, 6), "D", "A"),
            fact(3, "S", "swapped", at(87, 18), "C", "D"),
            fact(4, "T", "started", at(45, 13), "A"),
        ],
        [(30, 1), (45, 4), (87, 3), (87, 2)],
        90,
    ),
    "the oldest start gets what was named at another time than was known": example(
        [
            fact(1, "S", "started", at(10, 9), "B"),
            fact(2, "S", "swapped", at(30, 9), "C", "D"),
            fact(3, "S", "started", at(30, 10), "B"),
            fact(4, "T", "started", at(5, 8), "B"),
        ],
        [(31, 3), (32, 4), (78, 2), (105, 1)],
        110,
    ),
    "what came back from another one was given up for good when it came first (N9)": example(
        [
            fact(1, "S", "started", at(0, 8), "A"),
            fact(2, "S", "swapped", at(20, 8), "B", "A"),
            fact(3, "S", "expired", at(78, 8)),
            fact(4, "S", "reactivated", at(98, 8)),
            fact(5, "S", "terminated", at(158, 8)),
            fact(6, "T", "started", at(2, 10), "B"),
            fact(7, "T", "swapped", at(23, 10), "D", "C"),
            fact(8, "T", "swapped", at(24, 11), "B", "A"),
            fact(9, "T", "terminated", at(101, 11)),
        ],
        [(0, 1), (2, 6), (20, 2), (23, 7), (24, 8), (78, 3), (98, 4), (101, 9), (158, 5)],
        160,
    ),
    "what was named for a time before another one had it was had then (N9)": example(
        [
            fact(1, "S", "started", at(45, 12), "A"),
            fact(2, "S", "swapped", at(45, 13), "B", "A"),
            fact(3, "S", "swapped", at(46, 13), "C", "B"),
            fact(4, "T", "started", at(67, 7), "B"),
            fact(5, "T", "swapped", at(96, 7), "D", "C"),
        ],
        [(45, 2), (67, 4), (91, 1), (114, 5), (119, 3)],
        120,
    ),
    "a paid number that was released and reserved again frees its unit at the release (N4)": example(
        [reservations(1, 2), Fact(2, "D", "quantity_changed", at(6), quantity=1)],
        [(0, 1), (10, 2)],
        45,
        (
            Act(at(0, 23), "reserve", "B", party="O1"),
            Act(at(1, 23), "extend", "B", subscription="D"),
            Act(at(2, 23), "reserve", "C", party="O1"),
            Act(at(3, 23), "extend", "C", subscription="D"),
            Act(at(5, 23), "release", "B"),
            Act(at(8, 23), "reserve", "B", party="O1"),
        ),
    ),
    "a free part ends at the latest end of the facts, whatever is charged (D10.12, N4)": example(
        [
            reservations(1),
            fact(2, "D", "terminated", at(47)),
            fact(3, "S", "started", at(5, 8), "A"),
            fact(4, "S", "expired", at(5, 19)),
            fact(5, "S", "terminated", at(36, 19)),
        ],
        [(0, 1), (5, 3), (5, 4), (36, 5), (47, 2)],
        80,
        (Act(at(18, 23), "extend", "A", subscription="D"),),
    ),
    "an expiry that arrives after the end says since when the number was left (D10.5, S6)": example(
        [
            fact(1, "S", "started", at(45, 3), "A"),
            fact(2, "T", "started", at(20, 15), "A"),
            fact(3, "T", "expired", at(45, 15)),
            fact(4, "T", "terminated", at(84, 15)),
        ],
        [(20, 2), (84, 4), (91, 3), (91, 1)],
        95,
    ),
    "an act finds what fell due of the number that its subscription waits for (N9, N10, S6)": example(
        [
            reservations(1),
            fact(2, "S", "started", at(30, 10), "A"),
            fact(3, "S", "swapped", at(30, 10), "C", "A"),
        ],
        [(2, 1), (32, 3), (34, 2)],
        185,
        (
            Act(at(2, 23), "reserve", "C", party="O1"),
            Act(at(3, 23), "extend", "C", subscription="D"),
            Act(at(180, 23), "bind", "A", user=TRUNK),
        ),
        organizations="S",
        timers=False,
    ),
    "what a person reserved after a swap that arrives late stands (D10.10)": example(
        [fact(1, "S", "started", at(0, 17), "B"), fact(2, "S", "swapped", at(0, 19), "C", "B")],
        [(20, 2), (25, 1)],
        28,
        (Act(at(2, 23), "reserve", "B", party="O1"),),
    ),
    "what a person reserved for a time after it stands as well (D10.10)": example(
        [fact(1, "S", "started", at(0, 17), "B"), fact(2, "S", "swapped", at(0, 19), "C", "B")],
        [(63, 2), (120, 1)],
        125,
        (Act(at(2, 23), "reserve", "B", party="O1"),),
    ),
    "a start that takes a person's reservation gives it back when its swap arrives (D10.10)": example(
        [fact(1, "S", "started", at(36, 14), "B"), fact(2, "S", "swapped", at(46, 14), "D", "B")],
        [(53, 1), (83, 2)],
        85,
        (Act(at(47, 23), "reserve", "B", party="O1"),),
    ),
    "a binding that rests with an expiry ends where another subscription gets the number (X5)": example(
        [
            fact(1, "S", "started", at(10, 6), "A"),
            fact(2, "S", "expired", at(39, 6)),
            fact(3, "T", "started", at(73, 13), "A"),
        ],
        [(10, 1), (39, 2), (73, 3)],
        80,
        (Act(at(14, 23), "bind", "A", user=TRUNK),),
    ),
    "that a number is another one's is the reason before that it is not seen (S6, §3)": example(
        [fact(1, "S", "started", at(2, 13), "B"), fact(2, "T", "started", at(62, 16), "B")],
        [(2, 1), (62, 2)],
        80,
        (Act(at(77, 23), "allocate", "B", party="O2"),),
        organizations="S",
    ),
}


@pytest.fixture(scope="module")
def differences(databases: Any) -> Iterator[dict[str, tuple[str, ...]]]:
    """What differs from the oracle, of each history; all are played at once."""
    urls = databases.create(prepare_licensing), databases.create(prepare_numbers)
    pair = Pair(*urls, START)
    checked = check(Stage(pair), list(HISTORIES.values()))
    assert [each.undetermined for each in checked] == [None] * len(checked)
    yield {name: each.differs for name, each in zip(HISTORIES, checked, strict=True)}
    pair.close()
    for url in urls:
        databases.drop(url)


@pytest.mark.parametrize("name", HISTORIES)
def test_then_it_ends_as_the_oracle(differences: dict[str, tuple[str, ...]], name: str) -> None:
    """X4, S6, N4, N9, X5, §10.5, §10.12."""
    assert differences[name] == ()
