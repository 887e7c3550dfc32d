"""What a public event type is: its name, version, data, subject, topic and direction."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec

from trunkline.contracts.exact_reading import reader

Direction = Literal["heard", "said"]
JSON: Final = b"application/json"


class Contract:
    """One public event type in one version (X1, X7).

    `key` names the data field that is the event's subject and its record's key; a contract of a
    thing that exists once has a fixed `subject` instead. `source` is empty for events of others.
    `headers` are the constant ones of binary mode, built once; `read` decodes the data. Of a `compacted`
    one a record without a value, a tombstone, means that the subject is gone.
    """

    __slots__ = (
        "compacted", "data", "description", "direction", "fixed_subject", "headers", "key", "name", "read", "source",
        "subject_of", "topic", "version",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        data: Any,
        *,
        key: str = "",
        subject: str = "",
        description: str,
        topic: str = "",
        source: str = "",
        version: int = 1,
        compacted: bool = False,
    ) -> None:
        assert bool(key) != bool(subject), f"{name}: give key or subject"
        self.name: Final = name
        self.version: Final = version
        self.compacted: Final = compacted
        self.data: Final = data
        self.key: Final = key
        self.fixed_subject: Final = subject
        self.description: Final = description
        self.topic: Final = topic or name
        self.source: Final = source
        self.direction: Final[Direction] = "said" if source else "heard"
        self.read: Final[Callable[[bytes | msgspec.Raw], Any]] = reader(data, foreign=not source)
        self.subject_of: Final[Callable[[Any], str]] = attrgetter(key) if key else lambda _data: subject
        self.headers: Final[tuple[tuple[str, bytes], ...]] = (
            ("content-type", JSON),
            ("ce_specversion", b"1.0"),
            ("ce_type", name.encode()),
            ("ce_dataschema", self.schema_file.encode()),
        )

    @property
    def schema_file(self) -> str:
        """The schema's file name, which carries the version: `NumberReserved.v1.json`."""
        return f"{self.name}.v{self.version}.json"

    def __repr__(self) -> str:
        return f"Contract({self.name!r}, version={self.version})"


def registry(contracts: Iterable[Contract]) -> dict[str, Contract]:
    """Contracts by type name; two of the same name are a mistake of ours, refused at import."""
    by_name: dict[str, Contract] = {}
    for contract in contracts:
        assert contract.name not in by_name, f"{contract.name} is defined twice"
        by_name[contract.name] = contract
    return by_name
