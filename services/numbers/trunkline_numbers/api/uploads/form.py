"""What is sent as an upload: a CSV body with query parameters, or a form with the file and the same fields (R1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ValidationError

from trunkline.http.dependencies import MAX_BODY_BYTES
from trunkline.http.multipart import MEDIA_TYPE, read_form
from trunkline.http.schemas import Label, Uuid
from trunkline_numbers.application.imports.errors import FieldNotTaken, FileKindUnsupported, FormWithoutFile

MAX_FILE_BYTES: Final = 32 * MAX_BODY_BYTES
_CSV: Final = frozenset({"text/csv", "application/csv", "application/vnd.ms-excel", "application/octet-stream"})


class UploadFields(BaseModel, extra="forbid"):
    """What comes with a file."""

    holder_id: Uuid | None = None
    voice_carrier: Label | None = None
    sms_carrier: Label | None = None
    vendor: Label | None = None
    sku: Label | None = None
    file_name: Annotated[str, Query(max_length=200)] | None = None


@dataclass(frozen=True)
class Sent:
    """A request's body as it came, and what its query says."""

    body: bytes
    content_type: str
    fields: UploadFields

    def read(self) -> tuple[bytes, UploadFields]:
        """The file and what comes with it; a form's fields go before the query's.

        Raises:
            FileKindUnsupported, FormUnreadable, FormWithoutFile, FieldNotTaken: as they say.
        """
        media = self.content_type.partition(";")[0].strip().lower()
        if media in _CSV:
            return self.body, self.fields
        if media != MEDIA_TYPE:
            raise FileKindUnsupported(given=self.content_type[:100])
        parts = read_form(self.body, self.content_type)
        files = [part for part in parts if part.name == "file"]
        if len(files) != 1:
            raise FormWithoutFile(count=len(files))
        given = {part.name: part.text.strip() for part in parts if part.name != "file"}
        given = {"file_name": files[0].file_name or ""} | given
        return files[0].content, _fields(self.fields, {name: text for name, text in given.items() if text})


def _fields(query: UploadFields, given: Mapping[str, str]) -> UploadFields:
    try:
        return UploadFields(**query.model_dump(exclude_none=True) | dict(given))
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        field = str(wrong["loc"][0])[:60]
        facts: dict[str, Any] = {"field": field, "why": wrong["msg"], "value": given.get(field)}
        raise FieldNotTaken(**facts, pointer=f"#/{field}") from None


async def sent(
    request: Request,
    holder_id: Annotated[
        Uuid | None, Query(description="The partner or organization the numbers are for; by default the asker's own.")
    ] = None,
    voice_carrier: Annotated[
        Label | None, Query(description="Carrier of the numbers with voice; else the policy's.")
    ] = None,
    sms_carrier: Annotated[
        Label | None, Query(description="SMS carrier profile of the numbers with SMS; else the policy's.")
    ] = None,
    vendor: Annotated[Label | None, Query(description="Of the rows that name none.")] = None,
    sku: Annotated[Label | None, Query(description="Of the rows that name none.")] = None,
    file_name: Annotated[str | None, Query(max_length=200, description="How the upload is listed.")] = None,
) -> Sent:
    """An upload's request; a dependency."""
    fields = UploadFields(
        holder_id=holder_id,
        voice_carrier=voice_carrier,
        sms_carrier=sms_carrier,
        vendor=vendor,
        sku=sku,
        file_name=file_name,
    )
    return Sent(await request.body(), request.headers.get("content-type", ""), fields)


Uploaded = Annotated[Sent, Depends(sent)]
_FIELDS: Final = {name: {"type": "string"} for name in UploadFields.model_fields}
BODY: Final[dict[str, Any]] = {
    "x-action": "add numbers",
    "x-max-body-bytes": MAX_FILE_BYTES,
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "description": "The file; see GET /numbers/uploads/sample."}},
            MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}, **_FIELDS},
                }
            },
        },
    },
}
"""For the OpenAPI document."""
