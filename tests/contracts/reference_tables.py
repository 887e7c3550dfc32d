"""Write the tables of settings and metrics in docs/: `python -m tests.contracts.reference_tables`.

They are made from the code, so that a new setting or metric cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from prometheus_client import REGISTRY

from tests.contracts.promised_names import import_everything
from trunkline.settings import PREFIX, Settings

DOCS: Final = Path(__file__).parents[2] / "docs"
BEGIN: Final = "<!-- begin: written by `python -m tests.contracts.reference_tables` -->"
END: Final = "<!-- end: written by `python -m tests.contracts.reference_tables` -->"


def pages() -> dict[str, str]:
    """Each page with a generated table -> its text with the table as it must be."""
    return {name: _filled((DOCS / name).read_text("utf-8"), table()) for name, table in _TABLES.items()}


def _filled(text: str, table: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, "the page has no markers"
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def _settings() -> str:
    rows = ["| setting | takes | default |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        takes = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{PREFIX}{name.upper()}` | {takes} | {_default(field.default)} |")
    return "\n".join(rows)


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if value is None or value == "" or value == () or value == frozenset():
        return "unset"
    return f"`{value}`"


def _metrics() -> str:
    import_everything()
    found = {}
    for collector in list(REGISTRY._collector_to_names):
        labels = ", ".join(f"`{label}`" for label in getattr(collector, "_labelnames", ()))
        for metric in collector.describe() if hasattr(collector, "describe") else ():
            if metric.name.startswith("trunkline_"):
                name = f"{metric.name}_total" if metric.type == "counter" else metric.name
                found[name] = f"| `{name}` | {metric.type} | {labels} | {metric.documentation} |"
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *(found[n] for n in sorted(found))])


_TABLES: Final[Mapping[str, Callable[[], str]]] = {"settings.md": _settings, "operations.md": _metrics}

if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, "utf-8")
