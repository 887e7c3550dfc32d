"""Why a message cannot be understood: one exception, a stable code, one sentence."""

from typing import Final

CODES: Final = {
    "attribute-invalid": "an attribute has the wrong form: a naive time, a sequence below zero …",
    "attribute-missing": "id, source, type, subject or time is missing",
    "content-type": "the content type is none that carries a JSON CloudEvent",
    "data-invalid": "the data does not have the shape of its type",
    "header-invalid": "a CloudEvents header is null, not UTF-8, or given twice",
    "not-json": "the value is not JSON",
    "not-utf8": "the value is not UTF-8",
    "spec-version": "specversion is not 1.0",
    "subject-mismatch": "the subject is not the one the data speaks of",
    "too-large": "the value is larger than 1 MiB",
    "type-unknown": "nobody here understands this type",
    "undecodable": "the Kafka client cannot decode the record: its checksum or a header's name is wrong",
    "value-missing": "there is no value or no data",
}


class MessageDecodeError(Exception):
    """A message cannot be read or understood (X6); it becomes a dead letter and is never looped.

    `code` is one of CODES and never changes its meaning; `reason` is one sentence: what
    is wrong, where (a header's name or a JSON path) and why.
    """

    def __init__(self, code: str, reason: str) -> None:
        assert code in CODES, code
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"
