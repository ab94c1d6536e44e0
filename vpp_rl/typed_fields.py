"""Plain values into typed ones: what one field of a configuration may hold."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vpp_envs.errors import InputError

Builder = Callable[[str, Mapping[str, Any], type[Any]], Any]


def convert(key: str, value: object, hint: Any, build: Builder) -> Any:  # noqa: ANN401 - any annotation in, its value out
    """Return ``value`` as what the annotation ``hint`` asks for.

    Args:
        key: Dotted name of the value, for errors.
        value: As read from YAML or a command line.
        hint: Annotation of the field.
        build: Builds a nested dataclass from (key, mapping, dataclass).

    Raises:
        InputError: If the value is of another type; the sentence names key, type and value.
        TypeError: If the annotation is none that a configuration can hold: a fault of the code.
    """
    origin = typing.get_origin(hint)
    if origin in _GENERIC:
        return _GENERIC[origin](key, value, typing.get_args(hint), build)
    if hint in _SCALAR:
        return _SCALAR[hint](key, value)
    if dataclasses.is_dataclass(hint):
        return build(key, _mapping(key, value), typing.cast("type[Any]", hint))
    raise TypeError(f"{key}: a configuration cannot hold a field annotated {hint!r}")


def _wrong(key: str, expected: str, value: object) -> InputError:
    return InputError(f"{key} must be {expected}, got {value!r}")


def _none(key: str, value: object) -> None:
    if value is not None:
        raise _wrong(key, "null", value)


def _bool(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, "true or false", value)
    return value


def _int(key: str, value: object) -> int:
    # YAML reads 1e6 as a float; that is how people write a number of steps.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(key, "a whole number", value)
    return value


def _float(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise _wrong(key, "a number", value)
    return float(value)


def _str(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(key, "text (in quotes if it looks like a number)", value)
    return value


def _path(key: str, value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise _wrong(key, "the path of a file or folder", value)
    return Path(value)


def _mapping(key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(key, "a mapping of keys to values", value)
    return value


def _to_mapping(key: str, value: object, args: tuple[Any, ...], build: Builder) -> dict[str, Any]:
    return {
        _str(key, name): convert(f"{key}.{name}", item, args[1], build)
        for name, item in _mapping(key, value).items()
    }


def _to_tuple(key: str, value: object, args: tuple[Any, ...], build: Builder) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong(key, "a list in square brackets", value)
    hints = [args[0]] * len(value) if args[1:] == (...,) else list(args)
    if len(hints) != len(value):
        raise _wrong(key, f"a list of {len(hints)}", list(value))
    return tuple(
        convert(f"{key}[{i}]", item, hint, build)
        for i, (item, hint) in enumerate(zip(value, hints, strict=True))
    )


def _to_literal(key: str, value: object, args: tuple[Any, ...], _build: Builder) -> object:
    # `True == 1`, and a switch is no number.
    if not any(value == choice and type(value) is type(choice) for choice in args):
        raise _wrong(key, "one of " + ", ".join(map(repr, args)), value)
    return value


def _to_union(key: str, value: object, args: tuple[Any, ...], build: Builder) -> object:
    if value is None and type(None) in args:
        return None
    hints = [hint for hint in args if hint is not type(None)]
    if len(hints) == 1:
        return convert(key, value, hints[0], build)
    # An int is also a number: an exact match comes before a conversion.
    for hint in sorted(hints, key=lambda hint: hint is not type(value)):
        try:
            return convert(key, value, hint, build)
        except InputError:
            continue
    raise _wrong(key, " or ".join(getattr(hint, "__name__", str(hint)) for hint in hints), value)


_SCALAR: dict[Any, Callable[[str, object], object]] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Path: _path,
}
_GENERIC: dict[Any, Callable[[str, object, tuple[Any, ...], Builder], object]] = {
    tuple: _to_tuple,
    dict: _to_mapping,
    Mapping: _to_mapping,
    typing.Literal: _to_literal,
    typing.Union: _to_union,
    types.UnionType: _to_union,
}
