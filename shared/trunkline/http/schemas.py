"""The kinds of value that request bodies are made of: the public contracts' own, as pydantic types."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from trunkline.contracts import values
from trunkline.email_address import EmailAddressInvalid, email_address
from trunkline.text import clean, clean_lines, normalize


def _pattern(kind: Any) -> str:
    """A contract value's pattern. Here `$` matches at the very end only, so the guard after it is not needed."""
    found: str = kind.__metadata__[0].pattern
    return found.removesuffix(values.GUARD)


def _clean(given: Any) -> Any:
    return clean(given) if isinstance(given, str) else given


def _email(text: str) -> str:
    try:
        return email_address(text)
    except EmailAddressInvalid as error:
        raise PydanticCustomError("email_address", "no e-mail address, since {why}", {"why": str(error)}) from None


Uuid = Annotated[str, StringConstraints(to_lower=True, pattern=_pattern(values.ForeignId))]
Name = Annotated[str, BeforeValidator(_clean), StringConstraints(pattern=_pattern(values.Name))]
Label = Annotated[str, BeforeValidator(_clean), StringConstraints(pattern=_pattern(values.Label))]
"""Both are taken over in their one form (`text.clean`)."""
OneForm = Annotated[str, BeforeValidator(lambda given: normalize(given) if isinstance(given, str) else given)]
"""A text brought into its one form (`text.normalize`): to search for, or for the operation to check."""
LINES = BeforeValidator(lambda given: clean_lines(given) if isinstance(given, str) else given)
"""A remark: each of its lines is taken over in its one form (`text.clean_lines`)."""
Email = Annotated[str, StringConstraints(pattern=_pattern(values.Email)), AfterValidator(_email)]
Domain = Annotated[str, StringConstraints(to_lower=True, pattern=_pattern(values.Domain))]
Country = Annotated[str, StringConstraints(pattern=_pattern(values.Country))]
Instant = Annotated[AwareDatetime, AfterValidator(values.utc)]
"""An instant with its offset, taken over in UTC; one outside 1970 to 2999 is refused (`values.utc`)."""

AnyInstant = Annotated[datetime, AfterValidator(lambda at: at if at.tzinfo is None else values.utc(at))]
"""The same; whether one without an offset is taken is for the operation to decide."""


class Body(BaseModel, extra="forbid"):
    """What a request says: a field that the operation does not know is refused by name."""
