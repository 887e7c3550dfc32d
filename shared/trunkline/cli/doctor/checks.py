"""What the figures of a service mean: good, to be looked at, or wrong, and what to do (O7). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

BEHIND_SECONDS: Final = 60.0
"""An event that waits longer than this is worth a look."""
STALLED_SECONDS: Final = 900.0
"""A subscriber whose oldest event waits longer than this is stalled, unless its lag shrinks: wrong."""
LITTLE_BYTES: Final = 2 << 30
LEAST_BYTES: Final = 256 << 20
LITTLE_SHARE: Final = 0.1

_WAITING_REMEDY: Final = {
    "licensing": "trunkline billing waiting; register what is missing, or --dismiss STREAM",
    "numbers": "trunkline billing waiting; trunkline republish licensing --stream party/ID",
}

Verdict = Literal["good", "look", "wrong"]


class Check(NamedTuple):
    """What one look has found; `remedy` says what to do about it."""

    service: str
    what: str
    verdict: Verdict
    found: str
    remedy: str = ""


def service_checks(name: str, facts: dict[str, Any]) -> Iterator[Check]:
    """What the figures of one service mean.

    Args:
        name: of the service.
        facts: as `/<service>/operate/doctor` answers.
    """
    yield _database(name, facts)
    yield from (_disk(name, disk) for disk in facts["disks"])
    yield from (_lag(name, lag) for lag in facts["lags"])
    yield from (_projection(name, p) for p in facts["projections"] if p["status"] == "active")
    yield _timers(name, facts["deadlines"])
    yield from _unsettled(name, facts)


def check(service: str, what: str, verdict: Verdict, found: str, remedy: str) -> Check:
    """A check; what is good needs no remedy."""
    return Check(service, what, verdict, found, "" if verdict == "good" else remedy)


def duration(seconds: float) -> str:
    """Seconds as people say them: `4 s`, `3 min`, `2.5 h`, `3 days`."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}".replace(".0 ", " ")
    return f"{seconds:,.0f} s"


def size(count: float) -> str:
    """Bytes as people say them: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.1f} {unit}".replace(".0 ", " ")
        count /= 1024
    return f"{count:,.1f} TiB"


def _database(name: str, facts: dict[str, Any]) -> Check:
    error = facts["database_error"]
    if error is not None:
        return Check(name, "database", "wrong", f"PostgreSQL cannot write: {error}", "make room, or look at its log")
    found = f"PostgreSQL {facts['server']}, {facts['end']:,} events, {size(facts['database_bytes'])}"
    return Check(name, "database", "good", found)


def _disk(name: str, disk: dict[str, Any]) -> Check:
    free, total = disk["free_bytes"], disk["total_bytes"]
    little = free < LITTLE_BYTES and free < LITTLE_SHARE * total
    verdict: Verdict = "wrong" if free < LEAST_BYTES else "look" if little else "good"
    found = f"{size(free)} of {size(total)} free at {disk['path']}"
    return check(name, f"disk of {disk['what']}", verdict, found, "make room before it is full")


def waiting_verdict(seconds: float) -> Verdict:
    """What it means that the oldest of something has waited so long."""
    if seconds <= BEHIND_SECONDS:
        return "good"
    return "look" if seconds <= STALLED_SECONDS else "wrong"


def _lag(name: str, lag: dict[str, Any]) -> Check:
    remedy = "is the broker up? see /readyz" if lag["kind"] in ("relay", "state topic") else "see the service's log"
    what = "to publish" if lag["kind"] == "relay" else "to process"
    return check(
        name, lag["name"], waiting_verdict(lag["seconds"]), _behind(lag["events"], lag["seconds"], what), remedy
    )


def _behind(events: int, seconds: float, what: str) -> str:
    if not events:
        return f"0 events {what}"
    return f"{events:,} events {what}, the oldest for {duration(seconds)}"


def _projection(name: str, p: dict[str, Any]) -> Check:
    old = p["code_version"] not in (p["version"], None)
    verdict: Verdict = "wrong" if old else waiting_verdict(p["lag_seconds"])
    found = f"version {p['version']}, {_behind(p['lag'] or 0, p['lag_seconds'], 'to apply')}"
    remedy = f"trunkline projection rebuild {p['name']} --service {name}" if old else "see the service's log"
    return check(name, f"view {p['name']}", verdict, found, remedy)


def _timers(name: str, due: dict[str, Any]) -> Check:
    found = f"{due['count']:,} timers, {due['overdue']:,} due now"
    if due["overdue"]:
        found += f", the oldest for {duration(due['overdue_seconds'])}"
    remedy = "they are caught up in due order; if the number does not fall, see the service's log"
    return check(name, "timers", waiting_verdict(due["overdue_seconds"]), found, remedy)


def _unsettled(name: str, facts: dict[str, Any]) -> Iterator[Check]:
    """What waits for a person; each has a command that settles it, so that `look` comes to an end."""
    for what, count, found, remedy in (
        ("dead letters", facts["parked"], "not settled", "trunkline deadletter list; retry or discard each"),
        (
            "conflicting duplicates",
            facts["quarantined"],
            "not settled",
            "trunkline billing quarantined; --apply ID or --dismiss ID",
        ),
        (
            "mail",
            facts["mail_failed"],
            f"failed, {facts['mail_waiting']:,} waiting",
            "trunkline mail list --state failed",
        ),
        (
            "failed items",
            sum(facts["failed_items"].values()),
            f"set aside by {', '.join(sorted(facts['failed_items'])) or 'any loop'}",
            "trunkline failed-item list; mend the cause, retry or discard each",
        ),
        (
            "waiting facts",
            facts["waiting"],
            "wait for an organization, or for the start of their subscription",
            _WAITING_REMEDY[name],
        ),
    ):
        yield check(name, what, "look" if count else "good", f"{count:,} {found}", remedy)


def without_number_check(found: dict[str, Any]) -> Check:
    """Active subscriptions whose number is not assigned to them; those that were dismissed are settled (S6).

    Args:
        found: as `/numbers/operate/without-number` answers.
    """
    dismissed = found["total"] - found["open"]
    text = f"{found['open']:,} active subscriptions without their number"
    text += f", {dismissed:,} more dismissed" if dismissed else ""
    remedy = "trunkline number assign NUMBER --to ID, or trunkline number refused --dismiss ID"
    return check("numbers", "subscriptions", "look" if found["open"] else "good", text, remedy)
