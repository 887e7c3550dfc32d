"""What a broker remembers of the fetches of one client, so that each names only what has changed (KIP-227).

Without it every fetch names every partition, and so does its answer: a service hears dozens, of which one or two have
something at a time, and that was a third of what an event cost. A broker since Kafka 1.1 keeps the list, if it is
asked to and has room; then a fetch says which places are others than before, and the answer what is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.protocol.fetch import FetchRequest

SINCE_VERSION: Final = 7
"""The version of the request that first knew sessions."""

PARTITION_BYTES: Final = 1 << 20
ALL_BYTES: Final = 8 << 20
_LAST_EPOCH: Final = 2**31 - 1


class FetchSession:
    """One broker's list of places, as far as its last answer tells."""

    def __init__(self) -> None:
        """None yet: the first fetch names everything, and asks the broker to remember it."""
        self._id = 0
        self._epoch = 0
        self._places: Mapping[TopicPartition, int] = {}

    def fetch(self, wanted: Mapping[TopicPartition, int], wait_ms: int) -> FetchRequest:
        """The request that fetches what is wanted.

        Args:
            wanted: the offset from which each partition is to be read; others are not.
            wait_ms: how long the broker may wait for a first record.
        """
        places = self._places if self._epoch else {}
        changed = ((place, at) for place, at in wanted.items() if places.get(place) != at)
        gone = places.keys() - wanted.keys() if places.keys() != wanted.keys() else ()
        return _Fetch(wait_ms, changed, gone, self._id, self._epoch)

    def answered(self, session: int, wanted: Mapping[TopicPartition, int]) -> None:
        """The broker has taken a fetch of what was wanted.

        Args:
            session: what it calls the session; 0 while it keeps none for us, then everything is named again.
            wanted: as the request was made of.
        """
        self._epoch = self._epoch % _LAST_EPOCH + 1 if session else 0
        self._id = session
        self._places = wanted


class _Fetch(FetchRequest):  # type: ignore[misc]
    """The client's own request, with the four fields of a session, which it leaves empty."""

    def __init__(
        self,
        wait_ms: int,
        places: Iterable[tuple[TopicPartition, int]],
        gone: Iterable[TopicPartition],
        session: int,
        epoch: int,
    ) -> None:
        topics: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for (topic, number), at in places:
            topics[topic].append((number, at, PARTITION_BYTES))
        super().__init__(wait_ms, 1, ALL_BYTES, 0, list(topics.items()))
        self._gone: dict[str, list[int]] = defaultdict(list)
        for topic, number in gone:
            self._gone[topic].append(number)
        self._session = session
        self._epoch = epoch

    def build(self, request_struct_class: Any) -> Any:
        built = super().build(request_struct_class)
        if request_struct_class.API_VERSION >= SINCE_VERSION:
            built.session_id = self._session
            built.session_epoch = self._epoch
            built.forgotten_topics_data = list(self._gone.items())
        return built
