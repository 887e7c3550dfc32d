"""What a search may ask for, as query parameters; one that is not known is refused by name (N11, §9)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, StringConstraints

from trunkline.errors import Refused
from trunkline.files.table_writer import Format
from trunkline.http.pagination import LARGEST_PAGE
from trunkline.http.schemas import Country, Domain, Instant, OneForm, Uuid
from trunkline_numbers.queries.digit_pattern import read_pattern
from trunkline_numbers.queries.export import Layout
from trunkline_numbers.queries.filters import Capability, State, Wanted

Text = Annotated[OneForm, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


class SortNeedsAvailable(Refused):
    """Only Available numbers can be sorted by available_since: ask for state=available alone, or by available_since."""

    status: ClassVar[int] = 422


class Filters(BaseModel, extra="forbid"):
    """All of them together; `state` several times: one of these; `capability` several times: all of these."""

    state: list[State] = Field(default=[], max_length=5)
    sku: Text | None = None
    pattern: str | None = Field(
        default=None,
        max_length=20,
        description="`65`, `+65`, `+65*`: a beginning; `*888`: an end; `*88*`: a part.",
    )
    capability: list[Capability] = Field(default=[], max_length=3)
    vendor: Text | None = None
    country: Country | None = None
    routing: Text | None = None
    golden: bool | None = None
    ported_in: bool | None = None
    domain: Domain | None = Field(default=None, description="Visible to this portal domain.")
    subscription: Uuid | None = None
    owner: Uuid | None = Field(default=None, description="The organization it is assigned to, else its reserver.")
    holder: Uuid | None = None
    uploader: Uuid | None = None
    bound: bool | None = Field(default=None, description="Whether it serves a user.")
    available_since: Instant | None = Field(default=None, description="Available since then, or for longer.")
    available_for_days: int | None = Field(
        default=None, ge=0, le=36_500, description="Available for longer than so many days of 24 hours."
    )

    def wanted(self, now: datetime) -> Wanted:
        """The search that these ask for.

        Raises:
            PatternUnreadable: as it says.
        """
        since = self.available_since
        if self.available_for_days is not None:
            before = now - timedelta(days=self.available_for_days)
            since = before if since is None else min(since, before)
        return Wanted(
            states=tuple(dict.fromkeys(self.state)),
            sku=self.sku,
            pattern=None if self.pattern is None else read_pattern(self.pattern),
            capabilities=tuple(self.capability),
            vendor=self.vendor,
            country=self.country,
            routing=self.routing,
            golden=self.golden,
            ported_in=self.ported_in,
            domain=self.domain,
            subscription=self.subscription,
            owner=self.owner,
            holder=self.holder,
            uploader=self.uploader,
            bound=self.bound,
            available_since=since,
        )


class SearchQuery(Filters):
    """A page of what is found."""

    limit: int = Field(default=50, ge=1, le=LARGEST_PAGE, description="Most items on a page.")
    cursor: str | None = Field(default=None, max_length=2000, description="`next` of the page before.")
    sort: str | None = Field(
        default=None, max_length=40, description="`number`, or `available_since`; `-` before it: descending."
    )


class ExportQuery(Filters):
    """All of what is found."""

    format: Format = Field(default="csv")
    layout: Layout = Field(default="full", description="`upload`: the columns of a file of numbers to upload.")
