"""The rows of bulk assignments in their table: reading them, and the statements that change them.

No view in the sense of a projection: the table is written in the transactions that record the streams' events, and
cannot be made anew from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

import msgspec

from trunkline.eventstore.unit_of_work import UnitOfWork
from trunkline_licensing.domain.bulk_assignment.bulk_assignment import Bulk
from trunkline_licensing.domain.bulk_assignment.rows import Failure, Row

RowStatus = Literal["pending", "waiting", "held", "short", "succeeded", "failed"]
Fetch = Callable[[str, Sequence[Any]], list[Any]]

_COLUMNS: Final = "place, file, line, ext_key, person, number, reference, addons"
_REPORTED: Final = f"{_COLUMNS}, status, code, reason, extension_id, identity_id"


class Reported(msgspec.Struct, frozen=True, gc=False):
    """A row with what became of it."""

    row: Row
    status: RowStatus
    code: str | None
    reason: str | None
    extension_id: str | None
    identity_id: str | None


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a row, to be written."""

    place: int
    status: RowStatus
    failure: Failure | None = None
    extension_id: str | None = None
    identity_id: str | None = None


# -- reading ----------------------------------------------------------------------------------------------------------


def all_rows(fetch: Fetch, b: Bulk) -> list[Row]:
    """Every row of a template, in file order."""
    found = fetch(f"SELECT {_COLUMNS} FROM bulk_rows WHERE bulk_id = %s ORDER BY place", (b.id,))
    return [_row(b, r) for r in found]


def people_of_done(fetch: Fetch, bulk_id: str) -> dict[int, str]:
    """Place -> person, of the rows that were decided already."""
    sql = "SELECT place, identity_id FROM bulk_rows WHERE bulk_id = %s AND identity_id IS NOT NULL"
    return dict(fetch(sql, (bulk_id,)))


def next_places(fetch: Fetch, bulk_id: str, statuses: Sequence[RowStatus], limit: int) -> list[tuple[int, str, str]]:
    """The first rows in some of the statuses: place, status, extension id (empty: none)."""
    sql = "SELECT place, status, coalesce(extension_id, '') FROM bulk_rows WHERE bulk_id = %s AND status = ANY(%b)"
    return fetch(f"{sql} ORDER BY place LIMIT {limit}", (bulk_id, list(statuses)))


def waiting_for(fetch: Fetch, extension_ids: Sequence[str]) -> list[tuple[str, int, str, str]]:
    """The rows that wait for an answer about these extensions: template, place, extension id, number."""
    sql = "SELECT bulk_id, place, extension_id, number FROM bulk_rows"
    return fetch(f"{sql} WHERE status = 'waiting' AND extension_id = ANY(%b)", (list(extension_ids),))


def running(fetch: Fetch) -> list[str]:
    """The templates in progress."""
    return [bulk_id for (bulk_id,) in fetch("SELECT bulk_id FROM bulk_running ORDER BY bulk_id", ())]


class Chosen(msgspec.Struct, frozen=True):
    """Which rows: in some of the statuses, with a code (what stands in its parentheses does not matter); None: any."""

    statuses: tuple[RowStatus, ...] | None = None
    code: str | None = None

    @property
    def where(self) -> tuple[str, list[Any]]:
        """A condition to go on with, and its parameters."""
        sql, params = "", list[Any]()
        if self.statuses is not None:
            sql, params = " AND status = ANY(%b)", [list(self.statuses)]
        if self.code is not None:
            sql, params = f"{sql} AND status = 'failed' AND split_part(code, '(', 1) = %s", [*params, self.code]
        return sql, params


def page_of_rows(fetch: Fetch, b: Bulk, after: int, limit: int, chosen: Chosen | None = None) -> list[Reported]:
    """Rows after a place, in file order."""
    where, params = (chosen or Chosen()).where
    sql = f"SELECT {_REPORTED} FROM bulk_rows WHERE bulk_id = %s AND place > %s{where} ORDER BY place LIMIT {limit}"
    return [Reported(_row(b, r), *r[8:]) for r in fetch(sql, (b.id, after, *params))]


def count_rows(fetch: Fetch, bulk_id: str, chosen: Chosen | None = None) -> int:
    """How many rows there are."""
    where, params = (chosen or Chosen()).where
    return int(fetch(f"SELECT count(*) FROM bulk_rows WHERE bulk_id = %s{where}", (bulk_id, *params))[0][0])


def _row(b: Bulk, columns: Sequence[Any]) -> Row:
    index, file, line, ext_key, person, number, reference, addons = columns[:8]
    by = b.files[file].identified_by
    return Row(index, file, line, ext_key, person, by, number, reference, tuple(addons))


# -- writing ----------------------------------------------------------------------------------------------------------


def add_rows(uow: UnitOfWork, bulk_id: str, rows: Sequence[Row]) -> None:
    """Put the rows of a file behind those there are."""
    addons = ["\x1f".join(row.addons) for row in rows]
    plain = [(r.place, r.file, r.line, r.ext_key, r.person, r.number, r.reference) for r in rows]
    columns = [list(column) for column in zip(*plain, strict=True)]
    uow.write(
        f"INSERT INTO bulk_rows (bulk_id, {_COLUMNS})"
        " SELECT %s, place, file, line, ext_key, person, number, reference,"
        " CASE addons WHEN '' THEN '{}' ELSE string_to_array(addons, E'\\x1f') END"
        " FROM unnest(%b::int4[], %b::int2[], %b::int4[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])"
        " AS r(place, file, line, ext_key, person, number, reference, addons)",
        [(bulk_id, *columns, addons)],
    )


def write_outcomes(uow: UnitOfWork, bulk_id: str, outcomes: Iterable[Outcome]) -> None:
    """What became of some rows."""
    settled = list(outcomes)
    if not settled:
        return
    failures = [(o.failure.code, o.failure.reason) if o.failure else (None, None) for o in settled]
    codes, reasons = [code for code, _ in failures], [reason for _, reason in failures]
    columns = ([o.place for o in settled], [o.status for o in settled], codes, reasons)
    ids = ([o.extension_id for o in settled], [o.identity_id for o in settled])
    uow.write(
        "UPDATE bulk_rows b SET status = r.status, code = r.code, reason = r.reason,"
        " extension_id = coalesce(r.extension_id, b.extension_id),"
        " identity_id = coalesce(r.identity_id, b.identity_id)"
        " FROM unnest(%b::int4[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])"
        " AS r(place, status, code, reason, extension_id, identity_id)"
        " WHERE b.bulk_id = %s AND b.place = r.place",
        [(*columns, *ids, bulk_id)],
    )


def turn_all(
    uow: UnitOfWork, bulk_id: str, before: RowStatus, after: RowStatus, failure: Failure | None = None
) -> None:
    """Give all rows of one status another one."""
    code, reason = (failure.code, failure.reason) if failure else (None, None)
    sql = "UPDATE bulk_rows SET status = %s, code = coalesce(%s, code), reason = coalesce(%s, reason)"
    uow.write(f"{sql} WHERE bulk_id = %s AND status = %s", [(after, code, reason, bulk_id, before)])


def forget(uow: UnitOfWork, bulk_id: str) -> None:
    """A draft is deleted: its people's names go with it."""
    uow.write("DELETE FROM bulk_rows WHERE bulk_id = %s", [(bulk_id,)])


def mark_running(uow: UnitOfWork, bulk_id: str) -> None:
    """The runner is to look at it."""
    uow.write("INSERT INTO bulk_running (bulk_id) VALUES (%s)", [(bulk_id,)])


def mark_completed(uow: UnitOfWork, bulk_id: str) -> None:
    """The runner need not look at it any more."""
    uow.write("DELETE FROM bulk_running WHERE bulk_id = %s", [(bulk_id,)])
