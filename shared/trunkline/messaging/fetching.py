"""What the brokers have for us: one fetch at a time from each, and only when somebody asks for more.

aiokafka's consumer keeps us in the group; its fetching is put aside. It names every partition in every fetch, goes on
fetching while we work, and raises for ever on a record whose header names are no UTF-8. How its batches are read is
still its own business.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, TopicAuthorizationFailedError, for_code
from aiokafka.record.memory_records import MemoryRecords

from trunkline.messaging.fetch_session import SINCE_VERSION, FetchSession
from trunkline.messaging.lenient import read_leniently

log = structlog.get_logger(__name__)

WAIT_MS: Final = 100
"""How long a broker may wait for a first record. Meanwhile no other partition of it can begin: so not long."""

LOOK_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.1


class Fetching:
    """Fetches for one client, from the places it is told. Belongs to one event loop."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        """Prepare; `client` is a consumer that is about to start."""
        self._client = client
        self._leaders: dict[int, list[TopicPartition]] | None = None
        self._places: dict[TopicPartition, int] = {}
        self._ready: deque[_Fetched] = deque()
        self._flights: dict[int, asyncio.Task[None]] = {}
        self._sessions: dict[int, FetchSession] = {}

    def begin(self) -> None:
        """Take over from the client, which has started."""
        self._client._fetcher._fetch_task.cancel()
        self._client._client.cluster.add_listener(self._cluster_changed)

    def _cluster_changed(self, _cluster: object) -> None:
        self._leaders = None

    def seek(self, places: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets on; what was fetched from elsewhere is dropped."""
        self._places.update(places)
        self._leaders = None

    def forget(self) -> None:
        """Read nothing more until the next `seek`."""
        self._places.clear()
        self._leaders = None
        self._ready.clear()

    async def fetch(self, most: int) -> dict[TopicPartition, list[Any]]:
        """The next records, as soon as there are any; cancelled while it waits, it has lost nothing.

        Args:
            most: of them; what else has come is kept for the next time.

        Raises:
            OffsetOutOfRangeError: a broker does not have a place; the first argument tells which.
            KafkaError: we may not read a topic, or the group cannot go on.
        """
        with self._client._subscription.fetch_context():
            while True:
                if found := self._read(most):
                    return found
                self._send()
                word = self._client._fetcher._create_fetch_waiter()  # of the group, should something be wrong with it
                try:
                    patience = LOOK_SECONDS if self._flights else _RETRY_SECONDS
                    await asyncio.wait(
                        {word, *self._flights.values()}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                    )
                    if word.done():
                        word.result()
                finally:
                    word.cancel()
                self._land()

    async def stop(self) -> None:
        """Give up what is on its way."""
        flights = list(self._flights.values())
        self._flights.clear()
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    # -- to the brokers and back ----------------------------------------------------------------------------------

    def _send(self) -> None:
        """Fetch from every broker from which nothing is on its way."""
        if self._leaders is None:
            self._leaders = self._look_up()
        for node, places in self._leaders.items():
            if node not in self._flights:
                wanted = {place: self._places[place] for place in places}
                self._flights[node] = asyncio.create_task(self._fetch_from(node, wanted), name="kafka fetch")

    def _look_up(self) -> dict[int, list[TopicPartition]]:
        """Which broker leads which partitions; those that none leads are left out until another look tells."""
        cluster = self._client._client.cluster
        leaders: dict[int, list[TopicPartition]] = defaultdict(list)
        for place in self._places:
            node = cluster.leader_for_partition(place)
            if node is None or node < 0:
                self._client._client.force_metadata_update()
            else:
                leaders[node].append(place)
        return leaders

    async def _fetch_from(self, node: int, wanted: Mapping[TopicPartition, int]) -> None:
        """Fetch once. Whatever keeps a broker from answering is tried again after a while."""
        session = self._sessions.pop(node, None) or FetchSession()  # unless it answers, nobody knows how far it is
        try:
            response = await self._client._client.send(node, session.fetch(wanted, WAIT_MS))
            if response.API_VERSION >= SINCE_VERSION:
                if response.error_code:  # most likely the broker has forgotten the session; the next fetch begins one
                    raise for_code(response.error_code)
                session.answered(response.session_id, wanted)
                self._sessions[node] = session
        except KafkaError as error:
            log.debug("a fetch was not answered", node=node, error=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            if not self._take(response, wanted):
                # Another broker leads some of it now, or soon will: the next look at the cluster tells.
                self._client._client.force_metadata_update()
                await asyncio.sleep(_RETRY_SECONDS)

    def _take(self, response: Any, wanted: Mapping[TopicPartition, int]) -> bool:
        """Keep what has come; whether every partition answered."""
        lost = {}
        whole = True
        for topic, partitions in response.topics:
            for number, code, *_, data in partitions:
                place = TopicPartition(topic, number)
                if code == OffsetOutOfRangeError.errno:
                    lost[place] = wanted[place]
                elif code == TopicAuthorizationFailedError.errno:
                    raise TopicAuthorizationFailedError(topic)
                elif code:
                    whole = False
                elif data:
                    self._ready.append(_Fetched(place, wanted[place], data))
        if lost:
            raise OffsetOutOfRangeError(lost)
        return whole

    def _land(self) -> None:
        """Let go of the fetches that have ended, with what they raised."""
        for node, flight in list(self._flights.items()):
            if flight.done():
                del self._flights[node]
                flight.result()

    def _read(self, most: int) -> dict[TopicPartition, list[Any]]:
        found: dict[TopicPartition, list[Any]] = defaultdict(list)
        while self._ready and most > 0:
            fetched = self._ready[0]
            if self._places.get(fetched.place) != fetched.at:
                self._ready.popleft()  # we read from elsewhere now
                continue
            records = fetched.read(most)
            self._places[fetched.place] = fetched.at
            if fetched.over:
                self._ready.popleft()
            if records:
                found[fetched.place] += records
            most -= len(records)
        return found


class _Fetched:
    """What came of one partition."""

    __slots__ = ("_data", "_records", "at", "over", "place")

    def __init__(self, place: TopicPartition, at: int, data: bytes) -> None:
        self.place = place
        self.at = at
        self.over = False
        self._data = data
        self._records = PartitionRecords(place, MemoryRecords(data), None, at, None, None, True, READ_UNCOMMITTED)

    def read(self, most: int) -> list[Any]:
        """The next records; more than asked for where they have to be read another way."""
        try:
            records = list(islice(self._records, most))
        except UnicodeDecodeError:
            log.warning("a record has a header name that is no UTF-8; reading past it", topic=self.place.topic)
            records, self.at = read_leniently(self._data, self.at)
            self.over = True
        else:
            self.at = self._records.next_fetch_offset
            self.over = len(records) < most
        return records
