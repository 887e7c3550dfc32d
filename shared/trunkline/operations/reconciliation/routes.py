"""The operators' doors through which two services are held against each other, under `/<service>/operate` (O7, P6).

`held/<subject>` lists what the service holds, sorted by key, so that two such lists can be read side by side: all of
it, or the things that are named. `settled` waits until the service has said and heard everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import psycopg
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StringConstraints
from starlette.responses import StreamingResponse

from trunkline.contracts import licensing, numbers
from trunkline.files.pieces import PrefetchedStream
from trunkline.http.dependencies import ViewsBehind, operating, service_router
from trunkline.http.streaming import StreamedFile
from trunkline.operations.reconciliation.records import MEDIA_TYPE, MOST_KEYS, Rows, Subject
from trunkline.runtime.status import RELAY

if TYPE_CHECKING:
    from trunkline.service_definition import ServiceContext

_PAGE: Final = 2_000
_VIEWS_SECONDS: Final = 5.0
_MOST_SECONDS: Final = 20.0
_BETWEEN_LOOKS: Final = 0.05  # seconds
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {MEDIA_TYPE: {}}, "description": 'lines of JSON: `{"rows": …}`, then a thing each, by key'}
}
_SAID: Final = {
    "licensing": frozenset(c.topic for c in (*licensing.CONTRACTS.values(), licensing.STATE)),
    "numbers": frozenset(c.topic for c in (*numbers.CONTRACTS.values(), numbers.STATE)),
}
_Keys = Annotated[
    list[Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00]+$")]] | None,
    Query(alias="key", max_length=MOST_KEYS, description="Only these, as they are now; else all there are."),
]


class Holding:
    """What a service lists of one subject."""

    def __init__(self, sql: str, counted: str, line: Callable[[Any], msgspec.Struct]) -> None:
        """Describe a list.

        Args:
            sql: its rows, `key` first. `{these:COLUMN}` stands where the rows of some keys are chosen.
            counted: what to count to say about how many there are: a table with its conditions.
            line: makes a line out of a row.
        """
        self._sql, self.counted, self.line = sql, counted, line

    def select(self, *, some: bool) -> str:
        """The query: of all, or of the keys in the parameter `keys`; in the order of their bytes on every server."""
        return f'SELECT * FROM ({self._sql.format(these=_These(some))}) held ORDER BY key COLLATE "C"'


class _These:
    """Chooses the rows of some keys, or lets all through."""

    def __init__(self, some: bool) -> None:
        self._some = some

    def __format__(self, column: str) -> str:
        return f"{column} = ANY(%(keys)s)" if self._some else "true"


class Settled(BaseModel):
    """Whether what was on its way has arrived."""

    end: int = Field(description="The log's end when the question came.")
    unsaid: int = Field(description="Events up to there, or newest documents, that are not out yet.")
    heard: bool | None = Field(description="Whether all the other service had said is heard; null: nobody knows.")


def held_router(context: ServiceContext, holdings: Mapping[Subject, Holding]) -> APIRouter:
    """The doors of one service.

    Args:
        context: the running service.
        holdings: what it lists.
    """
    name = context.service.name
    router = service_router(context, f"{name}: operate", {503: "the views are too far behind to say how it is now"})
    router.prefix = f"/{name}/operate"
    router.dependencies.append(Depends(operating))
    for subject, holding in holdings.items():
        _add(router, context, subject, holding)

    @router.get("/settled", summary="Wait until all is said, and all that the other service said is heard")
    def settled(seconds: Annotated[float, Query(ge=0, le=_MOST_SECONDS, description="At most.")] = 0.0) -> Settled:
        return _settled(context, time.monotonic() + seconds)

    return router


def _add(router: APIRouter, context: ServiceContext, subject: Subject, holding: Holding) -> None:
    @router.get(
        f"/held/{subject}",
        summary=f"What is held of {subject}, to be compared with the other service's",
        response_class=StreamingResponse,
        responses=_FILE,
    )
    def held(keys: _Keys = None) -> StreamingResponse:
        end = context.store.end_of_log()
        if not context.wait_for_views(end, _VIEWS_SECONDS) and keys is not None:
            raise ViewsBehind(value=end, seconds=_VIEWS_SECONDS)
        return StreamedFile(PrefetchedStream(listed(context.store.url, holding, keys)), MEDIA_TYPE)


def listed(url: str, holding: Holding, keys: Sequence[str] | None = None) -> Generator[bytes, None, None]:
    """A list, a few lines at a time: from one snapshot, over a connection that ends with it; memory stays flat.

    Args:
        url: the service's database.
        holding: what to list.
        keys: only these; None: all there are.
    """
    encode = msgspec.json.Encoder().encode_lines
    with psycopg.connect(url, autocommit=True) as conn, conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # All of it will be read: plan for that. Instants inside of JSON are read back by whoever reads the list.
        conn.execute("SET LOCAL cursor_tuple_fraction = 1; SET LOCAL timezone = 'UTC'")
        rows = None
        if keys is None:
            ((rows,),) = conn.execute(f"SELECT count(*) FROM {holding.counted}".encode()).fetchall()
        yield encode([Rows(rows)])
        with conn.cursor(name="held") as cursor:
            sql = holding.select(some=keys is not None)
            cursor.execute(sql.encode(), {} if keys is None else {"keys": keys}, binary=True)
            while page := cursor.fetchmany(_PAGE):
                yield encode([holding.line(row) for row in page])


def _settled(context: ServiceContext, deadline: float) -> Settled:
    """Look until all is well or the time is up; what was said is waited for first, since it may be answered."""
    end = context.store.end_of_log()
    context.wait_for_views(end, max(0.0, deadline - time.monotonic()))  # newest documents are told out of them

    def wait(well: Callable[[], Any]) -> None:
        while not well() and time.monotonic() < deadline:
            time.sleep(_BETWEEN_LOOKS)

    wait(lambda: _unsaid(context, end) == 0)
    other = frozenset().union(*(topics for name, topics in _SAID.items() if name != context.service.name))
    consumed = {topic for handler in context.service.message_handlers for topic in handler.topics}
    passed = context.horizon(sorted(other & consumed))
    if passed is not None:
        wait(passed)
    return Settled(end=end, unsaid=_unsaid(context, end), heard=None if passed is None else passed())


def _unsaid(context: ServiceContext, end: int) -> int:
    """What of the log up to a position is not out yet: events, and the newest documents of what changed (X1, X2)."""
    positions = context.store.positions("")
    unsaid = max(0, end - positions.get(RELAY, 0))
    for state in context.service.states:
        if state.contract.name not in context.loops:
            continue  # nobody hears it
        at = positions.get(f"states/{state.contract.name}", 0)
        ((viewed,),) = context.store.fetch(
            "SELECT position FROM projections WHERE name = %s AND status = 'active'", (state.view,)
        )
        ((rows,),) = context.store.fetch(
            f"SELECT count(*) FROM {state.view} WHERE position > %s AND position <= %s", (at, end)
        )
        unsaid += max(0, end - viewed) + rows
    return unsaid
