"""Write or check everything that is generated from the contracts (X7).

`python -m trunkline.contracts.generate` writes the schemas, asyncapi.json and the tables of events in docs/.
`--check` writes nothing, names what differs, and exits 1. `--release` puts the present schemas on
record: a released version never changes. Samples are written by hand; one that lacks is named.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from trunkline.contracts.catalogue import catalogue, pages
from trunkline.contracts.catalogue.asyncapi import document
from trunkline.contracts.catalogue.json_schema import schema
from trunkline.contracts.contract import Contract

SHARED: Final = Path(__file__).parents[2]
CONTRACTS: Final = Path("trunkline", "contracts")
SCHEMAS: Final = CONTRACTS / "schemas"
SAMPLES: Final = CONTRACTS / "samples"
RELEASED: Final = SCHEMAS / "released.json"


def generated(contracts: Sequence[Contract] = catalogue.ALL) -> dict[Path, str]:
    """Give every file that is generated from its first line to its last, by its path below `shared/`."""
    files = {SCHEMAS / c.schema_file: _text(schema(c)) for c in contracts}
    files[CONTRACTS / "asyncapi.json"] = _text(document(contracts))
    return files


def broken_promises(shared: Path, files: dict[Path, str]) -> list[str]:
    """Say which released schemas would change or go; those of retired versions stay as files."""
    found = []
    for name, promised in released(shared).items():
        path = SCHEMAS / name
        kept = shared / path
        text = files.get(path) or (kept.read_text("utf-8") if kept.exists() else "")
        if _hash(text) != promised:
            found.append(f"{path.as_posix()}: released versions never change: add v2")
    return found


def differences(shared: Path, files: dict[Path, str]) -> list[str]:
    """Say which files on disk are not what the contracts give."""
    found = []
    for path, text in files.items():
        there = shared / path
        if not there.exists():
            found.append(f"{_name(path)}: is missing")
        elif there.read_text("utf-8") != text:
            found.append(f"{_name(path)}: differs from the contracts")
    known = {path.name for path in files} | set(released(shared)) | {RELEASED.name}
    strays = (file for file in (shared / SCHEMAS).glob("*.json") if file.name not in known)
    return found + [f"{(SCHEMAS / stray.name).as_posix()}: has no contract" for stray in strays]


def missing_samples(shared: Path, contracts: Iterable[Contract] = catalogue.ALL) -> list[str]:
    """Say which events have no sample yet."""
    return [
        f"{(SAMPLES / contract.schema_file).as_posix()}: is missing: write one by hand"
        for contract in contracts
        if not (shared / SAMPLES / contract.schema_file).exists()
    ]


def released(shared: Path) -> dict[str, str]:
    """Give the hashes on record of released schemas, by file name."""
    record = shared / RELEASED
    if not record.exists():
        return {}
    return msgspec.json.decode(record.read_bytes(), type=dict[str, str])


def main(arguments: Sequence[str] | None = None, shared: Path = SHARED) -> int:
    """Run the command; give 0 when all is as it should be, 1 when something is not."""
    parser = argparse.ArgumentParser(prog="python -m trunkline.contracts.generate")
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    parser.add_argument("--release", action="store_true", help="put the schemas on record for good")
    chosen = parser.parse_args(arguments)
    files = generated() | pages.pages(shared / pages.DOCS, catalogue.ALL)
    problems = broken_promises(shared, files) + missing_samples(shared)
    if chosen.check:
        problems += differences(shared, files)
    elif not broken_promises(shared, files):
        _write(shared, files)
        if chosen.release:
            names = {path.name: _hash(text) for path, text in files.items() if path.parent == SCHEMAS}
            _write(shared, {RELEASED: _text(released(shared) | names)})
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def _write(shared: Path, files: dict[Path, str]) -> None:
    for path, text in files.items():
        there = shared / path
        there.parent.mkdir(parents=True, exist_ok=True)
        if not there.exists() or there.read_text("utf-8") != text:
            there.write_text(text, "utf-8")


def _name(path: Path) -> str:
    return path.as_posix().removeprefix("../")


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _text(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


if __name__ == "__main__":
    sys.exit(main())
