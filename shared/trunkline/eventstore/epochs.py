"""Epochs of a log: a store that was restored from a back-up counts on in a new one, which leads in every sequence (X1).

A restored log gives versions, event ids and log positions again that were published before. So each restore begins an
epoch. What is published carries `sequence` = epoch * STRIDE + version: still one ascending whole number for a reader
that takes the newest, and below 2**53 for 9,007 restores. Epoch 0 is a log that was never restored.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

STRIDE: Final = 1_000_000_000_000
"""Between the sequences of two epochs: no stream has so many events."""


def sequence_of(epoch: int, version: int) -> int:
    """The public sequence of a stream's version in an epoch."""
    return epoch * STRIDE + version


def epoch_and_version(sequence: int) -> tuple[int, int]:
    """The epoch and the stream's version that a public sequence consists of."""
    return divmod(sequence, STRIDE)


class Epochs:
    """Which epoch each position of a log belongs to. Immutable."""

    __slots__ = ("_begins", "_numbers", "current")

    def __init__(self, begun: Iterable[tuple[int, int]] = ()) -> None:
        """Know the epochs after 0.

        Args:
            begun: (epoch, the last log position before it), in the order of the epochs.
        """
        known = list(begun)
        self._numbers = [0, *(epoch for epoch, _ in known)]
        self._begins = [after for _, after in known]
        self.current: Final[int] = self._numbers[-1]

    def at(self, position: int) -> int:
        """The epoch that the event at a log position belongs to."""
        return self._numbers[bisect_left(self._begins, position)] if self._begins else 0
