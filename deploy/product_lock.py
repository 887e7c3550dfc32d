"""Print the part of requirements.lock that some names need, for the image: no test, no check comes along.

The lock says below each package who asked for it (`# via`). What a name asked for, and what that asked for in turn,
is what it needs. Without a name it is the product.

    python product_lock.py requirements.lock [NAME …]
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

PRODUCT = "trunkline"
_NAME = re.compile(r"^([A-Za-z0-9._-]+)==")
_VIA = re.compile(r"^ +# +(?:via )?([A-Za-z0-9._-]+)", re.MULTILINE)


def part_of(lock: str, names: Iterable[str] = (PRODUCT,)) -> str:
    """The entries of a lock that some packages need, theirs included, as they stand.

    Args:
        lock: the text of requirements.lock.
        names: packages in it, or the product, which is what it was made for and not in it.

    Raises:
        SystemExit: a name is neither.
    """
    entries = {found[1]: entry for entry in re.split(r"(?m)^(?=\S)", lock) if (found := _NAME.match(entry))}
    wanted = set(names)
    if unknown := sorted(wanted - {*entries, PRODUCT}):
        raise SystemExit(f"not in the lock: {', '.join(unknown)}")
    asked_by = {name: set(_VIA.findall(entry)) for name, entry in entries.items()}
    while found := {name for name, askers in asked_by.items() if name not in wanted and askers & wanted}:
        wanted |= found
    return "".join(entry for name, entry in entries.items() if name in wanted)


if __name__ == "__main__":
    file, *given = sys.argv[1:]
    sys.stdout.write(part_of(Path(file).read_text(encoding="utf-8"), given or (PRODUCT,)))
