"""`trunkline doctor`: is everything well, and if not, what is wrong and what to do; do both services agree (O7)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.doctor.checks import Check, service_checks, without_number_check
from trunkline.cli.doctor.state_topics import state_checks
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Ended, Misused, Refused, Unreachable

if TYPE_CHECKING:
    from trunkline.settings import Settings

_APART_SECONDS = 5.0
_MOST_LISTED = 20
_MOST_IN_JSON = 500


def add_doctor(app: typer.Typer, panel: str) -> None:
    """Add `doctor` to the commands."""

    @verb(app, "doctor", panel=panel)
    def doctor(
        call: CommandContext,
        reconcile: Annotated[
            bool, typer.Option("--reconcile", help="Hold what both services know against each other, all of it.")
        ] = False,
        repair: Annotated[
            bool, typer.Option("--repair", help="With --reconcile: have what differs stated again by its owner.")
        ] = False,
    ) -> None:
        """Check databases, broker, topics, schemas, lag, timers and what waits; say what is wrong and what to do."""
        if repair and not reconcile:
            raise Misused("--repair mends what --reconcile finds: give both.")
        checks, without = _examine(call)
        wrong = [check for check in checks if check.verdict == "wrong"]
        away = any(check.what == "answers" for check in wrong)
        document = {
            "well": not wrong,
            "checks": [check._asdict() for check in checks],
            "without_number": without["items"],
        }
        differ = None
        if reconcile and not away:
            differ = _reconcile(call, document, checks, without, mend=repair)
        else:
            document |= {"reconciled": None} if reconcile else {}
            call.present(document, lambda: _table(checks), lambda: _listed(without))
        if away:
            raise Unreachable("Not every service answers.")
        if wrong:
            raise Refused(f"{len(wrong)} of {len(checks)} checks failed.")
        if differ is not None:
            raise differ


def _reconcile(
    call: CommandContext, told: dict[str, Any], checks: list[Check], without: dict[str, Any], *, mend: bool
) -> Ended | None:
    """Compare both services and print it below the checks; how the command ends, if not well."""
    from trunkline.cli.reconcile.output import counts, document, ended, named, reconciled
    from trunkline.cli.reconcile.repair import repair, shown

    try:
        report = reconciled(call)
        repairs = repair(call.remote, report.differences) if mend else []
        if repairs:
            report = reconciled(call)
    except Ended:
        call.present(told | {"well": False, "reconciled": None}, lambda: _table(checks), lambda: _listed(without))
        raise
    left = {(d.kind, d.key) for d in (*report.differences, *report.moving)}
    told |= {"well": told["well"] and report.agrees, "reconciled": document(report)}
    if mend:
        told["repaired"] = [each._asdict() | {"agrees": (each.kind, each.key) not in left} for each in repairs]
    call.present(
        told, lambda: _table(checks), lambda: _listed(without), lambda: shown(repairs, left), lambda: counts(report),
        lambda: named(report),
    )  # fmt: skip
    return ended(report)


def _examine(call: CommandContext) -> tuple[list[Check], dict[str, Any]]:
    """Every check, and the active subscriptions without their number."""
    from trunkline.cli.terminal.options import SERVICES

    checks: list[Check] = []
    clocks: dict[str, datetime] = {}
    without: dict[str, Any] = {"items": [], "total": 0, "open": 0}
    for name in SERVICES:
        try:
            facts = call.remote.get(f"/{name}/operate/doctor")
            if name == "numbers":
                without = call.remote.get("/numbers/operate/without-number", limit=_MOST_IN_JSON, dismissed="false")
        except Ended as ended:
            checks.append(_away(call, name, ended))
            continue
        clocks[name] = datetime.fromisoformat(facts["now"])
        checks.append(Check(name, "answers", "good", call.remote.urls[name]))
        checks += service_checks(name, facts)
        if name == "numbers":
            checks.append(without_number_check(without))
    checks += _clocks(clocks)
    checks.append(_schemas())
    if call.settings.kafka_bootstrap is not None:
        checks.append(_topics(call.settings))
        if checks[-1].what == "topics" and checks[-1].verdict != "wrong":
            checks += [check for name in clocks for check in state_checks(call, name)]
    return checks, without


def _away(call: CommandContext, name: str, ended: Ended) -> Check:
    """Why a service could not be asked, and what to do: services that run apart have two addresses."""
    url = call.remote.urls[name]
    running = call.remote.services_at(url)
    if running is not None and name not in running:
        other = " and ".join(running) or "no service"
        found = f"{url} runs {other}, not {name}"
        return Check(name, "answers", "wrong", found, f"say where each answers: --url {_apart(url, running, name)}")
    if isinstance(ended, Unreachable):
        start = f"start it: trunkline up, or trunkline-{name} where the services run apart"
        return Check(
            name,
            "answers",
            "wrong",
            str(ended).partition(": ")[0].rstrip("."),
            f"{start}; or say where it answers: --url {name}=URL",
        )
    return Check(name, "answers", "wrong", str(ended), "ask with an operator's token (--token)")


def _apart(url: str, running: list[str], name: str) -> str:
    return ",".join([*(f"{other}={url}" for other in running), f"{name}=http://HOST:PORT"])


def _listed(without: dict[str, Any]) -> str:
    """Which active subscriptions have no number, a line each; empty where there is none."""
    from trunkline.cli.terminal.output import relative

    items = without["items"]
    if not items:
        return ""
    lines = ["", "Active subscriptions without their number:"]
    for each in items[:_MOST_LISTED]:
        since = f", since {relative(each['since'])}" if each["since"] is not None else ""
        lines.append(f"  {each['subscription_id']}  {each['number']}{since}: {each['code'] or 'no refusal on record'}")
    if without["open"] > _MOST_LISTED:
        lines.append(f"  and {without['open'] - _MOST_LISTED:,} more: trunkline number refused")
    return "\n".join(lines)


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
    from trunkline.cli.run.prepare import compare_topics

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

    from trunkline.cli.terminal.output import table

    styles = {"good": "green", "look": "yellow", "wrong": "bold red"}
    rows = [(c.service, c.what, Text(c.verdict, style=styles[c.verdict]), c.found, c.remedy) for c in checks]
    return table(("service", "what", "verdict", "found", "do"), rows)
