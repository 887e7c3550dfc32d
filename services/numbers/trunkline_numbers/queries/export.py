"""Exports of numbers: their columns, as one principal may see them, read from one snapshot (N11, P2, §9).

The database writes CSV itself, cells made harmless there (`cells.tame_sql`); the other formats are written from rows
that a cursor brings piece by piece. Memory stays flat either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import psycopg

from trunkline.files.formula_escaping import tame_sql
from trunkline.files.table_writer import CHUNK_BYTES, Cell, Format, table_bytes
from trunkline_numbers.queries.filters import Conditions, Scope
from trunkline_numbers.queries.page_window import where

Layout = Literal["full", "upload"]
_CHUNK: Final = 4 * CHUNK_BYTES
_ROWS: Final = 2_000


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: for programs; `heading` for people, and for an upload.
        sql: its value. `{own}` before a bracket: its content within the principal's branch. `{domains}`: those of
            the number that the principal may see.
        kind: `digits` is the number itself.
    """

    name: str
    heading: str
    sql: str
    kind: Literal["text", "plain", "digits", "bool", "instant", "list"] = "plain"


_UPLOAD: Final = (
    Column("country", "Country Code", "v.country"),
    Column("number", "Phone Number", "v.key", "digits"),
    Column("voice", "Voice", "v.voice", "bool"),
    Column("sms", "SMS", "v.sms", "bool"),
    Column("fax", "Fax", "v.fax", "bool"),
    Column("vendor", "Vendor", "v.vendor", "text"),
    Column("sku", "SKU", "v.sku", "text"),
    Column("routing", "Routing", "v.routing", "text"),
    Column("golden", "Golden", "v.golden", "bool"),
    Column("ported_in", "Ported In", "v.ported_in", "bool"),
    Column("domains", "Domains", "{domains}", "list"),
    Column("legacy_lock", "Legacy Lock", "(v.state = 'locked' AND v.ends_at IS NULL)", "bool"),
)
_FULL: Final = (
    Column("state", "State", "v.state"),
    Column("since", "Since", "v.since", "instant"),
    Column("cause", "Cause", "v.cause"),
    Column("ends_at", "Ends At", "v.ends_at", "instant"),
    Column("free_ends_at", "Free Ends At", "v.free_ends_at", "instant"),
    Column("charged", "Charged", "v.charged", "bool"),
    Column("quarantined_until", "Quarantined Until", "v.quarantined_until", "instant"),
    Column("subscription_id", "Subscription", "{own}(v.owner_id, v.subscription_id)"),
    Column("organization_id", "Organization", "{own}(v.organization_id, v.organization_id)"),
    Column("reserver_id", "Reserver", "{own}(v.reserver_id, v.reserver_id)"),
    Column("holder_id", "Holder", "{own}(v.holder_id, v.holder_id)"),
    Column("uploader_id", "Uploader", "{own}(v.uploader_id, v.uploader_id)"),
    Column("bound", "Bound", "{bound}", "bool"),
    Column("voice_carrier", "Voice Carrier", "v.voice_carrier", "text"),
    Column("sms_carrier", "SMS Carrier", "v.sms_carrier", "text"),
)
LAYOUTS: Final[dict[Layout, tuple[Column, ...]]] = {"upload": _UPLOAD, "full": (*_UPLOAD, *_FULL)}
"""`upload`: as a file of numbers to upload has them (R1). `full`: the same, and all that has become of the number."""


class Export:
    """One export, over a connection of its own, that ends with it."""

    def __init__(self, url: str, conditions: Conditions, scope: Scope | None, layout: Layout) -> None:
        """Prepare.

        Args:
            url: the service's database.
            conditions: which numbers; the principal's branch is among the conditions.
            scope: what else the principal sees; None: all.
            layout: which columns.
        """
        self._url, self._conditions, self._scope, self._columns = url, conditions, scope, LAYOUTS[layout]

    def pieces(self, form: Format) -> Iterator[bytes]:
        """The file, piece by piece, numbers in their order."""
        names = [column.name for column in self._columns]
        headings = [column.heading for column in self._columns]
        return self._csv(headings) if form == "csv" else table_bytes(form, "Numbers", headings, names, self.rows())

    def _csv(self, headings: Sequence[str]) -> Iterator[bytes]:
        sql, params = self._select(_as_csv)
        with self._snapshot() as conn, conn.cursor().copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)", params) as copy:
            piece = bytearray(",".join(headings).encode() + b"\n")
            for row in copy:
                piece += row
                if len(piece) >= _CHUNK:
                    yield bytes(piece)
                    piece.clear()
            yield bytes(piece)

    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """The same as rows; instants as texts in RFC 3339."""
        sql, params = self._select(_as_cell)
        with self._snapshot() as conn:
            conn.execute("SET LOCAL cursor_tuple_fraction = 1")  # all of it will be read: plan for that
            with conn.cursor(name="export") as cursor:
                cursor.execute(sql.encode(), params, binary=True)
                while rows := cursor.fetchmany(_ROWS):
                    yield from rows

    @contextmanager
    def _snapshot(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self._url, autocommit=True) as conn, conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            conn.execute("SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'")
            yield conn

    def _select(self, form: Any) -> tuple[str, list[Any]]:
        parts: list[str] = []
        params: list[Any] = []
        for column in self._columns:
            text, given = self._seen(column.sql)
            parts.append(f"{form(column.kind, text)} AS {column.name}")
            params += given
        wheres, limits = where(self._conditions.clauses())
        return f"SELECT {', '.join(parts)} FROM number_view v{wheres} ORDER BY v.key", [*params, *limits]

    def _seen(self, sql: str) -> tuple[str, list[Any]]:
        """A value as the principal may see it: parties and domains of others are left out (P2)."""
        scope = self._scope
        if sql == "{domains}":
            mine = "ARRAY(SELECT d FROM unnest(v.domains) d WHERE d = ANY(%s::text[]))"
            cut = f"CASE WHEN v.domains = '{{}}' THEN v.domains ELSE {mine} END"
            return ("v.domains", []) if scope is None else (cut, [list(scope.domains or ())])
        if sql == "{bound}":
            whose = "coalesce(coalesce(v.owner_id, v.holder_id) = ANY(%s), false)"
            return ("v.bound", []) if scope is None else (f"(v.bound AND {whose})", [list(scope.branch)])
        if sql.startswith("{own}"):
            whose, value = sql.removeprefix("{own}(").removesuffix(")").split(", ")
            cut = f"CASE WHEN {whose} = ANY(%s) THEN {value} END"
            return (value, []) if scope is None else (cut, [list(scope.branch)])
        return sql, []


def _as_cell(kind: str, sql: str) -> str:
    return _instant(sql) if kind == "instant" else sql


def _as_csv(kind: str, sql: str) -> str:
    match kind:
        case "digits":
            return f"'''' || {sql}"  # it begins with +
        case "text":
            return tame_sql(sql)
        case "bool":
            return f"CASE WHEN {sql} THEN 'TRUE' ELSE 'FALSE' END"
        case "instant":
            return _instant(sql)
        case "list":
            return f"array_to_string({sql}, ' ')"  # of domains, which begin with a letter or a digit
        case _:
            return sql


def _instant(sql: str) -> str:
    """RFC 3339, from what the server writes in UTC: `2026-03-01 00:00:00+00`."""
    return f"replace(replace({sql}::text, ' ', 'T'), '+00', 'Z')"
