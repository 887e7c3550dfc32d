"""What a spreadsheet would execute, made harmless, and turned back again (DOMAIN §9).

A program that opens a CSV file takes a cell that begins with `=`, `+`, `-` or `@` for a formula. An apostrophe before
it makes it a text. Reading takes away exactly what writing has put in, so `+6512345678` comes back as it was, and so
does a text that had the apostrophe to begin with: it gets one more.
"""

from __future__ import annotations

import re
from typing import Final

# Where a cell can begin: at its own beginning, and, for a program that expects another delimiter or does not heed the
# quotation marks, after a semicolon, a tab or an end of line within it.
_BEGINS: Final = r"(?:\A|(?<=[;\t\r\n]))"
# What is executed there, after any apostrophes (of an earlier taming) and spaces. Full-width signs count as well.
_LIVE: Final = "'*[ \x0b\x0c\u00a0\u3000\ufeff]*[=+\\-@＝＋－＠]"
# A tab or an end of line at the very beginning may be dropped, and what follows it would begin the cell.
_DROPPED: Final = "'*[\t\r\n]"
_BARE: Final = f"{_BEGINS}(?={_LIVE})|\\A(?={_DROPPED})"
_TAMED: Final = f"{_BEGINS}'(?={_LIVE})|\\A'(?={_DROPPED})"
_SUSPECT: Final = "[=+@＝＋－＠\t\r\n-]"
_tame = re.compile(_BARE).sub
_bare = re.compile(_TAMED).sub
_suspect = re.compile(_SUSPECT).search


def tame(text: str) -> str:
    """A text as it can be written into a cell that no spreadsheet executes."""
    return _tame("'", text) if _suspect(text) else text


def bare(text: str) -> str:
    """The text that `tame` was given; a text that was not tamed is left as it is."""
    return _bare("", text) if "'" in text else text


def tame_sql(column: str) -> str:
    """`tame` as an SQL expression over a text column, for exports that the database writes itself."""
    found, put = _SUSPECT.replace("'", "''"), _BARE.replace("'", "''")
    return f"CASE WHEN {column} ~ '{found}' THEN regexp_replace({column}, '{put}', '''', 'g') ELSE {column} END"
