"""A command whose parameters are read without pydantic where a value is plainly one of its kind.

Typer has pydantic look at every value, even at text; that takes as long as all else that a command imports. What is
not plainly right still goes there, so that it is refused in the same words.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin
from uuid import UUID

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

_NOT_PLAIN: Final = object()


class LightCommand(TyperCommand):
    """A command with light parameters."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` among them."""
        return _lightened(super().get_params(ctx))


class LightGroup(TyperGroup):
    """A group of commands, with light parameters of its own."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` among them."""
        return _lightened(super().get_params(ctx))


def _lightened(parameters: list[Any]) -> list[Any]:
    """The same parameters; Typer makes them, and says nowhere of which class."""
    for parameter in parameters:
        if type(parameter) is TyperOption:
            parameter.__class__ = _LightOption
        elif type(parameter) is TyperArgument:
            parameter.__class__ = _LightArgument
    return parameters


class _LightOption(TyperOption):
    def process_value(self, ctx: Any, value: Any) -> Any:
        """The value as the command gets it."""
        plain = _plain(self, value)
        if plain is _NOT_PLAIN:
            return super().process_value(ctx, value)
        return plain if self.callback is None else self.callback(ctx, self, plain)


class _LightArgument(TyperArgument):
    def process_value(self, ctx: Any, value: Any) -> Any:
        """The value as the command gets it."""
        plain = _plain(self, value)
        return super().process_value(ctx, value) if plain is _NOT_PLAIN else plain


def _plain(parameter: Any, value: Any) -> Any:
    found = plain_value(parameter.type_descriptor, value, several=parameter.multiple or parameter.nargs == -1)
    return _NOT_PLAIN if parameter.required and parameter.value_is_missing(found) else found


def plain_value(descriptor: Any, value: Any, *, several: bool) -> Any:
    """A value in the type of its parameter.

    Args:
        descriptor: of the parameter: `annotation`, and `parameter_info` with what bounds it.
        value: as typed, from the environment, or the default.
        several: whether the parameter takes a list of them.

    Returns:
        The value, or a mark that somebody else must look at it.
    """
    if value is None:
        return () if several else None
    annotation = descriptor.annotation
    if several:
        if get_origin(annotation) is not list or not isinstance(value, list | tuple):
            return _NOT_PLAIN
        (each,) = get_args(annotation)
        found = [_one(each, descriptor.parameter_info, item) for item in value]
        return _NOT_PLAIN if any(item is _NOT_PLAIN for item in found) else found
    return _one(annotation, descriptor.parameter_info, value)


def _one(annotation: Any, info: Any, value: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return next((member for member in annotation if value in (member, member.value)), _NOT_PLAIN)
    if get_origin(annotation) is Literal:
        return value if value in get_args(annotation) else _NOT_PLAIN
    read = _READERS.get(annotation)
    if read is None or getattr(info, "parser", None) is not None:
        return _NOT_PLAIN
    return read(info, value)


def _text(_info: Any, value: Any) -> Any:
    return value if type(value) is str else _NOT_PLAIN


def _whole(info: Any, value: Any) -> Any:
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if type(value) is not int or (info.min is not None and value < info.min):
        return _NOT_PLAIN
    return _NOT_PLAIN if info.max is not None and value > info.max else value


def _yes_or_no(_info: Any, value: Any) -> Any:
    return value if type(value) is bool else _NOT_PLAIN


def _uuid(_info: Any, value: Any) -> Any:
    try:
        found = UUID(str(value))
    except ValueError:
        return _NOT_PLAIN
    return found if str(found) == str(value).lower() else _NOT_PLAIN


def _path(info: Any, value: Any) -> Any:
    checked = info.exists or info.writable or info.resolve_path or info.path_type is not None
    return _NOT_PLAIN if checked or not isinstance(value, str | Path) else Path(value)


_READERS: Final[dict[Any, Callable[[Any, Any], Any]]] = {
    str: _text,
    int: _whole,
    bool: _yes_or_no,
    UUID: _uuid,
    Path: _path,
}
