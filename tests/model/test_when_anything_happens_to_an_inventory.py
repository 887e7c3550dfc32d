"""When anything happens to an inventory, in any order: random commands, time and subscriptions, held against an oracle.

Two partners, their organizations and the platform's own come to the same few numbers through the real doors, on a real
PostgreSQL. After each step: every answer has the status the rules give it; a number is in the one state they give it,
with at most one party that has it; nobody sees it outside its branch (P2); no reservation has outlived its end; and
its history explains its state (N13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.model.desk import Desk, prepare
from tests.model.oracle import Oracle
from tests.model.phone import DAY, Bought, Phone, shown
from tests.model.sight import Who
from tests.model.telling import E1, E2, EAST, OWN, PARTIES, W1, WEST, parties_heard, word
from trunkline.clock import FixedClock, instant

ASKERS = (
    Who("platform-admin"),
    Who("platform-support"),
    Who("partner-admin", EAST),
    Who("partner-admin", WEST),
    Who("org-admin", E1),
    Who("org-admin", E2),
    Who("org-admin", W1),
    Who("org-admin", OWN),
    Who("member", E1),
)
ADMIN = ASKERS[0]
fresh = count(1)

askers = st.sampled_from(ASKERS)
bosses = st.sampled_from([ADMIN, ADMIN, *ASKERS[:4], ASKERS[4]])
parties = st.sampled_from([EAST, WEST, E1, E1, E2, W1, OWN])
organizations = st.sampled_from([E1, E1, E2, W1, OWN])
places = st.integers(0, 2)


@pytest.fixture(scope="module")
def desk(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One service for all examples: each has numbers and subscriptions of its own, and time only goes on."""
    url = databases.create(prepare)
    found = Desk(url, tmp_path_factory.mktemp("home"), FixedClock(datetime.now(UTC).replace(microsecond=0)))
    found.knows(*parties_heard(found.clock.now()))
    yield found
    found.close()
    databases.drop(url)


class Inventory(RuleBasedStateMachine):
    """Three numbers and all that can be done to them."""

    desk: Desk
    callers: dict[Who, Callable[..., httpx.Response]]

    def __init__(self) -> None:
        super().__init__()
        self.oracle = Oracle(PARTIES, self.desk.clock.now)
        self.names = [f"+6531{next(fresh):06}" for _ in range(3)]
        self.words: dict[str, int] = {}
        self.turn = 0
        for name in self.names:
            self.oracle.phones[name] = Phone()

    @initialize(
        quarantine=st.sampled_from([0, 0, 3, 40]), golden=st.booleans(), holder=st.sampled_from([None, EAST, E1])
    )
    def begin(self, quarantine: int, golden: bool, holder: str | None) -> None:
        """A policy, and two of the three numbers."""
        policy = {"quarantine_days": {"SG": quarantine}, "golden_only_from_reserved": golden}
        assert self.callers[ADMIN]("PUT", "/numbers/policy", {"policy": policy}).status_code == 200
        self.oracle.quarantine, self.oracle.golden_only_from_reserved = quarantine * DAY, golden
        self.add(ADMIN, 0, None)
        self.add(ADMIN, 1, holder)

    # -- commands ---------------------------------------------------------------------------------------------

    @rule(who=bosses, place=places, holder=st.none() | parties)
    def add(self, who: Who, place: int, holder: str | None) -> None:
        number = self.names[place]
        body = {"numbers": [number], "vendor": "v", "country": "SG", "sku": "s", "holder_id": holder}
        self._asked(who, number, self.oracle.add(who, number, holder), "POST", "/numbers", body)

    @rule(who=bosses, place=places, reserver=parties)
    def reserve(self, who: Who, place: int, reserver: str) -> None:
        number = self.names[place]
        self._acts(who, number, self.oracle.reserve(who, number, reserver), "reserve", reserver_id=reserver)

    @rule(who=bosses, place=places)
    def release(self, who: Who, place: int) -> None:
        self._acts(who, self.names[place], self.oracle.release(who, self.names[place]), "release")

    @rule(who=bosses, place=places)
    def lock(self, who: Who, place: int) -> None:
        self._acts(who, self.names[place], self.oracle.lock(who, self.names[place]), "lock")

    @rule(who=bosses, place=places)
    def unlock(self, who: Who, place: int) -> None:
        self._acts(who, self.names[place], self.oracle.unlock(who, self.names[place]), "unlock")

    @rule(who=bosses, place=places)
    def delete(self, who: Who, place: int) -> None:
        self._acts(who, self.names[place], self.oracle.delete(who, self.names[place]), "delete", reason="faulty")

    @rule(who=bosses, place=places)
    def recover(self, who: Who, place: int) -> None:
        self._acts(who, self.names[place], self.oracle.recover(who, self.names[place]), "recover")

    @rule(who=bosses, place=places, holder=parties)
    def allocate(self, who: Who, place: int, holder: str) -> None:
        number = self.names[place]
        body = {"numbers": [number], "holder_id": holder}
        self._asked(who, number, self.oracle.allocate(who, number, holder), "POST", "/numbers/allocate", body)

    @rule(who=bosses, place=places)
    def take_back(self, who: Who, place: int) -> None:
        number = self.names[place]
        status = self.oracle.take_back(who, number)
        self._asked(who, number, status, "POST", "/numbers/take-back", {"numbers": [number]})

    @rule(who=bosses, place=places, golden=st.booleans(), domain=st.sampled_from([None, "east.example", "top.example"]))
    def change(self, who: Who, place: int, golden: bool, domain: str | None) -> None:
        number = self.names[place]
        body: dict[str, Any] = {"golden": golden}
        domains = self.oracle.phones[number].domains
        if who == ADMIN:
            domains = frozenset({domain} if domain else ())
            body["domains"] = sorted(domains)
        status = self.oracle.change(who, number, golden=golden, domains=domains)
        self._asked(who, number, status, "PATCH", f"/numbers/{number}", body)

    @rule(who=askers, place=places, kind=st.sampled_from(["trunk", "trunk", "sms"]), user=st.sampled_from([E1, W1]))
    def bind(self, who: Who, place: int, kind: str, user: str) -> None:
        number = self.names[place]
        self._acts(who, number, self.oracle.bind(who, number, kind, user), "bind", kind=kind, user_id=user)

    @rule(who=askers, place=places, kind=st.sampled_from(["trunk", "trunk", "sms"]))
    def unbind(self, who: Who, place: int, kind: str) -> None:
        number = self.names[place]
        self._acts(who, number, self.oracle.unbind(who, number, kind), "unbind", kind=kind)

    # -- subscriptions ----------------------------------------------------------------------------------------

    @rule(organization=organizations, place=places)
    def starts(self, organization: str, place: int) -> None:
        id_ = str(uuid4())
        self.oracle.start(id_, organization, self.names[place])
        self._hears(self.oracle.bought[id_])

    @precondition(lambda self: self._bought("active"))
    @rule(data=st.data())
    def expires(self, data: st.DataObject) -> None:
        s = data.draw(st.sampled_from(self._bought("active")))
        self.oracle.expire(s)
        self._hears(s)

    @precondition(lambda self: self._bought("expired"))
    @rule(data=st.data())
    def is_reactivated(self, data: st.DataObject) -> None:
        s = data.draw(st.sampled_from(self._bought("expired")))
        self.oracle.reactivate(s)
        self._hears(s)

    @precondition(lambda self: self._bought("active", "expired"))
    @rule(data=st.data())
    def is_terminated(self, data: st.DataObject) -> None:
        s = data.draw(st.sampled_from(self._bought("active", "expired")))
        self.oracle.terminate(s)
        self._hears(s)

    @precondition(lambda self: self._bought("active", "expired"))
    @rule(who=bosses, place=places, data=st.data())
    def assign(self, who: Who, place: int, data: st.DataObject) -> None:
        number, s = self.names[place], data.draw(st.sampled_from(self._bought("active", "expired")))
        self._acts(who, number, self.oracle.assign(who, number, s), "assign", subscription_id=s.id)

    @precondition(lambda self: self._bought("active"))
    @rule(who=bosses, place=places, other=places, data=st.data())
    def swap(self, who: Who, place: int, other: int, data: st.DataObject) -> None:
        s = data.draw(st.sampled_from(self._bought("active")))
        old, new = s.number if place else self.names[other], self.names[place]
        body = {"subscription_id": s.id, "old_number": old, "new_number": new, "remark": "as asked"}
        self._asked(who, new, self.oracle.swap(who, s, old, new), "POST", "/numbers/swap", body)
        self._check(old)

    def _bought(self, *statuses: str) -> list[Bought]:
        return [s for s in self.oracle.bought.values() if s.status in statuses]

    def _hears(self, s: Bought) -> None:
        """Licensing says how the subscription stands now; it is said twice, which changes nothing (X3)."""
        self.words[s.id] = self.words.get(s.id, 0) + 1
        said = word(s, self.words[s.id], self.desk.clock.now())
        self.desk.hears([said])
        self.desk.hears([said])
        self.desk.clock.advance(timedelta(seconds=1))  # what is had and swapped in one instant was never had
        self._waits(s)
        self._check(s.number)

    def _waits(self, s: Bought) -> None:
        told = self.callers[ADMIN]("GET", f"/numbers/subscriptions/{s.id}").json()
        assert (told["refused"] or {}).get("code") == s.refused

    # -- time -------------------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 23, 24, 6 * 24, 21 * 24, 28 * 24, 29 * 24, 56 * 24]), timers=st.booleans())
    def time_passes(self, hours: int, timers: bool) -> None:
        """Timers run, or are late: what people see is the same."""
        self.desk.clock.advance(timedelta(hours=hours))
        if timers:
            self.desk.timers_run()
            self.oracle.timers_run()
        for number in self.names:
            self._agrees(ADMIN, number)

    # -- what must be so --------------------------------------------------------------------------------------

    def _acts(self, who: Who, number: str, status: int, verb: str, **body: Any) -> None:
        remark = {} if verb in ("bind", "unbind") else {"remark": "as asked"}
        self._asked(who, number, status, "POST", f"/numbers/{number}/{verb}", body | remark)

    def _asked(self, who: Who, number: str, status: int, method: str, path: str, body: Any) -> None:
        answer = self.callers[who](method, path, body)
        self.desk.clock.advance(timedelta(seconds=1))  # two things of one instant have no order
        assert answer.status_code == status, f"{who.role} {method} {path} {body}: {answer.status_code} {answer.text}"
        self._check(number, ADMIN, who, self._next_asker())

    def _check(self, number: str, *askers: Who) -> None:
        for who in askers or (ADMIN, self._next_asker()):
            self._agrees(who, number)

    def _next_asker(self) -> Who:
        self.turn += 1
        return ASKERS[self.turn % len(ASKERS)]

    def _agrees(self, who: Who, number: str) -> None:
        """What somebody is shown of the number is what the rules give it, and nothing where they give nothing."""
        p = self.oracle.view(number)
        answer = self.callers[who]("GET", f"/numbers/{number}")
        assert answer.status_code == self.oracle.may(who, "see", p), f"{who}: {answer.text}"
        if answer.status_code != 200:
            return
        body = answer.json()
        found = {name: body[name] for name in shown(p, lambda party: True)}
        found["bindings"] = {b["kind"]: b["user_id"] for b in body["bindings"]}
        for name in ("ends_at", "quarantined_until"):
            found[name] = None if found[name] is None else instant(found[name])
        assert found == shown(p, lambda party: party is not None and self.oracle.holds(who, party))
        assert found["ends_at"] is None or found["ends_at"] > self.desk.clock.now(), "it has outlived its end"
        having = [name for name in ("organization_id", "reserver_id") if body[name] is not None]
        assert len(having) <= 1, "two parties have it"

    def _explained(self, number: str) -> None:
        """Every state follows from the one before by an event that may do so, each with who and why (N13)."""
        items = self.callers[ADMIN]("GET", f"/numbers/{number}/history", params={"limit": 500}).json()["items"]
        state, at = "absent", ""
        for item in items:
            before, after = STEPS.get(item["event"], (None, None))
            assert before is None or state in before, f"{item['event']} while {state}"
            state = after or state
            assert item["state"] == state, f"{item['event']} leaves it {item['state']}"
            assert item["occurred_at"] >= at, "the history goes back in time"
            assert item["actor"]
            assert item["causation_id"]
            assert item["remark"] == "as asked" or item["event"] not in BY_HAND or not item["actor"].startswith("user:")
            at = item["occurred_at"]
        assert state == self.oracle.phones[number].state

    def teardown(self) -> None:
        """In the end, when all timers have run, everybody sees what they should."""
        self.desk.timers_run()
        self.oracle.timers_run()
        for number in self.names:
            self._check(number, *ASKERS)
            if self.oracle.phones[number].state != "absent":
                self._explained(number)
        for s in self.oracle.bought.values():
            self._waits(s)


STEPS: dict[str, tuple[tuple[str, ...] | None, str | None]] = {
    "NumberAdded": (("absent",), "available"),
    "NumberReserved": (("available", "reserved", "assigned"), "reserved"),
    "ReservationEnding": (("reserved",), None),
    "ReservationExpired": (("reserved",), None),
    "NumberReleased": (("reserved",), "available"),
    "NumberAssigned": (("available", "reserved"), "assigned"),
    "NumberLocked": (("available",), "locked"),
    "LockEnding": (("locked",), None),
    "LockExpired": (("locked",), "available"),
    "NumberUnlocked": (("locked",), "available"),
    "NumberDeleted": (("available", "locked"), "deleted"),
    "NumberRecovered": (("deleted",), "available"),
    "QuarantineEnded": (("available",), None),
}
"""Event -> the states it may happen in, the state after it; None: any, or the same."""
BY_HAND = ("NumberLocked", "NumberUnlocked", "NumberDeleted", "NumberRecovered")


@pytest.mark.filterwarnings("ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning")
def test_then_every_answer_and_every_state_is_what_the_rules_say(desk: Desk) -> None:
    """Random stories, held against an oracle.

    N1, N2, N3, N6, N7, N8, N9, N10, N13, N15, R4, R5, R6, R7, R8, R10, S4, S6, P2, P3, §10.5, §10.8, §10.10.
    """
    Inventory.desk = desk
    Inventory.callers = {who: desk.caller(who.role, who.party) for who in ASKERS}  # type: ignore[arg-type]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Inventory,
        settings=settings(
            max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
