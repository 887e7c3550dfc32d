"""B7 and its growth in B12: every filter alone and in pairs, the first page and the 1,000th."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from bench.b10_deadlines import B12
from bench.figures import Figure, at_most, interleaved, median, quantile
from bench.questions import Question, questions
from bench.run import Run
from bench.stock import Stocked
from trunkline.eventstore.event_store import Store
from trunkline_numbers.queries.filters import Scope
from trunkline_numbers.queries.inventory import Inventory
from trunkline_numbers.wiring import service as numbers_service

B7 = at_most(value=30, text="p95 ≤ 30 ms")
_MS = 1e3
_DEEP = ", deep"


def measure(run: Run) -> list[Figure]:
    """The largest inventory's p95, and what a search costs in it against the smallest."""
    with ExitStack() as open_ones:
        searches = [Searches(run.stocked(size), run.rounds) for size in run.sizes]
        for search in searches:
            open_ones.callback(search.close)
        large = searches[-1]
        *taken, looked_up = interleaved(run.rounds, *(s.round for s in searches), large.look_up)
        others = {name: _quantile(large.by(scope), 0.95) for name, scope in large.stocked.scopes().items()}
    each = [[one for taken_once in rounds for one in taken_once] for rounds in taken]
    small, *_, big = medians = [_quantile(asked, 0.5) for asked in _alike(searches, each)]
    p95, lookups = _quantile(each[-1], 0.95), median(quantile(looked, 0.95) for looked in looked_up)
    n = len(each[-1])
    slowest = [f"{name}: {ms:.0f} ms" for ms, name in sorted(each[-1], reverse=True)[:8]]
    p50s = {f"p50_at_{s.stocked.size}": _quantile(asked, 0.5) for s, asked in zip(searches, each, strict=True)}
    context = {
        "p50": p50s[f"p50_at_{large.stocked.size}"],
        "p99": _quantile(each[-1], 0.99),
        "slowest": slowest,
        "p95_of": others,
    }
    grown_by = {f"at_{s.stocked.size}": value for s, value in zip(searches, medians, strict=True)}
    grown_by |= p50s | {
        f"p95_at_{s.stocked.size}": _quantile(asked, 0.95) for s, asked in zip(searches, each, strict=True)
    }
    what = f"search over {large.stocked.size:,} numbers: every filter alone and in pairs, first and 1,000th page"
    grown = (
        f"cost of a full page (median) found among {large.stocked.size:,} numbers, against {searches[0].stocked.size:,}"
    )
    return [
        Figure("B7", what, p95, "ms", B7, n, run.rounds, lookups, p95 / lookups, context),
        Figure("B12 B7", grown, big, "ms", B12, n, run.rounds, small, big / small, grown_by),
    ]


def _alike(searches: Sequence[Searches], each: Sequence[list[tuple[float, str]]]) -> Iterator[list[tuple[float, str]]]:
    """What was asked in every inventory with the same to show for it, a full page: a tenth of one is less work."""
    full = set.intersection(*(search.full for search in searches))
    for asked in each:
        yield [(ms, name) for ms, name in asked if name.removesuffix(_DEEP) in full]


class Searches:
    """One inventory, and what is asked of it."""

    def __init__(self, stocked: Stocked, rounds: int) -> None:
        self.stocked, self._rounds = stocked, rounds
        self._store = Store(stocked.url, numbers_service().codec())
        self._inventory = Inventory(self._store)
        self._questions = list(questions(self._store, stocked.stock, None))
        self._chance = random.Random(1)

    @property
    def full(self) -> set[str]:
        """The questions whose first page is full."""
        return {question.name for question in self._questions if question.after is not None}

    def round(self, number: int) -> list[tuple[float, str]]:
        """Milliseconds and question, for both pages of the round's share: every question is asked in one round."""
        return self._ask(self._questions[number :: self._rounds])

    def by(self, scope: Scope) -> list[tuple[float, str]]:
        """The same for some questions as another asker has them."""
        return self._ask(list(questions(self._store, self.stocked.stock, scope, step=4)))

    def look_up(self, _: int) -> list[float]:
        """Milliseconds for a number by its key, of some hundred numbers."""
        sql = "SELECT key, version, folded FROM number_view WHERE key = %s"
        keys = [number for number, _ in self._chance.sample(self.stocked.stock.samples, 20)]
        for key in keys:
            self._store.fetch(sql, (key,))
        return [_timed(lambda key=key: self._store.fetch(sql, (key,))) for key in keys for _ in range(10)]  # type: ignore[misc]

    def _ask(self, asked: Sequence[Question]) -> list[tuple[float, str]]:
        taken: list[tuple[float, str]] = []
        for question in asked:
            taken.append((_timed(lambda q=question: q.first(self._inventory)), question.name))  # type: ignore[misc]
            if question.after is not None:
                deep = _timed(lambda q=question: q.deep(self._inventory))  # type: ignore[misc]
                taken.append((deep, f"{question.name}{_DEEP}"))
        return taken

    def close(self) -> None:
        """Let go of the database."""
        self._store.close()


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * _MS


def _quantile(taken: Sequence[tuple[float, str]], share: float) -> float:
    return float(f"{quantile([ms for ms, _ in taken], share):.3g}")
