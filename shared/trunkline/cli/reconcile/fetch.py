"""Both services as `doctor --reconcile` reads them, over HTTP: whole lists, some things again, what explains them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from trunkline.cli.client.api_client import ApiClient
from trunkline.cli.reconcile.compare import Pair, side_by_side
from trunkline.cli.reconcile.difference import Difference
from trunkline.cli.reconcile.retry_until_settled import Unsettled
from trunkline.cli.terminal.exit_codes import Unreachable
from trunkline.cli.terminal.options import SERVICES
from trunkline.contracts import billing, parties
from trunkline.operations.reconciliation.records import LINES, MOST_KEYS, Rows, Subject

PATIENCE: Final = 60.0
"""Seconds that one side may take to hear all that the other has said."""
_AT_ONCE: Final = 15.0
"""Seconds that a service is asked to wait; with looking at the topics, less than a client waits for an answer."""
_MOST_LETTERS: Final = 2_000
_BEHIND: Final = "views-behind"
_INTAKE: Final = (billing.TOPIC, parties.TOPIC)
"""What neither service has said: that it is parked explains nothing between the two."""

Reason = tuple[str, str]
"""What explains a difference, and what to do then."""
Begin = Callable[[str, int | None], None]
"""Told of what is read next, and about how many lines there are; None: nobody knows."""


class Remotes:
    """The two services, as they answer; see `reconcile_looking.Sides`."""

    def __init__(
        self, remote: ApiClient, begin: Begin = lambda _what, _rows: None, *, patience: float = PATIENCE
    ) -> None:
        """Read through `remote`; `begin` is told what comes next, `patience` is in seconds."""
        self._remote, self._begin, self._patience = remote, begin, patience

    def everything(self, subject: Subject) -> Iterator[Pair]:
        """Both lists at once, line by line.

        Raises:
            Ended: a service does not answer, or not to this asker.
        """
        with (
            self._list("licensing", subject) as (of_licensing, left),
            self._list("numbers", subject) as (
                of_numbers,
                right,
            ),
        ):
            self._begin(subject, max(of_licensing or 0, of_numbers or 0))
            yield from side_by_side(left, right)

    def some(self, subject: Subject, keys: list[str]) -> Iterator[Pair]:
        """These things as they are now, in as few requests as that takes.

        Raises:
            Unsettled: a service's views are too far behind.
            Ended: as for `everything`.
        """
        for start in range(0, len(keys), MOST_KEYS):
            some = keys[start : start + MOST_KEYS]
            left, right = (self._named(service, subject, some) for service in SERVICES)
            yield from side_by_side(left, right)

    def exchange(self) -> None:
        """Licensing says all and hears, numbers says all and hears, licensing hears the rest.

        What licensing had said when this began is out before numbers is asked whether it has heard all that is out;
        what numbers had said, before licensing is asked so at last.
        """
        self._begin("what is on its way", None)
        for service in ("licensing", "numbers", "licensing"):
            self._settle(service)

    def _settle(self, service: str) -> None:
        left = self._patience
        while True:
            document = self._remote.get(f"/{service}/operate/settled", seconds=min(left, _AT_ONCE))
            if document["heard"] and not document["unsaid"]:
                return
            left -= _AT_ONCE
            if left <= 0:
                raise Unsettled(_unsettled(service, document))

    @contextmanager
    def _list(self, service: str, subject: Subject, **params: Any) -> Iterator[tuple[int | None, Iterator[Any]]]:
        """A list as it comes: about how many lines there are, and the lines."""
        with self._remote.download(f"/{service}/operate/held/{subject}", **params) as pieces:
            lines = _whole_lines(pieces)
            head, _, rest = next(lines, b"").partition(b"\n")
            decode = msgspec.json.Decoder(LINES[subject][service]).decode_lines
            rows = msgspec.json.decode(head, type=Rows).rows
            yield rows, (line for some in chain([rest], lines) for line in decode(some))

    def _named(self, service: str, subject: Subject, keys: Sequence[str]) -> list[Any]:
        try:
            with self._list(service, subject, key=keys) as (_, lines):
                return list(lines)
        except Unreachable as away:
            if away.document.get("code") != _BEHIND:
                raise
            raise Unsettled(f"the views of {service} are behind: {away}") from None

    # -- what explains a difference -------------------------------------------------------------------------------

    def explained(self, differences: list[Difference]) -> list[Difference]:
        """The same, each with what is known to explain it: a message that was parked (X6), a party awaited (S7)."""
        if not differences:
            return []
        reasons = dict(chain(self._awaiting(), self._parked()))
        return [_explained(each, reasons) for each in differences]

    def _parked(self) -> Iterator[tuple[str, Reason]]:
        for service in SERVICES:
            parked = self._remote.page_through(f"/{service}/operate/parked", _MOST_LETTERS, status="waiting")
            for letter in parked["items"]:
                if letter.get("key_text") is not None and letter["topic"] not in _INTAKE:
                    why = f"{service} has parked a {letter['topic']} about it"
                    do = f"trunkline deadletter show {service} {letter['id']}; then retry, edit or discard it"
                    yield letter["key_text"], (why, do)

    def _awaiting(self) -> Iterator[tuple[str, Reason]]:
        waiting = self._remote.page_through("/numbers/operate/waiting", _MOST_LETTERS, awaiting="party")
        for each in waiting["items"]:
            do = f"trunkline republish licensing --stream {each['awaited']}"
            yield each["waiter"].partition("/")[2], (f"numbers waits to hear of {each['awaited']}", do)


def _explained(difference: Difference, reasons: Mapping[str, Reason]) -> Difference:
    reason = next((reasons[key] for key in difference.about if key in reasons), None)
    return difference if reason is None else replace(difference, because=reason[0], do=reason[1])


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces cut anew, where lines end."""
    left = b""
    for piece in pieces:
        lines, newline, rest = piece.rpartition(b"\n")
        if newline:
            yield left + lines + newline
            left = rest
        else:
            left += piece
    if left:
        yield left


def _unsettled(service: str, document: dict[str, Any]) -> str:
    if document["unsaid"]:
        return f"{service} has {document['unsaid']:,} events to say yet"
    if document["heard"] is None:
        return f"{service} cannot see the topics, so that nobody knows what it has to hear yet"
    return f"{service} has not heard all that was said to it yet"
