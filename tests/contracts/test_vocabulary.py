"""When a name or a docstring is written: the words are those of the glossary, and of the field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [
    "shared/trunkline/contracts",
    "shared/trunkline/embedded_postgres",
    "shared/trunkline/files",
    "services/licensing/trunkline_licensing/projections",
    "services/licensing/trunkline_licensing/replicas",
    "services/licensing/trunkline_licensing/tables",
    "services/numbers/trunkline_numbers/queries",
    "services/numbers/trunkline_numbers/tables",
]
"""Those that have their words already; the list grows as the others follow."""
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
STANDARD = {"tell", "dead_letters"}
"""`tell` is a method of files, a dead letter the field's word."""
_OTHER = (
    r"said|says|heard|hears?|hearing|told|tells?|askers?|doors?|sight|deeds?|dut(?:y|ies)|breath|hurry|letters|parked"
    r"|horizon|wakes?"
)
_IN_NAMES = re.compile(rf"(?:^|_)(?:{_OTHER})(?=_|$)", re.IGNORECASE)
_IN_TEXT = re.compile(rf"\b(?:{_OTHER})\b", re.IGNORECASE)


def names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Attribute):
        yield node.attr


def is_published(node: ast.AST) -> bool:
    """Whether its docstring is in a released schema, which never changes."""
    return isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name | ast.Attribute) for base in node.bases)


def other_words(file: Path) -> list[str]:
    """The words for which the field has its own, with their lines."""
    found = []
    for runtime in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        line = getattr(runtime, "lineno", 1)
        found += [f"{line}: {name}" for name in names(runtime) if name not in STANDARD and _IN_NAMES.search(name)]
        if isinstance(runtime, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = (
                "" if is_published(runtime) else re.sub(r"`[^`]*`|dead letters", "", ast.get_docstring(runtime) or "")
            )
            found += [f"{line}: “{match[0]}”" for match in _IN_TEXT.finditer(text)]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_then_it_has_one_word_for_each_idea(file: Path) -> None:
    """docs/glossary.md has them."""
    assert other_words(file) == []


def test_then_a_word_of_before_is_found(tmp_path: Path) -> None:
    """A test that finds nothing might look at nothing."""
    file = tmp_path / "x.py"
    file.write_text('"""What is said."""\ndef told_by(asker): return asker.sight\n', encoding="utf-8")
    assert sorted(other_words(file)) == ["1: “said”", "2: asker", "2: asker", "2: sight", "2: told_by"]
