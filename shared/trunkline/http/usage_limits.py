"""What one principal can use up at once: requests a second, open streams, bytes of bodies (T6).

Beyond it a request is answered 429 with `Retry-After`, and nothing of it is read or done. The limits are those of one
process, and generous: they bound a client that has gone wrong, and do not meter.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Final

from trunkline.errors import Refused
from trunkline.security.principal import Principal
from trunkline.shares import Shares

_MOST_PRINCIPALS: Final = 10_000
_STREAM: Final = re.compile(r"/(watch|progress|export|report)$")
"""Paths whose answer goes on for as long as the reader takes."""


class TooManyRequests(Refused):
    """One principal may send {most} requests a second here: wait a moment."""

    status: ClassVar[int] = 429


class TooManyStreams(Refused):
    """One principal may have {most} streams and files open here: end one first."""

    status: ClassVar[int] = 429


class TooManyBytes(Refused):
    """The bodies that are being received have {most:,} bytes already: wait a moment."""

    status: ClassVar[int] = 429


class Rates:
    """A bucket for each principal that fills by so many a second and holds twice as many. Thread-safe."""

    def __init__(self, per_second: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets."""
        self._per_second, self._monotonic = per_second, monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, who: Hashable) -> None:
        """Count one request.

        Raises:
            TooManyRequests: the bucket is empty.
        """
        now, most = self._monotonic(), 2.0 * self._per_second
        with self._lock:
            left, at = self._buckets.pop(who, (most, now))
            left = min(most, left + (now - at) * self._per_second)
            self._buckets[who] = (left - 1.0 if left >= 1.0 else left, now)
            if len(self._buckets) > _MOST_PRINCIPALS:
                self._buckets.popitem(last=False)
        if left < 1.0:
            raise TooManyRequests(most=self._per_second)


class Limits:
    """The limits of a process."""

    def __init__(self, requests_per_second: int, open_streams: int) -> None:
        """Set them."""
        self._rates = Rates(requests_per_second)
        self._streams = Shares(open_streams)

    @contextmanager
    def held(self, principal: Principal, path: str) -> Iterator[None]:
        """Count a request, and while it is answered its stream.

        Raises:
            TooManyRequests, TooManyStreams: as they say.
        """
        who = (principal.issuer, principal.subject, principal.party_id, principal.role)
        self._rates.take(who)
        if not _STREAM.search(path):
            yield
            return
        with self._streams.held(who, TooManyStreams(most=self._streams.most)):
            yield
