"""Read an event's data exactly as its JSON Schema allows it, no more and no less (X7).

msgspec reads faster than anything else here, and a little differently from the schemas: it refuses `5.0` where JSON
Schema sees the integer 5, refuses leap seconds, rounds fractions of a second up, and takes a blank for the `T` of an
instant. Data with instants from other producers, and data that msgspec refuses, is read here a second time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import inspect

from trunkline.contracts.values import read_instant

Read = Callable[[bytes | msgspec.Raw], Any]
_LARGEST_EXACT: Final = 2**53


def reader(data: Any, *, foreign: bool) -> Read:
    """What reads the data of a contract.

    Args:
        data: the struct.
        foreign: whether other producers write it; what this project writes has only instants in one form.

    Returns:
        A function from JSON bytes to the struct. It raises msgspec.ValidationError with the place, and
        msgspec.DecodeError where the bytes are not JSON.
    """
    fast: Read = msgspec.json.Decoder(data).decode
    whole = inspect.type_info(data)
    if foreign and _has_instants(whole):
        return lambda value: _read_exactly(value, data, whole, fast)

    def read(value: bytes | msgspec.Raw) -> Any:
        try:
            return fast(value)
        except msgspec.ValidationError:
            return _read_exactly(value, data, whole, fast)

    return read


def _read_exactly(value: bytes | msgspec.Raw, data: Any, whole: inspect.Type, fast: Read) -> Any:
    try:
        found = json.loads(bytes(value), parse_float=_number, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return fast(value)  # names what is wrong and where
    return msgspec.convert(_with_instants(whole, found, "$"), data)


def _number(text: str) -> int | float:
    """A number with a fraction or an exponent; JSON Schema takes 5.0 for the integer 5."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= _LARGEST_EXACT else number


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _with_instants(kind: inspect.Type, value: Any, path: str) -> Any:
    """A JSON value with every instant of its type read.

    Raises:
        msgspec.ValidationError: a text is no instant; names the place.
    """
    if isinstance(value, str) and isinstance(kind, inspect.DateTimeType | inspect.UnionType | inspect.Metadata):
        return _instant(value, path) if _is_instant(kind) else value
    match kind:
        case inspect.Metadata():
            return _with_instants(kind.type, value, path)
        case inspect.UnionType() if value is not None:
            inner = [option for option in kind.types if not isinstance(option, inspect.NoneType)]
            return _with_instants(inner[0], value, path) if len(inner) == 1 else value
        case inspect.StructType() if isinstance(value, dict):
            known = {field.encode_name: field.type for field in kind.fields}
            return {
                name: _with_instants(known[name], inner, f"{path}.{name}") if name in known else inner
                for name, inner in value.items()
            }
        case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
            return [_with_instants(kind.item_type, inner, f"{path}[...]") for inner in value]
        case _:
            return value


def _instant(text: str, path: str) -> datetime:
    try:
        return read_instant(text)
    except ValueError as error:
        raise msgspec.ValidationError(f"{error} - at `{path}`") from None


def _is_instant(kind: inspect.Type) -> bool:
    match kind:
        case inspect.DateTimeType():
            return True
        case inspect.Metadata():
            return _is_instant(kind.type)
        case inspect.UnionType():
            return any(map(_is_instant, kind.types))
        case _:
            return False


def _has_instants(kind: inspect.Type) -> bool:
    """Whether a type has an instant anywhere in it."""
    match kind:
        case inspect.StructType():
            return any(_has_instants(field.type) for field in kind.fields)
        case inspect.ListType() | inspect.VarTupleType():
            return _has_instants(kind.item_type)
        case inspect.Metadata():
            return _has_instants(kind.type)
        case _:
            return _is_instant(kind)
