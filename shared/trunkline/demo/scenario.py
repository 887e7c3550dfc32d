"""What happens, day by day. Everything goes over HTTP, as any user's doing would, and nothing waits for a time to pass.

Waiting is asking until something is so: that licensing has told numbers, that nothing is due any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from trunkline.cli.client.api_client import ApiClient
from trunkline.cli.terminal.options import SERVICES
from trunkline.clock import DAY, rfc3339
from trunkline.demo.billing_simulator import Biller
from trunkline.demo.cast import (
    BAKERY,
    CLINIC,
    EXPIRING,
    KEPT,
    LATE,
    LISTING,
    NUMBERS,
    ORGANIZATIONS,
    PARTNER,
    PARTNER_ID,
    RETURNING,
    SWAPPED,
    SWAPPED_IN,
    TERMINATED,
    name_of,
    short,
)

_PATIENCE_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.01
_MORNING, _LATER = timedelta(hours=9), timedelta(hours=10)


class TookTooLong(Exception):
    """Something that had to happen did not; the message says what."""


@dataclass(frozen=True)
class Seen:
    """A number as it was found in a scene."""

    number: str
    state: str
    party: str | None
    cause: str | None
    until: str | None


@dataclass(frozen=True)
class Scene:
    """Something happened: on which day of the story, what, what came of it, and what else is to be said."""

    day: int
    at: str
    title: str
    seen: list[Seen] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass
class Said:
    """What the story keeps beside the numbers' own histories."""

    began: datetime
    late_verdicts: list[str] = field(default_factory=list)
    late_heard_at: str = ""
    deliveries: int = 0
    duplicates: int = 0
    new_events: int = 0


class Story:
    """One telling."""

    def __init__(self, operator: ApiClient, billing: ApiClient, report: Callable[[Scene], None]) -> None:
        """Prepare.

        Args:
            operator: an administrator of the platform, who may operate too.
            billing: the billing system's own access.
            report: hears of each scene when it is over.
        """
        self._operator = operator
        self._biller = Biller(billing)
        self._tell = report
        now = datetime.fromisoformat(operator.get("/numbers/operate/clock")["now"])
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        self.said = Said(began=midnight)

    def run(self) -> None:
        """Tell it from beginning to end.

        Raises:
            TookTooLong: something did not happen.
            Ended: a request was refused, or nobody answers.
        """
        self._enter_everybody()
        self._numbers_are_sold()
        self._one_is_swapped()
        self._three_end()
        self._one_is_heard_late()
        self._terminated_comes_free()
        self._one_returns()
        self._expired_come_free()
        self._billing_repeats_itself()

    # -- the scenes -------------------------------------------------------------------------------------------

    def _enter_everybody(self) -> None:
        self._operator.post("/licensing/partners", PARTNER)
        for o in ORGANIZATIONS:
            body = {"organization_id": o.id, "partner_id": PARTNER_ID, "name": o.name, "billing_email": o.billing_email}
            self._operator.post("/licensing/organizations", body)
        self._settle()
        self._operator.post("/numbers", {"numbers": list(NUMBERS), **LISTING})
        title = f"{PARTNER['name']} has two customers and eight numbers to sell"
        self._scene(-1, title, (), f"{NUMBERS[0]} to {short(NUMBERS[-1])}; {BAKERY.name} and {CLINIC.name}")

    def _numbers_are_sold(self) -> None:
        self._go_to(0)
        sold = ((EXPIRING, BAKERY), (TERMINATED, BAKERY), (SWAPPED, CLINIC), (RETURNING, CLINIC), (KEPT, BAKERY))
        self._biller.deliver(*(self._biller.started(number, o, self._morning(0)) for number, o in sold))
        self._settle()
        self._scene(0, "Billing: five subscriptions start", [number for number, _ in sold])

    def _one_is_swapped(self) -> None:
        self._go_to(1)
        self._biller.deliver(self._biller.swapped(SWAPPED, SWAPPED_IN, self._morning(1)))
        self._settle()
        self._scene(1, f"Billing: {short(SWAPPED)} is swapped for {short(SWAPPED_IN)}", [SWAPPED, SWAPPED_IN])

    def _three_end(self) -> None:
        self._go_to(3)
        at = self._morning(3)
        self._biller.deliver(
            self._biller.happened("expired", EXPIRING, at),
            self._biller.happened("expired", RETURNING, at),
            self._biller.happened("terminated", TERMINATED, at),
        )
        self._settle()
        title = f"Billing: two expire, one is terminated; {short(SWAPPED)} is free again"
        self._scene(3, title, [EXPIRING, RETURNING, TERMINATED, SWAPPED])

    def _one_is_heard_late(self) -> None:
        """An expiry a week late and before the start of its own subscription (S7, DOMAIN §10.10, §10.12)."""
        self._go_to(10)
        started = self._biller.started(LATE, CLINIC, self._morning(0))
        expired = self._biller.happened("expired", LATE, self._morning(3))
        for event in (expired, started):
            self.said.late_verdicts += [result["verdict"] for result in self._biller.deliver(event)]
        self.said.late_heard_at = self._operator.get("/numbers/operate/clock")["now"]
        self._settle()
        title = f"Billing, a week late: the end of {short(LATE)}, and then its start"
        self._scene(10, title, [LATE], "kept for 56 days from day 3: late and reversed, it ends the same")

    def _terminated_comes_free(self) -> None:
        self._go_to(24)
        self._scene(24, f"7 days before the end {BAKERY.name} is told by e-mail", [TERMINATED], *self._mails(1))
        self._go_to(31)
        self._settle()
        self._scene(31, "28 days after its termination", [TERMINATED])

    def _one_returns(self) -> None:
        self._go_to(52)
        mails = self._mails(4)[:3]
        self._scene(52, "7 days before the end both customers are told by e-mail", [EXPIRING, RETURNING, LATE], *mails)
        self._go_to(53)
        self._biller.deliver(self._biller.happened("reactivated", RETURNING, self._morning(53)))
        self._settle()
        self._scene(53, f"Billing: {CLINIC.name} renews {short(RETURNING)} in time", [RETURNING])

    def _expired_come_free(self) -> None:
        self._go_to(59)
        self._settle()
        self._scene(59, "56 days after their expiry", [EXPIRING, LATE, RETURNING])

    def _billing_repeats_itself(self) -> None:
        before = self._ends()
        results = self._biller.repeat() + self._biller.repeat()
        self._settle()
        self.said.deliveries = len(results)
        self.said.duplicates = sum(result["verdict"] == "duplicate" for result in results)
        self.said.new_events = self._ends() - before
        self._scene(
            59,
            "Billing repeats all it ever said, twice, the last first",
            (),
            f"{self.said.duplicates} of {self.said.deliveries} were heard before; new events: {self.said.new_events}",
        )

    # -- how --------------------------------------------------------------------------------------------------

    def _morning(self, day: int) -> datetime:
        return self.said.began + day * DAY + _MORNING

    def _go_to(self, day: int) -> None:
        """Move both services' clocks to a day, an hour after what happens in its morning."""
        at = rfc3339(self.said.began + day * DAY + _LATER)
        for service in SERVICES:
            self._operator.post(f"/{service}/operate/clock/set", {"at": at})

    def _settle(self) -> None:
        """Until numbers has heard all that licensing says, and nothing is due."""
        _until("numbers hears of it", lambda: self._operator.get("/licensing/operate/doctor")["unpublished"] == 0)
        _until("what is due is done", lambda: self._operator.get("/numbers/operate/deadlines")["overdue"] == 0)

    def _mails(self, count: int) -> list[str]:
        """Wait until so many mails were sent in all; what they say, the newest first."""
        self._settle()

        def sent() -> list[dict[str, str]]:
            items: list[dict[str, str]] = self._operator.get("/numbers/operate/mail", state="sent")["items"]
            return items

        _until(f"{count} mails are sent", lambda: len(sent()) >= count)
        return [f"{m['recipient']}: {m['subject'].removeprefix('The reservation of ')}" for m in sent()]

    def _ends(self) -> int:
        """How many events both logs hold."""
        return sum(int(self._operator.get(f"/{service}/operate/log", limit=1)["end"]) for service in SERVICES)

    def _scene(self, day: int, title: str, numbers: Sequence[str], *remarks: str) -> None:
        at = rfc3339(self.said.began + day * DAY + _LATER)
        self._tell(Scene(day, at, title, [_seen(self._operator.get(f"/numbers/{n}")) for n in numbers], list(remarks)))


def _seen(found: dict[str, Any]) -> Seen:
    party = name_of(found.get("organization_id") or found.get("reserver_id"))
    return Seen(found["number"], found["state"], party, found.get("cause"), found.get("ends_at"))


def _until(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TookTooLong(f"Waited {_PATIENCE_SECONDS:.0f} s in vain until {what}.")
        time.sleep(_LOOK_SECONDS)
