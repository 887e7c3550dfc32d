"""The parts of the pages in docs/ that are made from the contracts: a row for each public event (X7)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from trunkline.contracts import billing, dead_letters, licensing, numbers, parties
from trunkline.contracts.cloudevents.errors import CODES
from trunkline.contracts.contract import Contract

DOCS: Final = Path("..", "docs")
"""Seen from `shared/`."""
BEGIN: Final = "<!-- begin: written by `python -m trunkline.contracts.generate` -->"
END: Final = "<!-- end: written by `python -m trunkline.contracts.generate` -->"

_FOLDER: Final = "../shared/trunkline/contracts"

_DEAD: Final = """\
## Dead letters

A record that cannot be read or understood is published on `{topic}` as it came, with the original key, value
and headers, and these headers before them:

| header | meaning |
|---|---|
{headers}

`dl_code` is one of:

| code | when |
|---|---|
{codes}

A readable event that breaks a business rule is no dead letter: it has a recorded outcome.
"""


def pages(docs: Path, contracts: Sequence[Contract]) -> dict[Path, str]:
    """Give the pages with their generated parts, by their path seen from `shared/`.

    Args:
        docs: the folder that holds the pages with their hand-written parts.
        contracts: of all public events.
    """
    return {DOCS / name: _filled(docs / name, part(contracts)) for name, part in _PARTS.items()}


def _filled(page: Path, part: str) -> str:
    text = page.read_text("utf-8") if page.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n\n{part}\n{end}{after}" if end else f"{BEGIN}\n\n{part}\n{END}\n"


def _published(contracts: Iterable[Contract]) -> str:
    known = tuple(contracts)
    parts = []
    for service, source in (("licensing", licensing.SOURCE), ("numbers", numbers.SOURCE)):
        parts.append(f"## Events of {service}\n\n`source` is `{source}`.\n")
        parts.append(_table(c for c in known if c.source == source))
    dead = _DEAD.format(
        topic=dead_letters.TOPIC,
        headers="\n".join(f"| `{name}` | {text} |" for name, text in dead_letters.HEADERS.items()),
        codes="\n".join(f"| `{code}` | {text} |" for code, text in CODES.items()),
    )
    return "\n".join([*parts, dead])


def _received(contracts: Iterable[Contract]) -> str:
    known = tuple(contracts)
    parts = []
    for title, topic in (("Events of billing", billing.TOPIC), ("Events about parties", parties.TOPIC)):
        parts.append(f"## {title}\n\nTopic `{topic}`, key = `subject`. `sequence` is optional:")
        parts.append("where it is absent, `time` orders. One value has at most 1,048,576 bytes.\n")
        parts.append(_table(c for c in known if c.topic == topic))
    return "\n".join(parts)


def _table(contracts: Iterable[Contract]) -> str:
    rows = ["| event | key | when | | |", "|---|---|---|---|---|"]
    for contract in contracts:
        key = f"`{contract.key}`" if contract.key else f"“{contract.fixed_subject}”"
        schema = f"[schema]({_FOLDER}/schemas/{contract.schema_file})"
        sample = f"[sample]({_FOLDER}/samples/{contract.schema_file})"
        text = " ".join(contract.description.split()).rstrip(".")
        description = text[:1].upper() + text[1:]
        rows.append(f"| `{contract.name}` | {key} | {description} | {schema} | {sample} |")
    return "\n".join([*rows, ""])


_PARTS: Final[Mapping[str, Callable[[Iterable[Contract]], str]]] = {
    "consuming-events.md": _published,
    "billing-integration.md": _received,
}
