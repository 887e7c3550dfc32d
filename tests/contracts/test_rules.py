"""When rules.md is held against the tests: what it cites exists, and what tests cite is in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "rules.md").read_text(encoding="utf-8")
SECTIONS = {"§3", "§9"}
"""Sections that tests cite whole."""

_NAMED = re.compile(r"\b[PNRSLXOT]\d{1,2}\b|§10\.\d{1,2}|§[39]\b(?!\.)")
_RULE = re.compile(r"^- \*\*([A-Z]\d[\d.]*)\*\* ")
_CITED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


def cited_tests() -> dict[str, list[tuple[str, str | None]]]:
    """Of each rule, and of each section cited whole, the tests that show it: file below tests/, function."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    current = ""
    for line in PAGE.splitlines():
        if rule := _RULE.match(line):
            current = rule[1]
            assert current not in found, f"{current} is on the page twice"
            found[current] = []
        elif line.startswith("## "):
            current = line.split()[1]
            found[current] = []
        elif not line:
            current = current if current.startswith("§") else ""
        if current:
            found[current] += [(path, name or None) for path, name in _CITED.findall(line)]
    return found


def named_rules(text: str) -> set[str]:
    """The rules a text names, by their names on the page, where decisions begin with a D."""
    return {name.replace("§10.", "D10.") for name in _NAMED.findall(text)}


def told(path: Path) -> dict[str | None, set[str]]:
    """The rules that a test file names, by test function; under None those that its own docstring names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: dict[str | None, set[str]] = {None: named_rules(ast.get_docstring(tree) or "")}
    for runtime in ast.walk(tree):
        if isinstance(runtime, ast.FunctionDef | ast.AsyncFunctionDef):
            found[runtime.name] = named_rules(ast.get_docstring(runtime) or "")
    return found


CITED = cited_tests()
RULES = {name for name in CITED if not name.startswith("§")}


def test_then_every_rule_has_tests_or_says_that_it_has_none() -> None:
    """A rule that nothing shows is one that is not built, or that says so."""
    bare = set()
    for entry in re.split(r"\n(?=- \*\*|\n)", PAGE):
        rule = _RULE.match(entry.strip())
        words = " ".join(entry.split())
        if rule and "Shown by" not in words and "Not built yet" not in words and "No test names it yet" not in words:
            bare.add(rule[1])
    assert not bare


@pytest.mark.parametrize("name", sorted(CITED))
def test_then_the_tests_it_cites_exist_and_name_it(name: str) -> None:
    """Nothing is said to be shown by a test that does not say so itself."""
    for path, function in CITED[name]:
        if not path.startswith("test_") and "/test_" not in path:
            continue  # a module of the product, named in the text
        known = told(TESTS / path)
        assert function is None or function in known, f"{path} has no {function}"
        named = known[function] | known[None] if function else set().union(*known.values())
        assert name in named, f"{path}{f'::{function}' if function else ''} does not name {name}"


def test_then_every_rule_that_a_test_names_is_on_the_page() -> None:
    """A number in a docstring can be looked up."""
    unknown = {
        f"{path.relative_to(TESTS)}: {name}"
        for path in TESTS.rglob("test_*.py")
        for names in told(path).values()
        for name in names - RULES - SECTIONS
    }
    assert not unknown


def test_then_all_rules_are_there() -> None:
    """From the first to the last of each kind, without a gap."""
    last = {"P": 6, "N": 15, "R": 10, "S": 7, "L": 21, "X": 7, "O": 8}
    wanted = {f"{kind}{n}" for kind, end in last.items() for n in range(0 if kind == "P" else 1, end + 1)}
    assert wanted | {f"D10.{n}" for n in (*range(1, 15), 16, 17)} | {"T3", "T6"} == RULES
