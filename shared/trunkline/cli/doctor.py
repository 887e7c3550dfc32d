"""`trunkline doctor`: is everything well, and if not, what is wrong and what to do; do both services agree (O7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from trunkline.cli.ending import Ended, Refused, Unreachable
from trunkline.cli.verb import Call, verb

if TYPE_CHECKING:
    from trunkline.settings import Settings

_APART_SECONDS = 5.0
_BEHIND = 10_000
"""Events of the log that a follower may lag behind before it is said aloud."""

Verdict = Literal["good", "look", "wrong"]


class Check(NamedTuple):
    """What one look has found; `remedy` says what to do about it."""

    service: str
    what: str
    verdict: Verdict
    found: str
    remedy: str = ""


def add_doctor(app: typer.Typer, panel: str) -> None:
    """Add `doctor` to the commands."""

    @verb(app, "doctor", panel=panel)
    def doctor(
        call: Call,
        reconcile: Annotated[
            bool, typer.Option("--reconcile", help="Hold what both services know against each other, all of it.")
        ] = False,
    ) -> None:
        """Check databases, broker, topics, schemas, lag, timers and what waits; say what is wrong and what to do."""
        checks = _examine(call)
        wrong = [check for check in checks if check.verdict == "wrong"]
        away = any(check.what == "answers" for check in wrong)
        told = {"well": not wrong, "checks": [check._asdict() for check in checks]}
        differ = None
        if reconcile and not away:
            differ = _reconcile(call, told, checks)
        else:
            call.tell(told | ({"reconciled": None} if reconcile else {}), lambda: _table(checks))
        if away:
            raise Unreachable("Not every service answers.")
        if wrong:
            raise Refused(f"{len(wrong)} of {len(checks)} checks failed.")
        if differ is not None:
            raise differ


def _reconcile(call: Call, told: dict[str, Any], checks: list[Check]) -> Ended | None:
    """Hold both services against each other and tell it below the checks; how the command ends, if not well."""
    from trunkline.cli.reconcile_shown import counts, document, ended, named, reconciled

    try:
        report = reconciled(call)
    except Ended:
        call.tell(told | {"well": False, "reconciled": None}, lambda: _table(checks))
        raise
    told |= {"well": told["well"] and report.agrees, "reconciled": document(report)}
    call.tell(told, lambda: _table(checks), lambda: counts(report), lambda: named(report))
    return ended(report)


def _examine(call: Call) -> list[Check]:
    from trunkline.cli.options import SERVICES

    checks: list[Check] = []
    clocks: dict[str, datetime] = {}
    for name in SERVICES:
        try:
            facts = call.remote.get(f"/{name}/operate/doctor")
        except Unreachable as away:
            checks.append(Check(name, "answers", "wrong", str(away), "start it, or look at its log"))
            continue
        except Ended as ended:
            checks.append(Check(name, "answers", "wrong", str(ended), "ask with an operator's token"))
            continue
        clocks[name] = datetime.fromisoformat(facts["now"])
        checks.append(Check(name, "answers", "good", call.remote.urls[name]))
        checks += _service(name, facts)
    checks += _clocks(clocks)
    checks.append(_schemas())
    if call.settings.kafka_bootstrap is not None:
        checks.append(_topics(call.settings))
    return checks


def _service(name: str, facts: dict[str, Any]) -> Iterator[Check]:
    """What the figures of one service tell."""

    def check(what: str, verdict: Verdict, found: str, remedy: str) -> Check:
        return Check(name, what, verdict, found, "" if verdict == "good" else remedy)

    def behind(lag: int) -> Verdict:
        return "good" if lag <= _BEHIND else "look"

    yield check("database", "good", f"PostgreSQL {facts['server']}, {facts['end']:,} events", "")
    unpublished = facts["unpublished"]
    yield check("relay", behind(unpublished), f"{unpublished:,} events to publish", "is the broker up? see /readyz")
    for follower, lag in facts["followers"].items():
        if follower == "relay":
            continue  # said above
        yield check(follower, behind(lag), f"{lag:,} events behind", "see the service's log")
    for view in (p for p in facts["projections"] if p["status"] == "active"):
        old = view["code_version"] not in (view["version"], None)
        verdict = "wrong" if old else behind(view["lag"] or 0)
        found = f"version {view['version']}, {view['lag'] or 0:,} events behind"
        yield check(f"view {view['name']}", verdict, found, f"trunkline projection rebuild {view['name']}")
    due = facts["deadlines"]
    overdue = f"{due['count']:,} timers, {due['overdue']:,} due now"
    yield check("timers", behind(due["overdue"]), overdue, "they are being caught up in due order")
    yield from _leftovers(check, facts)


def _leftovers(check: Callable[[str, Verdict, str, str], Check], facts: dict[str, Any]) -> Iterator[Check]:
    """What waits for a person to look at it."""
    failed = f"failed, {facts['mail_waiting']:,} waiting"
    waits = "trunkline billing waiting; trunkline number refused"
    for what, count, of, remedy in (
        ("dead letters", facts["parked"], "parked", "trunkline deadletter list"),
        ("quarantine", facts["quarantined"], "put aside", "trunkline billing quarantined"),
        ("mail", facts["mail_failed"], failed, "trunkline mail list --state failed"),
        ("waiting", facts["waiting"], "facts wait for something else", waits),
    ):
        yield check(what, "look" if count else "good", f"{count:,} {of}", remedy)


def _clocks(clocks: dict[str, datetime]) -> list[Check]:
    if len(clocks) < 2:
        return []
    first, second = clocks.values()
    apart = abs((first - second).total_seconds())
    if apart <= _APART_SECONDS:
        return [Check("both", "clocks", "good", "agree")]
    return [Check("both", "clocks", "wrong", f"are {apart:,.0f} s apart", "trunkline clock set T moves both")]


def _schemas() -> Check:
    from trunkline.contracts.generate import SCHEMAS, SHARED, differences, generated

    drifted = differences(SHARED, {path: text for path, text in generated().items() if path.parent == SCHEMAS})
    if not drifted:
        return Check("both", "schemas", "good", "are those of this code")
    return Check("both", "schemas", "wrong", f"{len(drifted)} differ from this code", "install a whole release")


def _topics(settings: Settings) -> Check:
    from trunkline.cli.prepare import compare_topics

    try:
        results = compare_topics(settings)
    except Ended as ended:
        return Check("both", "broker", "wrong", str(ended), "start it, or set TRUNKLINE_KAFKA_BOOTSTRAP")
    missing = [r.name for r in results if r.action == "missing"]
    differing = [r.name for r in results if r.action == "differs"]
    if missing:
        return Check("both", "topics", "wrong", f"{', '.join(missing)} missing", "trunkline topics create")
    if differing:
        return Check("both", "topics", "look", f"{', '.join(differing)} differ", "trunkline topics create --dry-run")
    return Check("both", "topics", "good", f"{len(results)} as wanted")


def _table(checks: list[Check]) -> Any:
    from rich.text import Text

    from trunkline.cli.screen import table

    styles = {"good": "green", "look": "yellow", "wrong": "bold red"}
    rows = [(c.service, c.what, Text(c.verdict, style=styles[c.verdict]), c.found, c.remedy) for c in checks]
    return table(("service", "what", "", "found", "do"), rows)
