"""Schemas of public events, read from a folder, from one file, or taken from the installed code (X7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trunkline.cli.terminal.exit_codes import Misused
from trunkline.contracts.catalogue import catalogue
from trunkline.contracts.compatibility.releases import EventChange, Version, differing, schemas_of, version_of
from trunkline.contracts.compatibility.schema_form import parse_schema

Schemas = dict[Version, dict[str, Any]]


class Compared(NamedTuple):
    """How many versions of events were compared, and what changed."""

    versions: int
    changes: list[EventChange]


def compare_files(old: Path, new: Path | None) -> Compared:
    """Compare the events of two releases; where one is a single file, only that event.

    Args:
        old: a folder of schema files, or one of them.
        new: the same; None: the contracts of the installed code.

    Raises:
        Misused: one of them cannot be read or holds no schema, or two files are about two events.
    """
    before, after = read_schemas(old), schemas_of(catalogue.ALL) if new is None else read_schemas(new)
    single = [next(iter(found)) for path, found in ((old, before), (new, after)) if path is not None and path.is_file()]
    names = {version.name for version in single}
    if len(names) == 2:
        raise Misused(f"{old} is about {single[0].name} and {new} about {single[1].name}: they are two events.")
    if names:
        before, after = ({v: schema for v, schema in side.items() if v.name in names} for side in (before, after))
    if len(single) == 2:  # whoever names two files means these two, whatever their versions are
        before = {single[1]: before[single[0]]}
    try:
        return Compared(len({*before, *after}), differing(before, after, catalogue.ALL))
    except RecursionError:
        raise Misused(f"{old} or what it is compared with is nested too deep for a schema of an event.") from None


def read_schemas(path: Path) -> Schemas:
    """The schemas in a folder, in its files `*.v<N>.json`, or in one file.

    Raises:
        Misused: it cannot be read or holds no schema; naming the file and why.
    """
    try:
        if not path.is_dir():
            return dict([_read(path)])
        found = dict(_read(file) for file in sorted(path.iterdir()) if version_of(file.name) is not None)
    except OSError as error:
        raise Misused(f"{error.filename} cannot be read: {error.strerror}.") from None
    if not found:
        raise Misused(f"{path} holds no schemas: none of its files is named like NumberReserved.v1.json.")
    return found


def _read(file: Path) -> tuple[Version, dict[str, Any]]:
    try:
        schema = parse_schema(file.read_bytes())
    except msgspec.ValidationError as error:
        raise Misused(f"{file} is no JSON Schema: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Misused(f"{file} is no JSON: {error}.") from None
    version = version_of(file.name) or version_of(str(schema.get("$id")))  # a copy may be called otherwise
    if version is None:
        raise Misused(f"{file} does not say which event it is about: neither its name nor $id is like NAME.v1.json.")
    return version, schema
