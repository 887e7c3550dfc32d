"""Fetching by incremental sessions (KIP-227), which the client library does not do by itself.

It names every partition in every request, and gets every partition in every answer: with the forty partitions that a
service hears, that was a quarter of the processor time of a quiet stream of messages, and as much again at the
broker. In a session a request names what has changed since the one before, and an answer what has news.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest

_SINCE_VERSION: Final = 7
_NO_SESSION: Final = 0
_WITH_LEADER_EPOCH: Final = 9
_WITH_RACK: Final = 11

Topics = list[tuple[str, list[tuple[int, int, int]]]]
"""Topic, and for each partition its number, the offset to fetch from, and the most bytes."""


class _SessionRequest(FetchRequest):
    """A fetch request within a session."""

    def __init__(self, whole: FetchRequest, session: _Session) -> None:
        """Take over a request of the library's, which names everything."""
        super().__init__(
            whole._max_wait_ms,
            whole._min_bytes,
            whole._max_bytes,
            whole._isolation_level,
            whole.topics,
            whole._rack_id,
        )
        self._session = session

    def build(self, request_struct_class: Any) -> Any:
        """The request as it goes out: all partitions where the broker knows no sessions, else what has changed."""
        version = request_struct_class.API_VERSION
        if version < _SINCE_VERSION:
            return super().build(request_struct_class)
        changed, forgotten = self._session.changes(self.topics)
        epoch = (-1,) if version >= _WITH_LEADER_EPOCH else ()
        topics = [
            (topic, [(number, *epoch, offset, -1, most) for number, offset, most in partitions])
            for topic, partitions in changed.items()
        ]
        rack = (self._rack_id,) if version >= _WITH_RACK else ()
        return request_struct_class(
            -1,
            self._max_wait_ms,
            self._min_bytes,
            self._max_bytes,
            self._isolation_level,
            self._session.id,
            self._session.epoch,
            topics,
            list(forgotten.items()),
            *rack,
        )


class _Session:
    """What one broker knows of what we fetch."""

    def __init__(self) -> None:
        self.id = _NO_SESSION
        self.epoch = 0
        self._known: Mapping[TopicPartition, int] = {}
        self._asked: Mapping[TopicPartition, int] = {}

    def changes(self, topics: Topics) -> tuple[dict[str, list[tuple[int, int, int]]], dict[str, list[int]]]:
        """What of a request the broker does not know yet, and what it is to forget."""
        changed: dict[str, list[tuple[int, int, int]]] = {}
        asked: dict[TopicPartition, int] = {}
        known = self._known
        for topic, partitions in topics:
            for entry in partitions:
                place = TopicPartition(topic, entry[0])
                asked[place] = entry[1]
                if known.get(place) != entry[1]:
                    changed.setdefault(topic, []).append(entry)
        forgotten: dict[str, list[int]] = {}
        if len(known) > 0 and not known.keys() <= asked.keys():
            for place in known.keys() - asked.keys():
                forgotten.setdefault(place.topic, []).append(place.partition)
        self._asked = asked
        return changed, forgotten

    def answered(self, response: Any) -> None:
        """Go on from an answer; one that refuses the session, or knows none, lets the next request name everything."""
        if getattr(response, "error_code", 0) or not getattr(response, "session_id", _NO_SESSION):
            self.restart()
            return
        self.id = response.session_id
        self.epoch = self.epoch + 1 if self.epoch < 0x7FFFFFFF else 1
        self._known = self._asked

    def restart(self) -> None:
        """What the broker knows is in doubt: close its session, if it has one, and begin a new one."""
        self.epoch = 0
        self._known = {}


def fetch_by_sessions(client: AIOKafkaConsumer) -> None:
    """Let a consumer that has not been started fetch by sessions, one with each broker."""
    sessions: dict[int, _Session] = {}
    send: Callable[..., Awaitable[Any]] = client._client.send

    async def within_session(node: int, request: Any, **more: Any) -> Any:
        if type(request) is not FetchRequest or request._max_wait_ms == 0:
            return await send(node, request, **more)
        session = sessions.setdefault(node, _Session())
        response = None
        try:
            response = await send(node, _SessionRequest(request, session), **more)
        finally:
            if response is None:
                session.restart()
            else:
                session.answered(response)
        return response

    client._client.send = within_session
