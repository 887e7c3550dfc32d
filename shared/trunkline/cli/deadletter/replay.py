"""`trunkline deadletter retry|edit|discard`: what a person decides of a message that could not be read (O5)."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trunkline.cli.deadletter.commands import Code, Number, Owner, Topic, app, letter, letters
from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Ended, Misused, Partly, Refused, Unreachable
from trunkline.cli.terminal.options import DryRun, ServiceName

Whose = Annotated[ServiceName | None, typer.Argument(help="The service that parked them; left out: both, with --all.")]
Numbers = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", min=1, help="As `deadletter list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="All that wait, or of them those that --topic and --code choose.")]
Remark = Annotated[str | None, typer.Option("--remark", help="Why; kept with the message.")]

_MOST: Final = 100_000
_AFTER: Final = "older-dead-letter-waits"
_Doing = Callable[[str, int], dict[str, Any]]


@verb(app, "retry")
def retry(
    call: CommandContext,
    service: Whose = None,
    numbers: Numbers = None,
    everything: All = False,
    topic: Topic = None,
    code: Code = None,
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Hear messages again as they came, oldest first; where one still fails, later ones of its key wait behind it."""
    chosen = _chosen(call, service, numbers, everything, topic, code)
    body = {} if remark is None else {"remark": remark}

    def one(owner: str, number: int) -> dict[str, Any]:
        found: dict[str, Any] = call.remote.post(f"{_path(owner, number)}/retry", body, dry_run=dry_run)
        return found

    _each(call, chosen, "retried", one, dry_run=bool(dry_run))


@verb(app, "discard")
def discard(
    call: CommandContext,
    remark: Annotated[str, typer.Option("--remark", help="Why it is given up; kept with the message.")],
    service: Whose = None,
    numbers: Numbers = None,
    everything: All = False,
    topic: Topic = None,
    code: Code = None,
    dry_run: DryRun = None,
) -> None:
    """Give messages up. They are kept and can still be shown, but no longer be retried."""
    chosen = _chosen(call, service, numbers, everything, topic, code)

    def one(owner: str, number: int) -> dict[str, Any]:
        found: dict[str, Any] = call.remote.post(f"{_path(owner, number)}/discard", {"remark": remark}, dry_run=dry_run)
        return found

    _each(call, chosen, "discarded", one, dry_run=bool(dry_run))


@verb(app, "edit")
def edit(
    call: CommandContext,
    service: Owner,
    number: Number,
    value: Annotated[
        str | None, typer.Option("--value", metavar="FILE", help="What its value is to be; - reads standard input.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="Set a header; may be repeated.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without-header", metavar="NAME", help="Take a header away.")
    ] = None,
    remark: Remark = None,
    dry_run: DryRun = None,
) -> None:
    """Change a message and retry it, in one step: what came is kept beside it. Without options: in your editor."""
    body: dict[str, Any] = {} if remark is None else {"remark": remark}
    headers = _headers(header or (), without or ())
    if headers:
        body["headers"] = headers
    if value is not None:
        body |= _value(_read(value))
    elif not headers:
        body |= _value(_edited(letter(call, service, number)))
    done = call.remote.post(f"{_path(service.value, number)}/retry", body, dry_run=dry_run)
    document = {"service": service.value} | done
    call.present(document, lambda: _done(document))


def _path(owner: str, number: int) -> str:
    return f"/{owner}/operate/parked/{number}"


def _chosen(
    call: CommandContext, service: ServiceName | None, numbers: list[int] | None, everything: bool, topic: str | None,
    code: str | None,
) -> list[tuple[str, int]]:  # fmt: skip
    """The messages that are meant, oldest first, as (service, id)."""
    if everything:
        if numbers:
            raise Misused("Give ids or --all, not both.")
        found = letters(call, service, _MOST, {"topic": topic, "code": code, "status": "waiting"})["items"]
        return [(found_one["service"], found_one["id"]) for found_one in found]
    if topic is not None or code is not None:
        raise Misused("--topic and --code choose among --all.")
    if service is None or not numbers:
        raise Misused("Say which: a service and ids, as `deadletter list` shows them, or --all.")
    return [(service.value, number) for number in sorted(set(numbers))]


def _each(call: CommandContext, chosen: Sequence[tuple[str, int]], done: str, one: _Doing, *, dry_run: bool) -> None:
    """Do it to each, tell what came of all, and end as they did."""
    from trunkline.cli.terminal.output import progress

    documents: list[dict[str, Any]] = []
    so_far: set[tuple[str, int]] = set()
    with progress(done, len(chosen), silent=call.as_json) as bar:
        for owner, number in chosen:
            about: dict[str, Any] = {"service": owner, "id": number}
            try:
                documents.append(about | one(owner, number))
                so_far.add((owner, number))
            except (Unreachable, Misused):
                raise
            except Ended as refused:
                if len(chosen) == 1:
                    raise
                if dry_run and (owner, older := _older(refused)) in so_far:  # in earnest it would be done by now
                    documents.append(about | {"status": done, "after": older})
                    so_far.add((owner, number))
                else:
                    documents.append(
                        about | {"status": "refused", "code": refused.document.get("code"), "detail": str(refused)}
                    )
            bar.move(len(documents))
    refused_ones = sum(t["status"] == "refused" for t in documents)
    call.present(
        {done: len(documents) - refused_ones, "refused": refused_ones, "items": documents}, lambda: _all_done(documents)
    )
    if refused_ones:
        sentence = f"{refused_ones:,} of {len(documents):,} were refused and go on waiting."
        raise Refused(sentence) if refused_ones == len(documents) else Partly(sentence)


def _older(refused: Ended) -> int | None:
    """The id of the dead letter that has to go first; None: it was refused for another reason."""
    if refused.document.get("code") != _AFTER:
        return None
    older: int = refused.document["errors"][0]["value"]
    return older


def _all_done(documents: list[dict[str, Any]]) -> Any:
    from trunkline.cli.terminal.output import table

    if not documents:
        return "No dead letters."
    rows = [(t["service"], str(t["id"]), t["status"], t.get("detail") or _effect(t)) for t in documents]
    return table(("service", ">id", "outcome", "what came of it"), rows)


def _done(document: dict[str, Any]) -> str:
    return f"{document['service']} {document['id']}: {document['status']}. {_effect(document)}"


def _effect(document: dict[str, Any]) -> str:
    """What a retried message brought about, in a line."""
    if document["status"] != "retried":
        return ""
    if "after" in document:
        return f"after {document['after']}"
    recorded = [f"{event['type'].partition('.')[2]} of {event['stream']}" for event in document["recorded"]]
    waits = [f"waits for {awaited}" for awaited in document["waits_for"]]
    aside = ["put aside: another message has its id (trunkline billing quarantined)"] if document["put_aside"] else []
    return ", ".join(recorded + waits + aside) or "Nothing new: it was heard before, or something newer was."


def _headers(given: Sequence[str], without: Sequence[str]) -> dict[str, str | None]:
    headers: dict[str, str | None] = dict.fromkeys(without)
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise Misused(f"--header is {one!r}; it takes NAME=VALUE, such as ce_type=billing.subscription.expired.")
        headers[name] = value
    return headers


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Misused(f"--value is {path!r}, which cannot be read: {error.strerror}.") from None


def _value(value: bytes) -> dict[str, str]:
    """A value as the service takes it: as text where it is text."""
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value).decode()}


def _edited(found: dict[str, Any]) -> bytes:
    """The value as it was left in the person's editor."""
    import click

    text: str | None = found.get("value_text")
    if text is None or not sys.stdin.isatty():
        why = "Its value is no text" if text is None else "There is no terminal to open an editor in"
        raise Misused(f"{why}: say what is to change by --value, --header or --without-header.")
    edited = click.edit(text, extension=".json")
    if edited is None:
        raise Refused("Nothing was saved in the editor, so nothing was changed or retried.")
    return edited.encode()
