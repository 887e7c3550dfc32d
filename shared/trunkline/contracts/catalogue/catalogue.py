"""The list of all public events, and the page that tells people about them (X1, X7)."""

from collections.abc import Iterable
from typing import Final

from trunkline.contracts import billing, dead_letters, licensing, numbers, parties
from trunkline.contracts.cloudevents.errors import CODES
from trunkline.contracts.contract import Contract

HEARD: Final = (*billing.CONTRACTS.values(), *parties.CONTRACTS.values())
SAID: Final = (
    *licensing.CONTRACTS.values(),
    licensing.STATE,
    *numbers.CONTRACTS.values(),
    numbers.STATE,
)
ALL: Final = (*HEARD, *SAID)

_FOLDER: Final = "trunkline/contracts"

_INTRO: Final = """\
# The public events of Trunkline

<!-- Written by `python -m trunkline.contracts.generate`; change the contracts instead. -->

Two services talk over Kafka and to you: **licensing** owns subscriptions and parties, **numbers**
owns every telephone number's life. This page lists what they hear and what they say. The same for
machines: [asyncapi.json](trunkline/contracts/asyncapi.json), and one JSON Schema and one sample
for each event.

## How to read them

- **One topic for each event**, named like it. The record's key is the event's subject: a number,
  a subscription, a party. Within one topic the records of one key are in order; between two topics
  nothing is promised.
- **`sequence` is the subject's own version**, for each `source`. It rises with every event of the
  subject, over all topics, and may skip. Newest wins: remember the highest one for each source and
  subject and leave out what is not higher. Subscriptions carry their whole state after the event,
  numbers their `state`; so late and repeated records do no harm. Whoever counts every event, not only
  the newest, remembers each `id` instead.
- **At least once.** After a crash, or when an operator publishes history again, records come again, as
  they were and with the same `id`: it is made from the stored event, never from the moment of sending.
- **CloudEvents 1.0.** Records go out in binary mode: attributes are `ce_…` headers (`ce_id`,
  `ce_source`, `ce_type`, `ce_subject`, `ce_time`, `ce_sequence`, `ce_dataschema` and so on), the value
  is the data as JSON. What is sent to Trunkline may be in binary or structured mode. The samples are
  in structured form, since one file can show that whole.
- **Times** are RFC 3339 in UTC with `Z`, **numbers** E.164 with `+`, **identifiers** UUIDs in
  lower case. `time` is the instant from which the fact counts, not the one at which it was sent.
- **Forward compatible.** Skip fields you do not know: within a version fields are only added. What
  would break a reader is a new version, named by `dataschema`, beside the old one; a released
  version never changes.
- **`correlationid`** is the same in all that followed from one cause; **`causationid`** is the
  `id` of the event right before.
- **`sequence`** ascends for each subject: the newest is the truth. After a restore from a back-up a new
  epoch begins: it leads in `sequence` (`epoch` * 1,000,000,000,000 + version) and stands in `epoch`, so
  that the newest is still the truth; what only the lost history had is followed by no event.
- **`NumberState` and `ExtensionState` are compacted:** the topic keeps the newest document of each number
  or extension. Read it from the start and you have them all; a null value means that it is gone.
- **The other topics are kept as long as the broker keeps them.** Whoever begins later reads
  `NumberState` first, or asks over HTTP.
"""

_DEAD: Final = """\
## Dead letters

A record that cannot be read or understood is put on `{topic}` as it came: the original key, value
and headers, and before them:

| header | what it says |
|---|---|
{headers}

`dl_code` is one of:

| code | when |
|---|---|
{codes}

A readable event that breaks a business rule is no dead letter: it has a recorded outcome.
"""


def page(contracts: Iterable[Contract] = ALL) -> str:
    """Give the catalogue as Markdown: how to read the events, and a row for each of them."""
    known = tuple(contracts)
    parts = [_INTRO]
    for title, source in (("licensing", licensing.SOURCE), ("numbers", numbers.SOURCE)):
        parts.append(f"## What {title} says\n\n`source` is `{source}`.\n")
        parts.append(_table(c for c in known if c.source == source))
    for title, topic in (
        ("billing says", billing.TOPIC),
        ("others say of parties", parties.TOPIC),
    ):
        parts.append(f"## What {title}\n\nTopic `{topic}`, key = `subject`; `sequence` is optional:")
        parts.append("where it lacks, `time` orders. One value has at most 1,048,576 bytes.\n")
        parts.append(_table(c for c in known if c.topic == topic))
    dead = _DEAD.format(
        topic=dead_letters.TOPIC,
        headers="\n".join(f"| `{name}` | {text} |" for name, text in dead_letters.HEADERS.items()),
        codes="\n".join(f"| `{code}` | {text} |" for code, text in CODES.items()),
    )
    return "\n".join([*parts, dead])


def _table(contracts: Iterable[Contract]) -> str:
    rows = ["| event | key | when | | |", "|---|---|---|---|---|"]
    for contract in contracts:
        key = f"`{contract.key}`" if contract.key else f"“{contract.fixed_subject}”"
        schema = f"[schema]({_FOLDER}/schemas/{contract.schema_file})"
        sample = f"[sample]({_FOLDER}/samples/{contract.schema_file})"
        told = " ".join(contract.said.split()).rstrip(".")
        said = told[:1].upper() + told[1:]
        rows.append(f"| `{contract.name}` | {key} | {said} | {schema} | {sample} |")
    return "\n".join([*rows, ""])
