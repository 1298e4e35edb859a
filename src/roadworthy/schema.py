"""TOML tables into frozen dataclasses, strictly: unknown, missing and mistyped keys are errors."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from roadworthy.problem import Problem

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

T = TypeVar("T")


def load_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; raises Problem naming the file when it is missing or no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Problem(f"{path}: there is no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: not a TOML file: {error}") from None


def read_table(cls: type[T], table: Mapping[str, Any], path: Path, section: str = "") -> T:
    """`table` as a `cls`; raises Problem with file, key, what was found and what would be right.

    A key that is a Python keyword (`pass`) fills the field of the same name with an underscore behind it.
    """
    fields = {f.name.rstrip("_"): f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    for key in table:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(fields))}"
            raise Problem(f"{path}: unknown key {_dotted(section, key)!r}; {hint}")
    values = {}
    for key, field in fields.items():
        if key in table:
            values[field.name] = _value(hints[field.name], table[key], path, _dotted(section, key))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Problem(f"{path}: key {_dotted(section, key)!r} is missing; it holds {_name(hints[field.name])}")
    try:
        return cls(**values)
    except ValueError as error:
        raise Problem(f"{path}: {_dotted(section, str(error))}") from None


def _value(hint: Any, found: Any, path: Path, key: str) -> Any:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for option in options:
        if _fits(option, found):
            return _converted(option, found, path, key)
    raise Problem(f"{path}: key {key!r} is {found!r}; it must be {_name(hint)}")


def _fits(hint: Any, found: Any) -> bool:
    origin = get_origin(hint)
    if origin is Literal:
        return found in get_args(hint)
    if origin is tuple:
        return isinstance(found, list)
    if origin in (dict, Mapping) or dataclasses.is_dataclass(hint):
        return isinstance(found, Mapping)
    if isinstance(found, bool):  # which Python counts as a whole number
        return hint in (bool, Any)
    return hint is Any or isinstance(found, (int, float) if hint is float else hint)


def _converted(hint: Any, found: Any, path: Path, key: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return read_table(hint, found, path, key)
    if origin is tuple:
        return tuple(_value(args[0], item, path, f"{key}[{i}]") for i, item in enumerate(found))
    if origin in (dict, Mapping):
        return {name: _value(args[1], item, path, _dotted(key, name)) for name, item in found.items()}
    return float(found) if hint is float else found


def _name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_name(option) for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is tuple:
        return f"a list of {_name(get_args(hint)[0])}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return words.get(hint, "a table")


def _dotted(section: str, key: str) -> str:
    return f"{section}.{key}" if section else key
