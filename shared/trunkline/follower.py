"""Following one's own log: a reaction that reads some stored events in order and never misses or repeats one.

Its position lives beside the projections', not in them: rebuilding a view moves no follower, so that replaying
history never repeats what a follower did (O3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trunkline.clock import Clock
from trunkline.duties import Duties
from trunkline.recorded import Recorded
from trunkline.store import Overtaken, Store
from trunkline.work import Work, run

PAGE = 1_000
_FAR = 10_000

ReactToLog = Callable[[Work, Sequence[Recorded]], None]


class Follower:
    """Brings every new event of some kinds before a reaction, once: effect and position are one transaction (X3)."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        name: str,
        names: Sequence[str],
        react: ReactToLog,
        duties: Duties | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: whose log is followed.
            clock: the service's.
            name: the position is kept as `follower/<name>`.
            names: the stored names it reads.
            react: decides into the work what a page of events brings about.
            duties: the process's duties; None makes its own.
        """
        self._store = store
        self._clock = clock
        self._source = f"follower/{name}"
        self._names = list(names)
        self._react = react
        self._duties = duties or Duties(store.url)
        self._stored: int | None = None
        self._read = 0
        self._term = 0
        """In which the position was read; 0: it must be read."""

    def step(self) -> int:
        """Do the next page; how many events it had, 0 at the log's end or where another copy follows."""
        term = self._duties.hold(self._source)
        if term and term != self._term:
            self._stored = self._store.positions(self._source).get(self._source)
            self._read = self._stored or 0
        self._term = term
        if not term:
            return 0
        end = self._store.end_of_log()
        if end == self._read:
            return 0
        rows = self._store.read_log(self._read, PAGE, self._names)
        reached = rows[-1][0] if len(rows) == PAGE else max(end, rows[-1][0] if rows else 0)
        try:
            if rows:
                page = [self._store.event(row) for row in rows]
                run(self._store, self._clock.now, lambda work: self._react_to(work, page, reached))
                self._stored = reached
                self._store.committed(end)  # what it wrote may be somebody's work: mail, say
            elif reached - (self._stored or 0) >= _FAR:  # now and then: a lost record only repeats a look
                self._store.move(self._source, self._stored, reached)
                self._stored = reached
        except Overtaken:
            self._term = 0
            return 0
        self._read = reached
        return len(rows)

    def resign(self) -> None:
        """Let another copy of the service do it."""
        self._duties.resign()

    def _react_to(self, work: Work, page: Sequence[Recorded], reached: int) -> None:
        self._react(work, page)
        work.advance(self._source, self._stored, reached)
