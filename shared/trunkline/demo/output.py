"""The story as a terminal shows it: scene after scene, then who held what, one history, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from trunkline.cli.number.commands import why
from trunkline.cli.terminal.output import STATE_STYLES, moment
from trunkline.demo.cast import short
from trunkline.demo.scenario import Scene, Seen

_DAY_SECONDS: Final = 86_400
_INDENT: Final = 8
_NOUNS: Final = {"expired": "expiry", "terminated": "termination", "swapped": "swap"}
WIDEST: Final = 96


def opening(seconds: float) -> RenderableType:
    """What this is, and how long it took to start."""
    text = f"Both services and PostgreSQL are up after {seconds:.1f} s; the rest goes over HTTP."
    title = Text.assemble(("Trunkline", "bold"), ": eight numbers, two customers, sixty days")
    return Group(title, Text(text, style="dim"), Text())


def scene(text: Scene) -> RenderableType:
    """One scene: the day, what happens, and what the numbers are then."""
    day = f"day {text.day:>2}" if text.day >= 0 else "before"
    parts: list[RenderableType] = [Text.assemble((day, "bold"), (f"  {text.at[:10]}  ", "dim"), (text.title, "bold"))]
    grid = Table.grid(padding=(0, 2))
    for seen in text.seen:
        grid.add_row(Text(short(seen.number)), Text(seen.state, style=STATE_STYLES[seen.state]), _whose(seen))
    if text.seen:
        parts.append(Padding(grid, (0, 0, 0, _INDENT)))
    parts += [Padding(Text(remark, style="italic"), (0, 0, 0, _INDENT)) for remark in text.remarks]
    return Group(*parts)


def _whose(seen: Seen) -> Text:
    if seen.party is None:
        return Text("")
    until = f" until {moment(seen.until)}" if seen.until else ""
    return Text.assemble(f"{'for ' if seen.state == 'reserved' else 'to '}{seen.party}", (until, "bold"))


def ending(document: Mapping[str, Any]) -> RenderableType:
    """The tables, what was promised and kept, and what to try next."""
    history, as_of, seconds = document["history"], document["as_of"], document["seconds"]
    question = f"Asked how it was at {moment(as_of['at'])}: {as_of['state']} for {as_of['party']}."
    took = f"Told in {seconds['start'] + seconds['story']:.1f} s."
    return Group(
        Text(),
        _rule("Who held what"),
        _held(document["numbers"]),
        Text(),
        _rule(f"The history of {history['number']}"),
        _history(history["events"]),
        Text(question),
        Text(),
        _rule("Promised and kept" if document["kept"] else "Promised, and not kept"),
        _kept(document),
        Text(),
        _rule("Try next"),
        _commands(document["next"]),
        Text(),
        Text(took, style="dim"),
    )


def _rule(title: str) -> RenderableType:
    return Rule(Text(title, style="bold"), align="left", style="dim")


def _held(numbers: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("number", "since", "held", "for"):
        table.add_column(heading, no_wrap=heading != "held")
    for found in numbers:
        # Before the story a number lies in the inventory, since whenever the story is told.
        held = found["held"][1:] or found["held"]
        for index, row in enumerate(held):
            table.add_row(
                short(found["number"]) if index == 0 else "",
                f"{moment(row['since'])[:19]}Z",  # only the entry into the inventory has a fraction
                _holding(row),
                _lasting(row["seconds"]),
            )
    return table


def _holding(row: Mapping[str, Any]) -> Text:
    state = (row["state"], STATE_STYLES[row["state"]])
    if row["state"] == "reserved":
        return Text.assemble(state, f" for {row['party']} ({row['cause']})")
    return Text.assemble(state, f" to {row['party']}" if row["party"] else "")


def _lasting(seconds: float | None) -> str:
    if seconds is None:
        return ""
    days, rest = divmod(seconds, _DAY_SECONDS)
    return f"{days:.0f} days" + (f" and {rest:g} s" if rest else "") if days != 1 or rest else "1 day"


def _history(events: Sequence[dict[str, Any]]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("at", "what", "why", "by"):
        table.add_column(heading, no_wrap=heading in ("at", "what"))
    for event in events:
        data = {k: v for k, v in event["data"].items() if k != "subscription_id"}
        table.add_row(moment(event["at"]), event["event"], why({"data": data}), _actor(event["actor"]))
    return table


def _actor(actor: str) -> str:
    return "a user" if actor.startswith("user:") else actor.rpartition("/")[2]


def _kept(document: Mapping[str, Any]) -> RenderableType:
    freed = [r for r in document["reservations"] if r["released_at"]]
    lines = [
        f"{short(r['number'])} free at {moment(r['released_at'])}, "
        f"exactly {_lasting(r['kept_seconds'])} after its {_NOUNS[r['cause']]}"
        for r in freed
    ]
    lines.append(f"{len(document['mail'])} notices went out 7 days ahead")
    repeated = document["repeated"]
    lines.append(f"{repeated['deliveries']} repeated deliveries caused {repeated['new_events']} new events")
    promises = document["promises"]
    kept = sum(promise["kept"] for promise in promises)
    lines.append(f"{kept} of {len(promises)} facts, all instants among them, are exactly as promised")
    mark = ("✓ ", "green") if kept == len(promises) else ("· ", "dim")
    return Group(*(Text.assemble(mark, line) for line in lines))


def _commands(commands: Sequence[Mapping[str, str]]) -> RenderableType:
    """Each on a line of its own, to be copied whole."""
    lines = [
        Text.assemble(f"{number}. {command['command']}", (f"   {command['does']}", "dim"))
        for number, command in enumerate(commands, start=1)
    ]
    return Group(*lines)
