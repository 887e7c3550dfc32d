"""When the brokers remember what is fetched from them: nothing is lost, doubled or asked for twice (X3).

The cluster here is a model: two brokers with the rules of fetch sessions (KIP-227), which forget, move partitions
between them and go away as Hypothesis likes it. What they send are real batches, read by the client's own reader.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError, TopicAuthorizationFailedError
from aiokafka.protocol.fetch import FetchRequest_v4, FetchRequest_v11
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.messaging import fetching as module
from trunkline.messaging.fetching import Fetching

PLACES = [TopicPartition(topic, number) for topic in ("SubscriptionExpired", "NumberState") for number in (0, 1)]
NODES = (1, 2)
Asked = dict[TopicPartition, int]


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0)


class Broker:
    """Remembers what it was asked for, as long as it likes."""

    def __init__(self) -> None:
        self.remembered: dict[int, Asked] = {}
        self.epochs: dict[int, int] = {}
        self.roomy = True
        self._ids = count(1)

    def asked(self, request: Any, named: Asked) -> tuple[int, int, Asked]:
        """A code, the session's id, and all that is to be answered."""
        if request.session_epoch == 0:
            self.remembered.pop(request.session_id, None)
            if not self.roomy:
                return 0, 0, named
            session = next(self._ids)
            self.remembered[session], self.epochs[session] = dict(named), 1
            return 0, session, named
        session = request.session_id
        if session not in self.remembered:
            return 70, 0, {}
        if self.epochs[session] != request.session_epoch:
            return 71, 0, {}
        self.epochs[session] += 1
        self.remembered[session] |= named
        for topic, numbers in request.forgotten_topics_data:
            for number in numbers:
                del self.remembered[session][TopicPartition(topic, number)]
        return 0, session, self.remembered[session]


class Cluster:
    """Two brokers, the logs, and a client as `Fetching` knows it."""

    def __init__(self, struct: type[Any]) -> None:
        self.struct = struct
        self.ends: dict[TopicPartition, int] = defaultdict(int)
        self.leaders = dict.fromkeys(PLACES, NODES[0])
        self.brokers = {node: Broker() for node in NODES}
        self.away: set[int] = set()
        self.forbidden: set[TopicPartition] = set()
        self.named: list[Asked] = []
        self._known = dict(self.leaders)
        self._listeners: list[Callable[[object], None]] = []
        self._word: asyncio.Future[None] | None = None
        cluster = SimpleNamespace(leader_for_partition=lambda p: self._known[p], add_listener=self._listeners.append)
        self.consumer: Any = SimpleNamespace(
            _client=SimpleNamespace(cluster=cluster, send=self._send, force_metadata_update=self._look),
            _fetcher=SimpleNamespace(_fetch_task=SimpleNamespace(cancel=lambda: None), _create_fetch_waiter=self._wait),
            _subscription=SimpleNamespace(fetch_context=nullcontext),
        )

    def trouble(self, error: Exception) -> None:
        """The group cannot go on."""
        assert self._word is not None
        self._word.set_exception(error)

    def _wait(self) -> asyncio.Future[None]:
        self._word = asyncio.get_running_loop().create_future()
        return self._word

    def _look(self) -> None:
        self._known = dict(self.leaders)
        for listener in self._listeners:
            listener(None)

    async def _send(self, node: int, request: Any) -> Any:
        await asyncio.sleep(0)
        if node in self.away:
            self.away.discard(node)
            raise KafkaConnectionError("gone")
        built = request.build(self.struct)
        named = {
            TopicPartition(t, part[0]): part[-3 if len(part) > 3 else 1] for t, parts in built.topics for part in parts
        }
        self.named.append(named)
        if self.struct is FetchRequest_v4:
            return SimpleNamespace(API_VERSION=4, topics=self._found(node, named))
        code, session, wanted = self.brokers[node].asked(built, named)
        await asyncio.sleep(0)  # whoever is cancelled here never hears that the broker has gone on
        return SimpleNamespace(API_VERSION=11, error_code=code, session_id=session, topics=self._found(node, wanted))

    def _found(self, node: int, wanted: Asked) -> list[Any]:
        found: list[Any] = []
        for place, at in wanted.items():
            code, data = 0, b""
            if place in self.forbidden:
                code = TopicAuthorizationFailedError.errno
            elif self.leaders[place] != node:
                code = 6
            elif at > self.ends[place]:
                code = OffsetOutOfRangeError.errno
            elif at < self.ends[place]:
                data = batch(at, self.ends[place])
            if code or data:
                found.append((place.topic, [(place.partition, code, 0, 0, data)]))
        return found


def batch(start: int, end: int) -> bytes:
    """A real one, of the records with these offsets."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for place in range(end - start):
        builder.append(place, 1, None, b"%d" % (start + place), [])
    return start.to_bytes(8) + bytes(builder.build())[8:]


class Reader:
    """Takes what comes, and sees that nothing is missing and nothing comes twice."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.fetching = Fetching(cluster.consumer)
        self.fetching.begin()
        self.next: Asked = {}

    def seek(self, places: Asked) -> None:
        self.next |= places
        self.fetching.seek(places)

    @property
    def unread(self) -> bool:
        return any(at < self.cluster.ends[place] for place, at in self.next.items())

    async def read(self, most: int = 3) -> None:
        if self.unread:
            self.took(await self.fetching.fetch(most))

    async def read_half(self, steps: int) -> None:
        """Begin, and be interrupted: what is taken away from the reader is there the next time."""
        reading = asyncio.ensure_future(self.fetching.fetch(2))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})
        if not reading.cancelled():
            self.took(reading.result())

    def took(self, found: dict[TopicPartition, list[Any]]) -> None:
        for place, records in found.items():
            for record in records:
                assert record.offset == self.next[place], place
                assert record.value == b"%d" % record.offset
                self.next[place] += 1


places = st.sampled_from(PLACES)
nodes = st.sampled_from(NODES)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("said"), places, st.integers(1, 5)),
        st.tuples(st.just("read"), st.integers(1, 7)),
        st.tuples(st.just("read half"), st.integers(0, 9)),
        st.tuples(st.just("forgotten"), nodes),
        st.tuples(st.just("full"), nodes, st.booleans()),
        st.tuples(st.just("away"), nodes),
        st.tuples(st.just("moved"), places, nodes),
        st.tuples(st.just("sought"), places, st.integers(0, 5)),
        st.tuples(st.just("assigned"), st.sets(places)),
    ),
    min_size=15,
    max_size=60,
)


@pytest.mark.parametrize("struct", [FetchRequest_v11, FetchRequest_v4], ids=["sessions", "before sessions"])
@given(happenings=happenings)
@settings(deadline=None, max_examples=200)
def test_every_record_comes_once_and_in_order(struct: type[Any], happenings: Sequence[tuple[Any, ...]]) -> None:
    """X3: whatever is forgotten, moved, interrupted, sought or assigned anew."""
    asyncio.run(_run(Cluster(struct), happenings))


async def _run(cluster: Cluster, happenings: Iterable[tuple[Any, ...]]) -> None:
    reader = Reader(cluster)
    reader.seek(dict.fromkeys(PLACES, 0))
    async with asyncio.timeout(60):
        for what, *about in happenings:
            await _happen(cluster, reader, what, about)
        while reader.unread:
            await reader.read()
    await reader.fetching.stop()


async def _happen(cluster: Cluster, reader: Reader, what: str, about: list[Any]) -> None:
    if what == "said":
        cluster.ends[about[0]] += about[1]
    elif what == "read":
        await reader.read(*about)
    elif what == "read half":
        await reader.read_half(*about)
    elif what == "forgotten":
        cluster.brokers[about[0]].remembered.clear()
    elif what == "full":
        cluster.brokers[about[0]].roomy = about[1]
    elif what == "away":
        cluster.away.add(about[0])
    elif what == "moved":
        cluster.leaders[about[0]] = about[1]
    elif what == "sought":
        if about[0] in reader.next:
            reader.seek({about[0]: min(about[1], cluster.ends[about[0]])})
    else:
        kept = {place: reader.next.get(place, 0) for place in about[0]}
        reader.fetching.forget()
        reader.next.clear()
        reader.seek(kept)


async def test_a_fetch_names_only_what_has_changed() -> None:
    """B4: a service hears dozens of partitions, of which one or two have something at a time."""
    cluster = Cluster(FetchRequest_v11)
    reader = Reader(cluster)
    reader.seek(dict.fromkeys(PLACES, 0))
    for _ in range(3):
        cluster.ends[PLACES[2]] += 1
        await reader.read()
    assert cluster.named == [dict.fromkeys(PLACES, 0), {PLACES[2]: 1}, {PLACES[2]: 2}]
    assert cluster.brokers[1].remembered == {1: {**dict.fromkeys(PLACES, 0), PLACES[2]: 2}}
    await reader.fetching.stop()


async def test_what_is_no_longer_ours_is_forgotten() -> None:
    """X3: another copy has it now; the broker must not send it here, too."""
    cluster = Cluster(FetchRequest_v11)
    reader = Reader(cluster)
    reader.seek(dict.fromkeys(PLACES, 0))
    cluster.ends[PLACES[0]] = 1
    await reader.read()
    await _happen(cluster, reader, "assigned", [{PLACES[0], PLACES[1]}])
    cluster.ends |= {PLACES[0]: 2, PLACES[3]: 5}
    await reader.read()
    assert cluster.brokers[1].remembered == {1: {PLACES[0]: 1, PLACES[1]: 0}}
    assert cluster.named[-1] == {PLACES[0]: 1}
    await reader.fetching.stop()


async def test_a_place_that_is_not_there_is_told() -> None:
    """X3: a position past a topic's end is never silently another one."""
    cluster = Cluster(FetchRequest_v11)
    reader = Reader(cluster)
    reader.seek({PLACES[0]: 7})
    with pytest.raises(OffsetOutOfRangeError) as told:
        await reader.fetching.fetch(1)
    assert told.value.args[0] == {PLACES[0]: 7}
    await reader.fetching.stop()


async def test_what_nobody_lets_us_read_is_told() -> None:
    """An error of the operator's, not a reason to wait for ever."""
    cluster = Cluster(FetchRequest_v11)
    reader = Reader(cluster)
    reader.seek({PLACES[0]: 0})
    cluster.forbidden.add(PLACES[0])
    with pytest.raises(TopicAuthorizationFailedError):
        await reader.fetching.fetch(1)
    await reader.fetching.stop()


async def test_a_group_that_cannot_go_on_is_told() -> None:
    """The client keeps us in the group; what it meets there reaches whoever waits for records."""
    cluster = Cluster(FetchRequest_v11)
    reader = Reader(cluster)
    reading = asyncio.ensure_future(reader.fetching.fetch(1))
    await asyncio.sleep(0)
    cluster.trouble(KafkaConnectionError("the coordinator is gone"))
    with pytest.raises(KafkaConnectionError):
        await reading
