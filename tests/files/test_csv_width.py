"""How wide a CSV file may be (§9): a header bounds what each of its rows costs."""

from __future__ import annotations

import pytest

from trunkline.files.csv_errors import TooManyColumns
from trunkline.files.csv_reader import MOST_REPEATED, Layout, read_csv

LAYOUT = Layout("addons", ("Ext key", "Number", "User"), repeated="Addon license")


def table(columns: int, rows: int) -> bytes:
    header = ",".join(("Ext key", "Number", "User", *("Addon license",) * columns))
    return "\n".join([header, *(f"{101 + row},,Ada" for row in range(rows))]).encode()


def test_then_fifty_repeated_columns_are_taken() -> None:
    """L7: as many as any person could use."""
    file = read_csv(table(MOST_REPEATED, 2), LAYOUT, max_bytes=1_000_000)
    assert [row.cells["User"] for row in file] == ["Ada", "Ada"]


@pytest.mark.parametrize("columns", [MOST_REPEATED + 1, 20_000])
def test_then_more_are_refused_before_a_row_is_padded(columns: int) -> None:
    """§9: 20,000 columns in each of 4,000 rows would be 80 million cells."""
    with pytest.raises(TooManyColumns, match=f"{columns:,} columns"):
        read_csv(table(columns, 4_000), LAYOUT, max_bytes=5_000_000)
