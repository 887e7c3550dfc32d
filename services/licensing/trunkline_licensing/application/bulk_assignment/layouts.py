"""A file of people for a bulk assignment: three layouts, which the header tells apart (L7, L8, L9, §9)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from trunkline.files.csv_reader import Layout, read_csv
from trunkline.files.csv_reader import Row as Line
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import MOST_USERS, Bulk, File
from trunkline_licensing.domain.bulk_assignment.errors import FileWithoutUsers, MixedIdentities, TooManyUsers
from trunkline_licensing.domain.bulk_assignment.events import Identified
from trunkline_licensing.domain.bulk_assignment.rows import Row, is_uuid

MOST_BYTES: Final = 5 * 1_048_576
"""Of one file (L9)."""
_LONGEST_CELL: Final = 200

LayoutName = Literal["name", "uuid", "addons"]
_KEY, _NUMBER, _REFERENCE, _ADDON = "Ext Key", "Number", "Subscription Reference", "Addon License"
_PERSON: Final[dict[str, str]] = {"name": "User's Name", "uuid": "Identity UUID", "addons": "User"}

LAYOUTS: Final[dict[LayoutName, Layout]] = {
    "name": Layout("name", (_KEY, _PERSON["name"], _NUMBER), (_REFERENCE,)),
    "uuid": Layout("uuid", (_KEY, _PERSON["uuid"], _NUMBER), (_REFERENCE,)),
    "addons": Layout("addons", (_KEY, _NUMBER, _PERSON["addons"]), repeated=_ADDON),
}


class UsersFile(msgspec.Struct, frozen=True):
    """The people of a file, read once and for no template yet: their rows count from 1."""

    digest: str
    identified_by: Identified
    rows: list[Row]


def read_users(data: bytes | Iterable[bytes], name: str) -> UsersFile:
    """Read the people of a file.

    It depends on nothing but the file, so that it is done once and outside every transaction.

    Args:
        data: the file as it was sent.
        name: what it is called.

    Raises:
        Refused: the whole file is: it is too large, not UTF-8, not CSV, has another header (`csvfile.read_csv`); a line
            has more cells than the header; TooManyUsers, MixedIdentities, FileWithoutUsers. Nothing is taken of it.
    """
    whole = data if isinstance(data, bytes) else b"".join(data)
    file = read_csv(whole, *LAYOUTS.values(), max_bytes=MOST_BYTES)
    if not file.count:
        raise FileWithoutUsers(file=name)
    column = _PERSON[file.layout.name]
    identified: Identified | None = {"name": "name", "uuid": "uuid"}.get(file.layout.name)  # type: ignore[assignment]
    said_by = f"the column is called {column!r}"
    rows: list[Row] = []
    for line in file:
        if line.fault is not None:
            raise line.fault
        if len(rows) == MOST_USERS:
            raise _too_many(name, file.count, line.line)
        person = line.cells[column]
        if person:
            found: Identified = "uuid" if is_uuid(person) else "name"
            if identified is None:
                identified, said_by = found, f"line {line.line} names its user by {_KINDS[found]}"
            if found != identified:
                raise _mixed(name, line, found, person, said_by)
        rows.append(_row(line, column, identified or "name", len(rows)))
    return UsersFile(sha256(whole).hexdigest(), identified or "name", rows)


def rows_of(file: UsersFile, name: str, b: Bulk) -> tuple[File, list[Row]]:
    """The people of a file as rows behind those that a template has.

    Raises:
        TooManyUsers: the template would have more than 15,000 (L9).
    """
    left = MOST_USERS - b.total
    if len(file.rows) > left:
        raise _too_many(name, b.total + len(file.rows), file.rows[left].line)
    rows = [replace(row, place=b.total + row.place, file=len(b.files)) for row in file.rows]
    return File(name, file.digest, file.identified_by, len(rows)), rows


_KINDS: Final = {"name": "name", "uuid": "UUID"}


def _row(line: Line, column: str, identified: Identified, before: int) -> Row:
    cells = line.cells
    return Row(
        place=before + 1,
        file=0,
        line=line.line,
        ext_key=_cut(cells[_KEY]),
        person=_cut(cells[column]),
        identified_by=identified,
        number=_cut(cells[_NUMBER]),
        reference=_cut(cells.get(_REFERENCE, "")),
        addons=tuple(dict.fromkeys(_cut(code) for code in line.more)),
    )


def _cut(cell: str) -> str:
    """No good cell is as long as this; of a bad one the beginning is enough to say so."""
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[:_LONGEST_CELL]}…"


def _too_many(name: str, total: int, line: int) -> TooManyUsers:
    where = {"line": line, "part": "file", "pointer": f"#/{line}"}
    return TooManyUsers(file=name, total=total, limit=MOST_USERS, **where)


def _mixed(name: str, line: Line, found: Identified, person: str, others: str) -> MixedIdentities:
    where = {"line": line.line, "part": "file", "pointer": f"#/{line.line}"}
    return MixedIdentities(file=name, found=_KINDS[found], value=_cut(person)[:60], others=others, **where)
