"""What `doctor --reconcile` says: the progress while it reads, how many of each kind agree, and each difference."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from trunkline.cli.reconcile.difference import KINDS, Difference, Kind
from trunkline.cli.reconcile.fetch import Remotes
from trunkline.cli.reconcile.retry_until_settled import Report, reconcile
from trunkline.cli.terminal.exit_codes import Partly, Refused

if TYPE_CHECKING:
    from rich.console import RenderableType

    from trunkline.cli.terminal.command import CommandContext

_MOST_SHOWN: Final = 200


def reconciled(call: CommandContext) -> Report:
    """Hold both services against each other, with a progress bar.

    Raises:
        Ended: a service cannot be reached, or not by this asker.
    """
    from trunkline.cli.terminal.output import progress

    with progress("reading", None, silent=call.as_json) as bar:
        remotes = Remotes(call.remote, lambda what, rows: bar.move(0, rows, what))
        report = reconcile(remotes, lambda subject, done: bar.move(done, None, subject))
        explained = remotes.explained(report.differences)
    return msgspec.structs.replace(report, differences=_in_order(explained), moving=_in_order(report.moving))


def document(report: Report) -> dict[str, Any]:
    """What `--json` prints of it."""
    differ, moving = _by_kind(report.differences), _by_kind(report.moving)
    kinds = [
        {"kind": kind, "what": what, "compared": report.counted.get(kind, 0), "differ": differ[kind],
         "moving": moving[kind], "unjudged": report.unjudged.get(kind, 0)}
        for kind, what in KINDS.items()
    ]  # fmt: skip
    return {
        "agrees": report.agrees,
        "kinds": kinds,
        "differences": [msgspec.to_builtins(each) for each in report.differences],
        "moving": [msgspec.to_builtins(each) for each in report.moving],
    }


def counts(report: Report) -> RenderableType:
    """How many of each kind there are, and how many of them agree, for people."""
    from rich.console import Group

    from trunkline.cli.terminal.output import line

    return Group(
        line(), *(line(f"{report.counted.get(kind, 0):,} {KINDS[kind]}: ", _verdict(report, kind)) for kind in KINDS)
    )


def named(report: Report) -> str:
    """Each difference, for people; no line is broken, so that a command can be taken from it. Empty: there is none."""
    return "".join(
        f"\n{title}{_more(found)}:\n{''.join(map(_described, found[:_MOST_SHOWN]))}"
        for title, found in (("What differs", report.differences), ("What is moving", report.moving))
        if found
    ).rstrip()


def ended(report: Report) -> Refused | Partly | None:
    """How the command ends after it; None: well."""
    if report.differences:
        return Refused(f"{len(report.differences):,} differences between the services.")
    if not report.agrees:
        unsure = len(report.moving) + sum(report.unjudged.values())
        return Partly(f"{unsure:,} facts could not be judged: they were on their way at every look. Ask again.")
    return None


def _verdict(report: Report, kind: Kind) -> tuple[str, str]:
    """In words, and their style."""
    differ, moving = _by_kind(report.differences)[kind], _by_kind(report.moving)[kind]
    found = ((differ, "differ"), (moving, "moving"), (report.unjudged.get(kind, 0), "not looked at again"))
    summary = ", ".join(f"{count:,} {how}" for count, how in found if count)
    if kind == "without" and not summary and report.counted.get(kind, 0):
        return "refused or dismissed, on record: see trunkline doctor", "yellow"
    return summary or "all agree", "bold red" if differ else "yellow" if summary else "green"


def _more(found: list[Difference]) -> str:
    return f" (the first {_MOST_SHOWN} of {len(found):,}; --json names all)" if len(found) > _MOST_SHOWN else ""


def _described(d: Difference) -> str:
    from trunkline.cli.terminal.output import moment

    since = f", since {moment(d.since.isoformat())}" if d.since is not None else ""
    states = {"licensing": d.licensing, "numbers": d.numbers, "because": d.because, "do": d.do}
    lines = (f"  {name:<11}{text}\n" for name, text in states.items() if text is not None)
    return f"{d.kind} {d.key}{since}\n{''.join(lines)}"


def _by_kind(found: list[Difference]) -> Counter[Kind]:
    return Counter(each.kind for each in found)


def _in_order(found: list[Difference]) -> list[Difference]:
    places = {kind: index for index, kind in enumerate(KINDS)}
    return sorted(found, key=lambda d: (places[d.kind], d.key))
