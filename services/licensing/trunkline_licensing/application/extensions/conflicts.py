"""Everything that stands in the way of one command, told whole (L1, L3): nothing is done as long as anything does."""

from __future__ import annotations

from trunkline.errors import Refused
from trunkline.http.problems import shown_value
from trunkline_licensing.domain.pool.errors import SomeRefused


class Conflicts:
    """What has been found to stand in the way."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._found: list[tuple[str, Refused]] = []

    def add(self, pointer: str, refused: Refused) -> None:
        """Something more.

        Args:
            pointer: the place in the request's body: `#/start_from`.
            refused: why.
        """
        self._found.append((pointer, refused))

    def __bool__(self) -> bool:
        """Whether anything stands in the way."""
        return bool(self._found)

    def refuse(self) -> None:
        """Refuse the command if anything stands in its way: under the one code there is, or under `some-refused`.

        Raises:
            Refused: with all of it in `errors`.
        """
        if not self._found:
            return
        errors = [
            {
                "in": "body",
                "pointer": pointer,
                "value": shown_value(refused.facts.get("value")),
                "code": refused.code,
                "detail": refused.sentence,
            }
            for pointer, refused in self._found
        ]
        first = self._found[0][1]
        if any(type(refused) is not type(first) for _, refused in self._found):
            raise SomeRefused(count=len(errors), errors=errors)
        raise type(first)(**first.facts, errors=errors)
