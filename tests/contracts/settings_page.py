"""Write the table of settings in docs/settings.md: `python -m tests.contracts.settings_page`.

The table is made from the fields of `Settings`, so that a new setting cannot be forgotten.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from trunkline.settings import PREFIX, Settings

PAGE: Final = Path(__file__).parents[2] / "docs" / "settings.md"
BEGIN: Final = "<!-- begin: written by `python -m tests.contracts.settings_page` -->"
END: Final = "<!-- end: written by `python -m tests.contracts.settings_page` -->"


def table() -> str:
    """A row for each setting: its variable, what it takes, its default."""
    rows = ["| setting | takes | default |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        takes = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{PREFIX}{name.upper()}` | {takes} | {_default(field.default)} |")
    return "\n".join(rows)


def page(text: str) -> str:
    """The page with its generated part."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n\n{table()}\n\n{end}{after}"


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if value is None or value == "" or value == () or value == frozenset():
        return "unset"
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
