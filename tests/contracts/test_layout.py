"""When a module is added or moved: the folders keep the shape that the architecture says they have."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [
    ROOT / "shared/trunkline",
    ROOT / "services/licensing/trunkline_licensing",
    ROOT / "services/numbers/trunkline_numbers",
]
FOLDERS = sorted({file.parent for package in PACKAGES for file in package.rglob("*.py")})
MOST_FILES = 20
PURE = {
    "msgspec",
    "trunkline.clock",
    "trunkline.errors",
    "trunkline.eventstore.decider",
    "trunkline.eventstore.epochs",
    "trunkline.limits",
    "trunkline.text",
}
"""What a decision may import beside the standard library and its own domain: nothing that reads, writes or waits."""
DOMAIN = [file for package in PACKAGES[1:] for file in sorted((package / "domain").rglob("*.py"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(file: Path) -> Iterator[str]:
    for runtime in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(runtime, ast.ImportFrom) and runtime.module:
            yield runtime.module
        elif isinstance(runtime, ast.Import):
            yield from (alias.name for alias in runtime.names)


def allowed(module: str) -> bool:
    top = module.partition(".")[0]
    own = top in {package.name for package in PACKAGES[1:]} and module.split(".")[1:2] == ["domain"]
    return own or top in sys.stdlib_module_names or module in PURE or top in PURE


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_then_a_folder_says_what_belongs_there_and_is_not_too_full(folder: Path) -> None:
    """One line in its __init__, and nothing else; at most 20 files."""
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1, "an __init__.py holds its docstring only, so that importing one module loads no other"
    assert len(list(folder.glob("*.py"))) <= MOST_FILES


@pytest.mark.parametrize("file", DOMAIN, ids=name_of)
def test_then_decisions_import_nothing_that_reads_writes_or_waits(file: Path) -> None:
    """The domain of a service is pure."""
    assert [module for module in imports(file) if not allowed(module)] == []


def test_then_the_glossary_names_code_that_exists() -> None:
    """Each word of the glossary points to a module or folder of one of the packages."""
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    named = re.findall(r"\| `([\w/*]+(?:\.py|/))`(?: of \w+)? \|$", page, re.MULTILINE)
    assert len(named) > 30
    assert [path for path in named if not any(any(package.glob(path)) for package in PACKAGES)] == []
