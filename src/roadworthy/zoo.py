"""Records -> the lines of the model zoo's `modelzoo_level.txt`, each with its reason.

Source: the zoo's rules of contribution. A status that no record shows is left out, as in the zoo's own files: none is
made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from roadworthy import bound, gates, origin
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.record import Record
from roadworthy.schema import load_toml
from roadworthy.words import Language

GPU = "T4"  # what the zoo compares inference with
PAR = 1.0  # times the GPU
STEPS: Mapping[str, float] = {"PERFECT": 1.2, "OK": PAR, "POK": 0.5}  # of PerfStatus, in times the GPU
FORM = "{:.8g}"
SEPARATOR: Mapping[Language, str] = {"en": "; ", "zh": "\uff1b"}
TABLE = Path(__file__).with_name("zoo.toml")


@dataclass(frozen=True)
class Level:
    """A line of the file: its status, None where it is left out, and the reason with its figures."""

    key: str
    status: str | None
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def because(self, language: Language) -> str:
        """The reason in one sentence."""
        own, gpu = self.facts.get("pair", (None, None))
        unlike = origin.unlike(own, gpu, language) if own else ""
        lost = "".join(f"{SEPARATOR[language]}batch {batch}: {told}" for batch, told in self.facts.get("lost", ()))
        facts = {**self.facts, "unlike": unlike and f"{SEPARATOR[language]}{unlike}", "lost": lost}
        return str(_sentences()[self.reason][language].format(**facts))


def levels(card: ModelCard, known: Iterable[Record]) -> tuple[Level, ...]:
    """All lines, in the order of the zoo's files; `known` is what verdicts are given on, of every cell the newest.

    The chip that the card delivers is judged, tuned or not. Where nothing ran on it, nothing good is said of it.
    """
    known = [r for r in known if r.model == card.key and r.run is None]
    ran, conversion = _function(card, known), _conversion(card, known)
    found = [_precision(card, known), _tuning(card, known), _speed(card, known)]
    if ran.status == "NOK":
        found = [level if level.status == "NOK" else Level(level.key, None, ran.reason, ran.facts) for level in found]
    return (ran, *found, conversion, Level("QuantStatus", None, "quantised"))


def text(found: Iterable[Level]) -> str:
    """The file: `key:status`, a line each, without those that are left out."""
    return "".join(f"{level.key}:{level.status}\n" for level in found if level.status)


def of_ratio(ratio: float) -> str:
    """PerfStatus of so many times the GPU's throughput."""
    return next((status for status, least in STEPS.items() if bound.reached(ratio, least)), "NOK")


def _function(card: ModelCard, known: Sequence[Record]) -> Level:
    soc = card.target.judge
    if ran := _ran(card, known):
        lost = dict.fromkeys((r.batch, r.outcome) for r in _tried(card, known) if r.outcome not in gates.RAN)
        return Level("FuncStatus", "OK", "ran", {"soc": soc, "batches": ", ".join(map(str, ran)), "lost": tuple(lost)})
    return _nothing_ran(card, known, "FuncStatus")


def _conversion(card: ModelCard, known: Sequence[Record]) -> Level:
    if _ran(card, known):
        return Level("ModelConvert", "OK", "converted", {"soc": card.target.judge})
    level = _nothing_ran(card, known, "ModelConvert")
    if level.facts.get("outcome") in ("unsupported", None):
        return level
    return Level("ModelConvert", None, level.reason, level.facts)  # a crash may be the run's, of an OM that was made


def _ran(card: ModelCard, known: Iterable[Record]) -> list[int]:
    """Batch sizes that ran on the delivered chip."""
    return sorted({r.batch for r in _tried(card, known) if r.outcome in gates.RAN and r.batch is not None})


def _tried(card: ModelCard, known: Iterable[Record]) -> list[Record]:
    """What is known of the delivered chip: of runs where there are any, else of its guide; no batch known not to fit."""
    own = [r for r in known if r.soc == card.target.judge and not gates.expected(card, r)]
    return [r for r in own if r.source == "measured"] or own


def _nothing_ran(card: ModelCard, known: Iterable[Record], key: str) -> Level:
    lost = next(iter(_tried(card, known)), None)
    if lost is None:
        return Level(key, None, "unknown", {"soc": card.target.judge})
    told = {"outcome": lost.outcome, "batch": lost.batch, "detail": lost.detail or lost.outcome}
    return Level(key, "NOK", "lost", {"soc": card.target.judge, **told})


def _precision(card: ModelCard, known: Sequence[Record]) -> Level:
    """The worst batch size decides."""
    key, soc, reason = "PrecisionStatus", chips.find(card.target.judge), "accuracy"
    own = [r for r in known if r.metric == "miou" and r.soc == soc.name and r.outcome != "oom"]
    if not own and soc.tuned:
        reason, soc = "untuned", chips.find(soc.atc_name)
        own = [r for r in known if r.metric == "miou" and r.soc == soc.name and r.outcome != "oom"]
    judged = [(r, gates.accuracy(card, [r])) for r in own]
    judged = [(r, verdict) for r, verdict in judged if verdict.outcome != "unjudged"]
    if not judged:
        return Level(key, None, "inaccurate", {"soc": soc.name})
    if lost := next((r for r, _ in judged if r.value is None), None):
        return Level(key, "NOK", "scoreless", {"soc": soc.name, "detail": lost.detail or lost.outcome})
    worst, verdict = min(judged, key=lambda pair: pair[0].value or 0)
    floor = 100 * verdict.figures["required_miou"]
    facts = {"soc": soc.name, "miou": bound.shown(100 * (worst.value or 0), floor, 3), "floor": floor}
    facts["target"] = card.target.miou
    return Level(key, "OK" if verdict.outcome == "passed" else "NOK", reason, facts)


def _speed(card: ModelCard, known: Sequence[Record]) -> Level:
    level = _against_gpu(card, known, "PerfStatus")
    return Level(level.key, of_ratio(level.facts["ratio"]), "ratio", level.facts) if "ratio" in level.facts else level


def _against_gpu(card: ModelCard, known: Sequence[Record], key: str) -> Level:
    """The best batches of the delivered chip and the GPU, without a status yet."""
    own, gpu = gates.best(known, card.target.judge), gates.best(known, GPU)
    if own is None or not own.value:
        return _no_speed(key, card.target.judge, known)
    if gpu is None or not gpu.value:
        unnamed = next((r.soc for r in known if chips.find(r.soc).unnamed), None)
        return Level(key, None, "unnamed" if unnamed else "alone", {"gpu": GPU, "unnamed": unnamed})
    ratio = own.value / gpu.value
    next_step = min((least for least in STEPS.values() if not bound.reached(ratio, least)), default=None)
    facts: dict[str, Any] = {"gpu": GPU, "ratio": ratio, "times": bound.shown(ratio, next_step, 4), "pair": (own, gpu)}
    facts |= {"speed": FORM.format(own.value), "batch": own.batch}
    facts |= {"reference": FORM.format(gpu.value), "other": gpu.batch}
    return Level(key, None, "ratio", facts)


def _no_speed(key: str, soc: str, known: Iterable[Record]) -> Level:
    """Left out: the chip ran unsteadily, or nothing is known."""
    unstable = next((r for r in known if (r.soc, r.metric, r.outcome) == (soc, "throughput", "unstable")), None)
    if unstable is None:
        return Level(key, None, "slow", {"soc": soc})
    return Level(key, None, "unsteady", {"soc": soc, "detail": unstable.detail or unstable.outcome})


def _tuning(card: ModelCard, known: Sequence[Record]) -> Level:
    """OK: at least the GPU's throughput; POK: faster than untuned, slower than the GPU; NOK: nothing gained."""
    key, soc = "AutoTune", chips.find(card.target.judge)
    if not soc.tuned:
        return Level(key, None, "plain", {"soc": soc.name})
    own, before = gates.best(known, soc.name), gates.best(known, soc.atc_name)
    if own is None or not own.value:
        return _no_speed(key, soc.name, known)
    if before is None or not before.value:
        return Level(key, None, "baseless", {"base": soc.atc_name})
    facts = {"speed": FORM.format(own.value), "before": FORM.format(before.value)}
    if own.value <= before.value:
        return Level(key, "NOK", "no gain", facts)
    level = _against_gpu(card, known, key)
    if "ratio" not in level.facts:
        return level
    return Level(key, "OK" if bound.reached(level.facts["ratio"], PAR) else "POK", "tuned", {**level.facts, **facts})


@cache
def _sentences() -> dict[str, Any]:
    return load_toml(TABLE)
