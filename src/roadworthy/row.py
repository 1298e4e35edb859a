"""A line of a file of records -> its fields by name, each of its kind, its time in UTC."""

from __future__ import annotations

import datetime as dt
import json
import reprlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from roadworthy.problem import Problem

Row = dict[str, Any]

NONE = type(None)
FIELDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "soc", "metric", "outcome", "source"), (str,)),
    **dict.fromkeys(("clock", "runtime", "provider", "data", "weights"), (str, NONE)),
    **dict.fromkeys(("when", "samples", "detail", "run"), (str, NONE)),
    **dict.fromkeys(("batch", "frames", "devices"), (int, NONE)),
    "value": (int, float, NONE),
    "environment": (dict,),
    "settings": (dict,),
    "evidence": (list,),
    "schema_version": (int,),
}
INSIDE: Mapping[str, tuple[type, ...]] = {  # tables and lists
    "environment": (str,),
    "settings": (str, int, float, bool, NONE),
    "settings.group": (str, NONE),
    "evidence": (str,),
}
WORDS: Mapping[tuple[type, ...], str] = {
    (str,): "a text",
    (str, NONE): "a text, or null",
    (int,): "a whole number",
    (int, NONE): "a whole number, or null",
    (int, float, NONE): "a number, or null",
    (dict,): "a table",
    (list,): "a list of texts",
    INSIDE["settings"]: "a text, a number, true, false or null",
}
DAY = len("2026-11-21")


def parsed(text: bytes, where: str) -> Row:
    """The JSON object of a line; raises Problem that begins with `where` for anything else."""
    right = "a line is one JSON object"
    try:
        row = json.loads(text)
    except UnicodeDecodeError as error:
        raise Problem(f"{where}: not a record: byte {error.start} is not UTF-8; {right}") from None
    except json.JSONDecodeError as error:
        told = f"no JSON ({error.msg})" if text.strip() else "the line is blank"
        raise Problem(f"{where}: not a record: {told}; {right}") from None
    except ValueError:
        raise Problem(f"{where}: not a record: a number has thousands of digits; {right}") from None
    except RecursionError:
        raise Problem(f"{where}: not a record: lists or tables lie too deep in each other; {right}") from None
    if not isinstance(row, dict):
        word = {list: "a list", str: "a text", int: "a number", float: "a number"}.get(type(row), "true, false or null")
        raise Problem(f"{where}: not a record: {word}; {right}")
    return row


def checked(row: Row, where: str) -> Row:
    """The fields of a row whose names are known, the time of `when` in UTC.

    Raises Problem that begins with `where` and names a field that is not of its kind.
    """
    for name, found in row.items():
        _check(name, found, FIELDS[name], where)
        if name in INSIDE:
            for key, item in found.items() if isinstance(found, dict) else enumerate(found):
                inside = f"{name}.{key}"
                _check(inside, item, INSIDE.get(inside, INSIDE[name]), where)
    if (samples := row.get("samples")) is not None:
        _check_place(samples, where)
    evidence = tuple(row.get("evidence", ()))
    return {**row, "evidence": evidence, "when": _in_utc(row.get("when"), where)}


def is_whole(text: bytes) -> bool:
    """Whether a last line is all that was to be written, so that it is judged as every other line is."""
    try:
        json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return False
    except (ValueError, RecursionError):  # no crash does this
        return True
    return True


def _check(name: str, found: object, kinds: tuple[type, ...], where: str) -> None:
    if type(found) not in kinds:  # as JSON has it; an instance of int would be true as well
        raise Problem(f"{where}: {name} is {reprlib.repr(found)}; it must be {WORDS[kinds]}")


def _check_place(samples: str, where: str) -> None:
    """Raise Problem where samples lie elsewhere than beside their records."""
    parts = PurePosixPath(samples).parts
    if not parts or ".." in parts or samples.startswith("/") or samples.endswith(".jsonl"):
        raise Problem(f"{where}: samples is {reprlib.repr(samples)}; it must be a file below the folder of the records")


def _in_utc(when: str | None, where: str) -> str | None:
    """A time so that the order of texts is that of times: in UTC; a day without a time comes before all times of it."""
    if when is None:
        return None
    try:
        if len(when) <= DAY:
            return dt.date.fromisoformat(when).isoformat()
        found = dt.datetime.fromisoformat(when.replace("Z", "+00:00"))  # which Python 3.10 does not read
        known = found if found.tzinfo else found.replace(tzinfo=dt.timezone.utc)
        return known.astimezone(dt.timezone.utc).isoformat()
    except (ValueError, OverflowError):
        right = "it must be a day or a time of ISO 8601, such as 2026-11-21 or 2026-11-21T08:00:00+00:00"
        raise Problem(f"{where}: when is {reprlib.repr(when)}; {right}") from None
