"""Records -> verdicts: pure functions, none of which ever calls an unjudged thing passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from roadworthy.card import ModelCard
from roadworthy.record import Record
from roadworthy.soc import Soc, find

FULL_VAL = 500  # frames of Cityscapes val, which published figures are about
SAME_PIXELS = 0.9999  # exported graph against torch, and a batch size against batch 1
OPERATED_PIXELS = 0.999  # surgery may move a few pixels, no more
REGRESSION = 0.0005  # 0.05 points of mIoU: more than another CPU's rounding, less than any defect


@dataclass(frozen=True)
class Verdict:
    """One judgement: `observed` and `required` are texts with units, `because` one sentence."""

    gate: str
    outcome: Literal["passed", "failed", "unjudged"]
    observed: str
    required: str
    because: str

    def __str__(self) -> str:
        required = f", required {self.required}" if self.required else ""
        return f"{self.gate} {self.outcome}: observed {self.observed}{required}; {self.because}"


def accuracy(card: ModelCard, records: Iterable[Record]) -> Verdict:
    """The card's mIoU against its target: the sample target on sample data, the guide's on all of Cityscapes val."""
    gate = "accuracy"
    own = _last(records, "miou")
    if own is None or own.value is None:
        return _without_value(gate, "miou", own)
    pooled = _last(records, "pooled_miou")
    observed = f"mIoU {own.value:.6f}"
    if pooled is not None and pooled.value is not None:
        observed += f" (pooled {pooled.value:.6f})"
    if card.sample is not None and own.data == card.sample.data:
        target, drop, what = card.sample.miou / 100, card.sample.drop, f"the sample target of {card.path.name}"
        if own.weights and not own.weights.startswith(f"{card.sample.weights}@"):
            what += f", which {card.sample.weights} reaches,"
    elif own.source == "published" or (own.source == "measured" and own.frames == FULL_VAL):
        target, drop, what = card.target.miou / 100, card.target.drop, f"the target of {card.path.name}"
    else:
        because = (
            f"the target {card.target.miou:.2f} % is for the {FULL_VAL} frames of Cityscapes val, not for {own.data}"
        )
        return Verdict(gate, "unjudged", observed, "", because)
    floor = drop.floor(target)
    return _judged(gate, own.value >= floor, observed, f">= {floor:.6f}", f"{what} is {target:.4f}")


def batch_invariance(records: Iterable[Record]) -> Verdict:
    """The same class maps at this batch size as at batch 1."""
    return _agreement(
        "batch invariance", records, "agreement.batch", SAME_PIXELS, "the worst frame against the same frame at batch 1"
    )


def parity(records: Iterable[Record]) -> Verdict:
    """The graph, as exported and after surgery, against the torch module: the worse of the two verdicts."""
    records = list(records)
    exported = _agreement(
        "parity", records, "agreement.exported", SAME_PIXELS, "the exported graph against the torch module, worst frame"
    )
    operated = _agreement(
        "parity", records, "agreement.operated", OPERATED_PIXELS, "the graph after surgery against the torch module"
    )
    if exported.outcome == operated.outcome == "passed":
        observed = f"exported {exported.observed}, after surgery {operated.observed}"
        required = f"{exported.required} and {operated.required}"
        return Verdict("parity", "passed", observed, required, "both graphs against the torch module, worst frame")
    return exported if exported.outcome == "failed" else operated


def regression(records: Iterable[Record], committed: Sequence[Record]) -> Verdict:
    """No worse than the newest committed record of the same model, chip, data and runtime (same batch if there is one)."""
    gate = "regression"
    own = _last(records, "miou")
    if own is None or own.value is None:
        return _without_value(gate, "miou", own)
    observed = f"mIoU {own.value:.6f}"
    same = [
        r
        for r in committed
        if r.value is not None
        and (r.model, r.soc, r.metric, r.runtime) == (own.model, own.soc, own.metric, own.runtime)
        and _same_data(r.data, own.data)
    ]
    if not same:
        because = f"no committed record of {own.model} on {own.soc} with {own.data} and {own.runtime}; --update-records adds one"
        return Verdict(gate, "unjudged", observed, "", because)
    newest = max([r for r in same if r.batch == own.batch] or same, key=lambda r: r.when or "")
    assert newest.value is not None
    floor = newest.value - REGRESSION
    because = f"the committed record of {newest.when} at batch {newest.batch} is {newest.value:.6f}"
    return _judged(gate, own.value >= floor, observed, f">= {floor:.6f}", because)


def ratios(card: ModelCard, soc: Soc, records: Iterable[Record]) -> Verdict:
    """Best batch over best batch against each chip that the card's target names, for the chip that it is about."""
    gate = "throughput"
    records = [r for r in records if r.metric == gate]
    own = best(records, soc.name)
    speed = f"{own.value:.2f} images/s" if own else "nothing"
    if soc.atc_name != find(card.target.judge).atc_name:
        because = f"the card promises ratios of {card.target.judge}, not of {soc.name}"
        return Verdict(gate, "unjudged", speed, "", because)
    if own is None:
        return Verdict(gate, "unjudged", speed, "", f"there is no throughput of {soc.name}")
    observed, told, missing, failed = [], [], [], False
    for other, required in card.target.vs.items():
        reference = best(records, other)
        if reference is None or not own.value or not reference.value:
            missing.append(other)
            continue
        ratio = own.value / reference.value
        failed = failed or ratio < required
        observed.append(f"{ratio:.3f} x {other}")
        told.append(f"{own.value:.2f} images/s at batch {own.batch} over {reference.value:.2f} at {reference.batch}")
        if (own.clock, own.runtime) != (reference.clock, reference.runtime):
            told.append(f"unlike: {own.clock} {own.runtime or ''} against {reference.clock} {reference.runtime or ''}")
    if not failed and (missing or not observed):
        because = (
            f"there is no throughput of {', '.join(missing)} to compare with" if missing else "the card names no chip"
        )
        return Verdict(gate, "unjudged", ", ".join([speed, *observed]), "", because)
    required_text = ", ".join(f">= {ratio} x {other}" for other, ratio in card.target.vs.items())
    return _judged(gate, not failed, ", ".join(observed), required_text, "; ".join(told))


def best(records: Iterable[Record], soc: str) -> Record | None:
    """The record of a chip's best batch, None where it has no throughput."""
    own = [r for r in records if r.soc == soc and r.metric == "throughput" and r.value is not None]
    return max(own, key=lambda r: r.value or 0, default=None)


def _agreement(gate: str, records: Iterable[Record], metric: str, required: float, what: str) -> Verdict:
    own = _last(records, metric)
    if own is None or own.value is None:
        return _without_value(gate, metric, own or next((r for r in records if r.value is None), None))
    return _judged(gate, own.value >= required, f"{own.value:.4%} of pixels", f">= {required:.2%}", what)


def _judged(gate: str, passed: bool, observed: str, required: str, because: str) -> Verdict:  # noqa: FBT001
    return Verdict(gate, "passed" if passed else "failed", observed, required, because)


def _without_value(gate: str, metric: str, own: Record | None) -> Verdict:
    if own is None:
        return Verdict(gate, "unjudged", "nothing", "", f"there is no record of {metric}")
    return Verdict(gate, "failed", own.outcome, "a value", own.detail or own.outcome)


def _same_data(one: str | None, other: str | None) -> bool:
    """By digest and size, behind the last hyphen: a folder may be renamed."""
    return one is not None and other is not None and one.rpartition("-")[2] == other.rpartition("-")[2]


def _last(records: Iterable[Record], metric: str) -> Record | None:
    return next((r for r in reversed(list(records)) if r.metric == metric), None)
