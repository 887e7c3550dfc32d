"""What the services recorded, as facts, and whether it is what the rules promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from trunkline.cli.client.api_client import ApiClient
from trunkline.clock import DAY, rfc3339
from trunkline.demo.cast import (
    BAKERY,
    CLINIC,
    EXPIRING,
    KEPT,
    LATE,
    NUMBERS,
    ORGANIZATIONS,
    PARTNER_NAME,
    RETURNING,
    SWAPPED,
    SWAPPED_IN,
    TERMINATED,
    name_of,
    short,
)
from trunkline.demo.scenario import Said

_MORNING: Final = timedelta(hours=9)
History = list[dict[str, Any]]


@dataclass(frozen=True)
class Promise:
    """One thing the rules promise, and what was found."""

    what: str
    promised: Any
    found: Any

    @property
    def kept(self) -> bool:
        """Whether it was found as promised."""
        return bool(self.promised == self.found)


def gather(operator: ApiClient, said: Said) -> dict[str, Any]:
    """Read the facts back from the services; JSON throughout."""
    histories: dict[str, History] = {n: operator.get(f"/numbers/{n}/history", limit=100)["items"] for n in NUMBERS}
    mails = operator.get("/numbers/operate/mail")["items"]
    notices = {m["key"].split("/")[1]: m["recipient"] for m in mails}
    instant = rfc3339(said.began + 20 * DAY)
    then = operator.get(f"/numbers/{EXPIRING}", as_of=instant)
    return {
        "began": rfc3339(said.began),
        "parties": {"partner": PARTNER_NAME, "organizations": [o.name for o in ORGANIZATIONS]},
        "numbers": [{"number": n, "held": _held(histories[n])} for n in NUMBERS],
        "reservations": [r for n in NUMBERS for r in _reservations(n, histories[n], notices)],
        "mail": [{"to": m["recipient"], "subject": m["subject"], "state": m["state"]} for m in reversed(mails)],
        "late": {"number": LATE, "heard_at": said.late_heard_at, "verdicts": said.late_verdicts},
        "repeated": {
            "deliveries": said.deliveries,
            "duplicates": said.duplicates,
            "new_events": said.new_events,
        },
        "as_of": {"number": EXPIRING, "at": instant, "state": then["state"], "party": name_of(then.get("reserver_id"))},
        "history": {
            "number": EXPIRING,
            "events": [{k: h[k] for k in ("at", "event", "state", "actor", "data")} for h in histories[EXPIRING]],
        },
    }


def promises(facts: Mapping[str, Any], said: Said) -> Iterator[Promise]:
    """What DOMAIN N3, N5, N9, N10, S3, S7 and §10 promise of this story."""
    kept = {r["number"]: r for r in facts["reservations"]}
    yield Promise("numbers that were reserved", {EXPIRING, TERMINATED, SWAPPED, RETURNING, LATE}, set(kept))
    for number, cause, day, days, owner in (
        (EXPIRING, "expired", 3, 56, BAKERY),
        (TERMINATED, "terminated", 3, 28, BAKERY),
        (SWAPPED, "swapped", 1, 1, CLINIC),
        (RETURNING, "expired", 3, 56, CLINIC),
        (LATE, "expired", 3, 56, CLINIC),
    ):
        found = kept.get(number, {})
        at = said.began + day * DAY + _MORNING
        end = at + days * DAY
        name = short(number)
        yield Promise(f"{name}: reserved for", (owner.name, cause), (found.get("party"), found.get("cause")))
        yield Promise(f"{name}: reserved at", rfc3339(at), found.get("since"))
        yield Promise(f"{name}: reserved until", rfc3339(end), found.get("ends_at"))
        early = days * DAY > 7 * DAY
        yield Promise(f"{name}: notice at", rfc3339(end - 7 * DAY) if early else None, found.get("notice_at"))
        yield Promise(f"{name}: told", owner.billing_email if early else None, found.get("told"))
        returned = number == RETURNING
        yield Promise(f"{name}: released at", None if returned else rfc3339(end), found.get("released_at"))
        yield Promise(f"{name}: kept for", None if returned else days * 86_400, found.get("kept_seconds"))
    yield from _further(facts, kept, said)


def _further(facts: Mapping[str, Any], kept: Mapping[str, Any], said: Said) -> Iterator[Promise]:
    ends = {n["number"]: (n["held"][-1]["state"], n["held"][-1]["party"]) for n in facts["numbers"]}
    back = rfc3339(said.began + 53 * DAY + _MORNING)
    yield Promise(f"{short(RETURNING)}: restored at", back, kept.get(RETURNING, {}).get("restored_at"))
    assigned = {SWAPPED_IN: CLINIC.name, RETURNING: CLINIC.name, KEPT: BAKERY.name}
    for number in NUMBERS:
        wanted = ("assigned", assigned[number]) if number in assigned else ("available", None)
        yield Promise(f"{short(number)}: at the end", wanted, ends[number])
    yield Promise("mail sent", ["sent"] * 4, [m["state"] for m in facts["mail"]])
    yield Promise(
        f"{short(LATE)}: its expiry waits, then its start", ["waiting", "accepted"], facts["late"]["verdicts"]
    )
    repeated = facts["repeated"]
    yield Promise("deliveries known already", repeated["deliveries"], repeated["duplicates"])
    yield Promise("new events by repetition", 0, repeated["new_events"])
    as_of = facts["as_of"]
    yield Promise(f"{short(EXPIRING)} on day 20", ("reserved", BAKERY.name), (as_of["state"], as_of["party"]))


def _held(history: History) -> list[dict[str, Any]]:
    """Who held a number since when, and for how long; the last one still does."""
    held: list[dict[str, Any]] = []
    for h in history:
        data = h["data"]
        match h["event"]:
            case "NumberAdded" | "NumberReleased":
                now: dict[str, Any] = {"state": "available", "party": None, "cause": None}
            case "NumberAssigned":
                now = {"state": "assigned", "party": name_of(data["organization_id"]), "cause": None}
            case "NumberReserved":
                now = {"state": "reserved", "party": name_of(data["reserver_id"]), "cause": data["cause"]}
            case _:
                continue
        if held:
            held[-1]["seconds"] = _seconds(held[-1]["since"], h["at"])
        held.append({"since": rfc3339(_instant(h["at"])), **now, "seconds": None})
    return held


def _reservations(number: str, history: History, notices: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Every reservation of a number, from its own events."""
    for index, h in enumerate(history):
        if h["event"] != "NumberReserved":
            continue
        after = history[index + 1 :]
        notice, released, restored = (
            next((rfc3339(_instant(a["at"])) for a in after if a["event"] == event), None)
            for event in ("ReservationEnding", "NumberReleased", "NumberAssigned")
        )
        yield {
            "number": number,
            "party": name_of(h["data"]["reserver_id"]),
            "cause": h["data"]["cause"],
            "since": rfc3339(_instant(h["at"])),
            "ends_at": rfc3339(_instant(h["data"]["ends_at"])),
            "notice_at": notice,
            "told": notices.get(number),
            "released_at": released,
            "restored_at": restored,
            "kept_seconds": None if released is None else _seconds(h["at"], released),
        }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _seconds(since: str, until: str) -> float | int:
    seconds = (_instant(until) - _instant(since)).total_seconds()
    return int(seconds) if seconds.is_integer() else seconds
