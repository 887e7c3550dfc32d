"""The kinds of value that request bodies are made of: the public contracts' own, as pydantic types."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from trunkline.contracts import values


def _pattern(kind: Any) -> str:
    """A contract value's pattern. Here `$` matches at the very end only, so the guard after it is not needed."""
    found: str = kind.__metadata__[0].pattern
    return found.removesuffix(values.GUARD)


Uuid = Annotated[str, StringConstraints(to_lower=True, pattern=_pattern(values.ForeignId))]
Name = Annotated[str, StringConstraints(pattern=_pattern(values.Name))]
Label = Annotated[str, StringConstraints(pattern=_pattern(values.Label))]
Email = Annotated[str, StringConstraints(pattern=_pattern(values.Email))]
Domain = Annotated[str, StringConstraints(to_lower=True, pattern=_pattern(values.Domain))]
Country = Annotated[str, StringConstraints(pattern=_pattern(values.Country))]


class Body(BaseModel, extra="forbid"):
    """What a request says: a field that the operation does not know is refused by name."""
