"""Where a figure comes from, and whether two figures were measured alike."""

from __future__ import annotations

from collections.abc import Mapping

from roadworthy.record import Record
from roadworthy.soc import find
from roadworthy.words import Language, word

STATED = ("driver", "firmware", "cann")  # what a figure of a chip depends on first


def origin(record: Record, stated: Mapping[str, str], language: Language = "en") -> str:
    """In words: published, with what the guide has `stated` of its chips, or measured: when, by which runtime, driver, CANN; and if it is one die's."""
    if record.source == "published":
        known = facts(stated, language)
        return word("published with", language, facts=known) if known else word("published", language)
    told = [word("measured", language, when=(record.when or "?")[: len("2026-11-21")])]
    if record.runtime:
        told.append(word("runtime", language, runtime=record.runtime))
    if record.metric == "throughput" and "dies" in record.environment:
        told.append(word("dies", language, dies=find(record.soc).dies))
    if known := facts(record.environment, language):
        told.append(known)
    elif find(record.soc).vendor == "huawei":
        told.append(word("unknown driver", language))
    return word("comma", language).join(told)


def facts(environment: Mapping[str, str], language: Language = "en") -> str:
    """Driver, firmware and CANN, those that are known."""
    known = [name for name in STATED if name in environment]
    return word("comma", language).join(word(name, language, version=environment[name]) for name in known)


def unlike(own: Record, other: Record, language: Language = "en") -> str:
    """How the figures of a ratio were timed, where that differs; empty where it does not."""
    runtimes = {own.runtime, other.runtime} - {None}  # a guide that names none ran the chip's own
    if own.clock == other.clock and len(runtimes) < 2:
        return ""
    mine = way(own, language) if own.clock == other.clock else word(own.clock or "no clock", language)
    return word("unlike", language, soc=other.soc, theirs=way(other, language), own=mine)


def way(record: Record, language: Language = "en") -> str:
    """By which clock a figure was measured, of which runtime."""
    clock = word(record.clock or "no clock", language)
    return word("clock of", language, clock=clock, runtime=record.runtime) if record.runtime else clock
