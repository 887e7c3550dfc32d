"""`trunkline policy`: periods, notice, locks, carriers and quarantines, as one versioned document (N15)."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Misused
from trunkline.cli.terminal.options import LIMIT, DryRun, Limit, more

app = typer.Typer(help="Periods, notice, locks, carriers and quarantines.", no_args_is_help=True)

_PATH: Final = "/numbers/policy"
_LARGEST: Final = 1_048_576

File = Annotated[Path, typer.Argument(metavar="FILE", help="A policy in TOML, or in JSON (*.json).")]
Remark = Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the history.")]


class Form(StrEnum):
    """What a policy can be written in."""

    toml = "toml"
    json = "json"


@verb(app, "show")
def show(
    call: CommandContext,
    document: Annotated[
        Form | None, typer.Option(metavar="toml|json", help="As a file that `check` and `apply` take.")
    ] = None,
) -> None:
    """Show the policy in force; `--document toml > FILE` is where to begin another."""
    found = call.remote.get(_PATH)
    if document is None:
        call.present(found, lambda: _version(found))
        return
    whole = {"version": found["version"], **found["policy"]}
    call.present(whole, lambda: _toml(whole) if document is Form.toml else _json(whole))


@verb(app, "check")
def check(call: CommandContext, file: File) -> None:
    """Tell whether a policy would be accepted, and what it would change; nothing is changed."""
    answer = call.remote.put(_PATH, {"policy": read_policy(file)}, dry_run=True)
    call.present(answer, lambda: _changes(answer, "This policy changes nothing.", "It changes:"))


@verb(app, "apply")
def apply(call: CommandContext, file: File, remark: Remark = None, dry_run: DryRun = None) -> None:
    """Put a policy in force for all that is written from now on; what was given before stays as it is."""
    body = {"policy": read_policy(file)} | ({} if remark is None else {"remark": remark})
    answer = call.remote.put(_PATH, body, dry_run=dry_run)
    head = "It changes:" if dry_run else f"Version {answer['version']} is in force. It changed:"
    call.present(answer, lambda: _changes(answer, "This policy is in force already.", head))


@verb(app, "history")
def history(call: CommandContext, limit: Limit = LIMIT) -> None:
    """List every policy there was, the newest first: when, by whom, why, and what it changed."""
    found = call.remote.page_through(f"{_PATH}/history", limit, sort="-version")
    call.present(found, lambda: _history(found["items"]), lambda: more(found))


def read_policy(file: Path) -> dict[str, Any]:
    """The document in a file; what is in it is for the service to judge.

    Raises:
        Misused: it cannot be read, or is neither TOML nor, as `*.json`, JSON; naming the place.
    """
    import json
    import tomllib

    try:
        raw = file.read_bytes()
    except OSError as error:
        raise Misused(f"{file} cannot be read: {error.strerror}.") from None
    if len(raw) > _LARGEST:
        raise Misused(f"{file} has {len(raw):,} bytes; a policy has at most {_LARGEST:,}.")
    kind = "JSON" if file.suffix.lower() == ".json" else "TOML"
    try:
        text = raw.decode("utf-8-sig")
        found = json.loads(text) if kind == "JSON" else tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise Misused(f"{file} is not UTF-8: byte {error.start + 1:,} cannot be read.") from None
    except ValueError as error:
        raise Misused(f"{file} is not {kind}: {error}.") from None
    if not isinstance(found, dict):
        raise Misused(f"{file} holds no policy: a policy is an object with names and values.")
    return found


def _toml(whole: dict[str, Any]) -> str:
    """A policy as TOML: values first, then the tables."""
    values = [f"{name} = {_value(v)}" for name, v in whole.items() if not isinstance(v, dict | list)]
    lines = [*values, "", "[quarantine_days]"]
    lines += [f"{_value(country)} = {days}" for country, days in whole["quarantine_days"].items()]
    for period in whole["special_periods"]:
        lines += ["", "[[special_periods]]", *(f"{name} = {_value(v)}" for name, v in period.items())]
    return "\n".join(lines)


def _value(value: Any) -> str:
    return _json(value, None)


def _json(value: Any, indent: int | None = 2) -> str:
    import json

    return json.dumps(value, indent=indent, ensure_ascii=False)


def _version(found: dict[str, Any]) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import facts, line, relative

    head: dict[str, Any] = {"version": str(found["version"])}
    if found["applied_at"] is None:
        head["applied"] = "never: the built-in one"
    else:
        head |= {"applied": relative(found["applied_at"]), "by": found["applied_by"], "remark": found["remark"]}
    values = {name: _shown(value) for name, value in found["policy"].items()}
    return Group(facts(head), line(), facts(values))


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{country} {days}" for country, days in value.items())
    if isinstance(value, list):
        return ", ".join(f"{p['property'].replace('_', '-')} {p['cause']} {p['days']}" for p in value)
    return value if isinstance(value, bool) else str(value)


def _changes(answer: dict[str, Any], nothing: str, head: str) -> Any:
    from rich.console import Group

    from trunkline.cli.terminal.output import line, table

    if not answer["changes"]:
        return nothing
    rows = [(c["name"].replace("_", " "), _shown(c["before"]), _shown(c["after"])) for c in answer["changes"]]
    return Group(line(head), table(("what", "before", "after"), rows))


def _history(items: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import relative, table

    rows = []
    for newer, older in zip(items, [*items[1:], None], strict=True):
        before = older["policy"] if older else {}
        changed = [
            f"{name.replace('_', ' ')}: {_shown(before[name])} → {_shown(value)}"
            for name, value in newer["policy"].items()
            if name in before and before[name] != value
        ]
        changed += ["…"] if older is None and newer["version"] > 0 else []  # what it changed is on the next page
        by = newer["applied_by"] or "built in"
        rows.append((str(newer["version"]), relative(newer["applied_at"]), by, newer["remark"], "; ".join(changed)))
    return table((">version", "applied", "by", "remark", "changed"), rows)
