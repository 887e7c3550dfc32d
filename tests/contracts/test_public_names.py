"""When other packages are used: only by names that they promise (decision 46)."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = {
    "trunkline": ROOT / "shared",
    "trunkline_licensing": ROOT / "services/licensing",
    "trunkline_numbers": ROOT / "services/numbers",
}
FILES = [file for name, folder in PRODUCT.items() for file in sorted((folder / name).rglob("*.py"))]
TUPLES = {"_replace", "_asdict", "_make", "_fields"}
"""Names of named tuples: public, and underscored only so that no field can be named like them."""


def private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__")) and name not in TUPLES


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What is imported, as `package.module.name`, and in which line."""
    for runtime in ast.walk(tree):
        if isinstance(runtime, ast.Import):
            yield from ((alias.name, runtime.lineno) for alias in runtime.names)
        elif isinstance(runtime, ast.ImportFrom):
            yield from ((f"{runtime.module}.{alias.name}", runtime.lineno) for alias in runtime.names)


def inherited(module: ModuleType) -> Iterator[str]:
    """Private names of other packages' classes that the classes of a module use on themselves."""
    for kind in vars(module).values():
        if not inspect.isclass(kind) or kind.__module__ != module.__name__:
            continue
        foreign = [base for base in kind.__mro__ if base.__module__.split(".")[0] not in {*PRODUCT, "builtins"}]
        theirs = {name for base in foreign for name in assigned(base)}
        ours = {name for base in kind.__mro__ if base not in foreign for name in assigned(base)}
        for runtime in ast.walk(ast.parse(source_of(kind))):
            if isinstance(runtime, ast.Attribute) and private(runtime.attr) and runtime.attr in theirs - ours:
                yield f"{kind.__qualname__}.{runtime.attr}"


def assigned(kind: type) -> set[str]:
    """The private names that a class has or that its methods assign."""
    found = set(vars(kind))
    for runtime in ast.walk(ast.parse(source_of(kind))):
        if isinstance(runtime, ast.Attribute) and isinstance(runtime.ctx, ast.Store):
            found.add(runtime.attr)
    return {name for name in found if private(name)}


def source_of(kind: type) -> str:
    try:
        return inspect.cleandoc("\n" + inspect.getsource(kind))
    except (OSError, TypeError):  # written in C
        return ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_private_module_or_name_is_imported(file: Path) -> None:
    """decision 46: `aiokafka.client` is promised, `faststream._internal` is not."""
    found = [
        f"{name} in line {line}"
        for name, line in imported(ast.parse(file.read_text()))
        if name.split(".")[0] not in PRODUCT and any(private(part) for part in name.split("."))
    ]
    assert found == []


def test_no_private_attribute_of_an_imported_class_is_used() -> None:
    """decision 46: neither on an instance (ruff's SLF001 looks) nor by a class that inherits it."""
    found = []
    for file in FILES:
        folder = next(folder for folder in PRODUCT.values() if file.is_relative_to(folder))
        name = ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        if not name.endswith("__main__"):
            found += [f"{name}: {used}" for used in inherited(importlib.import_module(name))]
    assert found == []


def test_the_look_itself_finds_what_is_private() -> None:
    """decision 46: a test that finds nothing might look at nothing."""
    assert "aiokafka" in packages_distributions()
    tree = ast.parse("import faststream._internal.types\nfrom aiokafka.record.default_records import _Batch")
    assert all(any(private(part) for part in name.split(".")) for name, _ in imported(tree))
    module = ModuleType(__name__)
    module.Reader = Reader  # type: ignore[attr-defined]
    assert list(inherited(module)) == ["Reader._fieldnames"]


class Reader(__import__("csv").DictReader):  # type: ignore[misc]
    """Uses what is not promised."""

    def peek(self) -> object:
        return self._fieldnames
