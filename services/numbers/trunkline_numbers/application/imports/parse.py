"""A CSV file of numbers, row by row: what each would add, or where it is wrong and why (R1, R3, DOMAIN §9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Any, Final

import phonenumbers
from msgspec.structs import replace

from trunkline.errors import Refused
from trunkline.files.csv_reader import CsvFile, Layout
from trunkline.files.csv_reader import Row as Record
from trunkline_numbers.application.imports.errors import NumberTwiceInFile
from trunkline_numbers.application.imports.layout import COUNTRY, NUMBER, Terms, filled, readers, short
from trunkline_numbers.application.numbering_plan import NO_COUNTRY, Plan, plan_by_calling_code, plan_of
from trunkline_numbers.application.phone_number import read_number
from trunkline_numbers.domain.number.errors import NumberPresent
from trunkline_numbers.domain.number.events import Listing
from trunkline_numbers.tables.upload_rows import ROWS_IN_CHUNK, Chunk, Row, Wrong, packed

LAYOUT: Final = Layout(
    "numbers",
    (COUNTRY, NUMBER, "Voice", "SMS", "Fax"),
    ("Vendor", "SKU", "Routing", "Golden", "Ported In", "Domains", "Legacy Lock"),
)
SAMPLE: Final = (
    f"{','.join(LAYOUT.columns)}\r\n"
    "SG,31580001,TRUE,FALSE,FALSE,Carrier One,SG-LOCAL,,FALSE,FALSE,,FALSE\r\n"
    "65,'+6531580002,TRUE,TRUE,FALSE,Carrier One,SG-LOCAL,route-1,TRUE,FALSE,portal.example shop.example,FALSE\r\n"
    "GB,020 7946 0123,TRUE,FALSE,TRUE,,,,,TRUE,,\r\n"
).encode()
"""The file that can be downloaded; the apostrophe keeps a spreadsheet from reading the `+` as a formula."""
MOST_TOLD: Final = 100
_ATTRIBUTES: Final = (COUNTRY, *LAYOUT.columns[2:])
_attributes = itemgetter(*_ATTRIBUTES)


@dataclass
class Preview:
    """What a file would add. `bad` are the first rows that are wrong, `chunks` all rows as they are kept."""

    rows: int = 0
    good: int = 0
    unlikely: int = 0
    bad: list[Row] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class _Look:
    """What rows with the same attributes have in common; for a calling code of several countries, of each."""

    country: str
    plan: Plan | None
    calling_code: int | None
    listings: dict[str, Listing]
    legacy: bool


def preview(file: CsvFile, terms: Terms, present: Callable[[Sequence[str]], set[str]]) -> Preview:
    """Read a file to its end.

    Args:
        file: checked as a whole already.
        terms: what came with it.
        present: which of some numbers are in the inventory, whoever has them (P2: that is all that is told).
    """
    found, reading, records = Preview(), _Reading(terms), iter(file)
    while page := list(islice(records, ROWS_IN_CHUNK)):
        chunk = _without_present(reading.chunk(page), present)
        found.chunks.append(packed(chunk))
        found.rows += len(chunk.rows)
        bad = [row for row in chunk.rows if row.wrong is not None]
        found.good += len(chunk.rows) - len(bad)
        found.unlikely += sum(row.warning is not None for row in chunk.rows)
        found.bad += bad[: MOST_TOLD - len(found.bad)]
    return found


def _without_present(chunk: Chunk, present: Callable[[Sequence[str]], set[str]]) -> Chunk:
    known = present([row.number for row in chunk.rows if row.number is not None])
    if not known:
        return chunk
    rows = (row if row.number not in known else _refused(row, NumberPresent(number=row.number)) for row in chunk.rows)
    return Chunk(chunk.listings, tuple(rows))


def _refused(row: Row, refused: Refused) -> Row:
    return Row(row.line, row.country, row.written, wrong=_wrong(refused, NUMBER, row.written))


def _wrong(refused: Refused, column: str, value: str) -> Wrong:
    return Wrong(refused.code, column, value, refused.sentence)


class _Reading:
    """Reads the rows of one file, and knows which numbers it has named so far."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._looks: dict[tuple[str, ...], _Look | Wrong] = {}
        self._lines: dict[str, int] = {}
        self._readers = readers(terms)

    def chunk(self, records: Iterable[Record]) -> Chunk:
        """The next rows, each good or wrong by itself."""
        listings: dict[int, tuple[int, Listing]] = {}
        rows = tuple(self._row(record, listings) for record in records)
        return Chunk(tuple(listing for _, listing in listings.values()), rows)

    def _row(self, record: Record, listings: dict[int, tuple[int, Listing]]) -> Row:
        cells = record.cells
        line, country, written = record.line, short(cells[COUNTRY]), short(cells[NUMBER])
        if record.fault is not None:
            facts = record.fault.facts
            wrong = _wrong(record.fault, str(facts.get("column", "")), str(facts.get("value", "")))
            return Row(line, country, written, wrong=wrong)
        key = _attributes(cells)
        look = self._looks.get(key)
        if look is None:
            look = self._looks[key] = self._look(dict(zip(_ATTRIBUTES, key, strict=True)))
        if isinstance(look, Wrong):
            return Row(line, country, written, wrong=look)
        try:
            number, region, warning = _read(written, look)
            first = self._lines.setdefault(number, line)
            if first != line:
                raise NumberTwiceInFile(value=written, number=number, line=first)
        except Refused as refused:
            return Row(line, country, written, wrong=_wrong(refused, NUMBER, written))
        listing = look.listings.get(region)
        if listing is None:
            listing = look.listings[region] = replace(look.listings[look.country], country=region)
        index, _ = listings.setdefault(id(listing), (len(listings), listing))
        return Row(line, country, written, number, index, look.legacy, warning)

    def _look(self, cells: dict[str, str]) -> _Look | Wrong:
        """What a row says beside its number; or the first cell that is wrong, from left to right."""
        found: dict[str, Any] = {}
        for column, read in self._readers.items():
            try:
                found[column] = read(cells[column])
            except Refused as refused:
                return _wrong(refused, column, short(cells[column]))
        country, terms = found[COUNTRY], self._terms
        listing = Listing(
            country=country,
            sku=found["SKU"] or terms.sku,
            vendor=found["Vendor"] or terms.vendor,
            voice=found["Voice"],
            sms=found["SMS"],
            fax=found["Fax"],
            voice_carrier=terms.voice_carrier if found["Voice"] else None,
            sms_carrier=terms.sms_carrier if found["SMS"] else None,
            routing=found["Routing"] or None,
            golden=found["Golden"],
            ported_in=found["Ported In"],
            domains=found["Domains"],
        )
        called = cells[COUNTRY].removeprefix("+")
        code = int(called) if called != NO_COUNTRY and called.isdigit() else None
        plan = plan_of(country) if code is None else plan_by_calling_code(code)
        return _Look(country, plan, code, {country: listing}, found["Legacy Lock"])


def _read(written: str, look: _Look) -> tuple[str, str, str | None]:
    """Number, country, and a warning where it looks unassigned."""
    quick = look.plan.read(written) if look.plan is not None else None
    if quick is not None:
        number, region, likely = quick
        warning = None if likely else f"{number} is possible, but looks unassigned"
        return number, look.country if look.calling_code is None else region, warning
    text = filled(written)
    if look.calling_code is None:
        return (found := read_number(text, look.country))[0], look.country, found[1]
    if look.country == NO_COUNTRY and not text.startswith("+"):
        text = f"+{look.calling_code}{text}"
    number, details = read_number(text, look.country)
    belongs = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    return number, belongs or look.country, details
