"""Records -> verdicts: pure functions, none of which ever calls an unjudged thing passed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from roadworthy import bound, origin
from roadworthy.card import ModelCard
from roadworthy.record import STANDIN, Record
from roadworthy.soc import Soc, find, socs

FULL_VAL = 500  # frames of Cityscapes val, which published figures are about
SAME_PIXELS = 0.9999  # exported graph against torch, and a batch size against batch 1
OPERATED_PIXELS = 0.999  # surgery may move a few pixels, no more
RAN = ("ok", "unstable")  # a batch that gave results, be its speed steady or not
BROKEN = ("crash", "timeout", "unsupported")  # a batch that was to run alone and gave nothing
REGRESSION = 0.0005  # 0.05 points of mIoU: more than another CPU's rounding, less than any defect


@dataclass(frozen=True)
class Verdict:
    """One judgement: `observed` and `required` are texts with units, `because` one sentence.

    `figures` are numbers of records behind it by their metrics, a `ratio` of two, and what is required of them.
    """

    gate: str
    outcome: Literal["passed", "failed", "unjudged"]
    observed: str
    required: str
    because: str
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)

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
    beside = f" (pooled {pooled.value:.6f})" if pooled is not None and pooled.value is not None else ""
    observed, figures = f"mIoU {own.value:.6f}{beside}", _figures(own, pooled)
    if own.untrained:
        because = f"{own.weights} are made from the parameters' names, not trained; --weights takes {card.weights}"
        return Verdict(gate, "unjudged", observed, "", because, figures)
    sample = card.sample
    if sample is not None and sample.miou is not None and sample.drop is not None and own.data == sample.data:
        target, drop, what = sample.miou / 100, sample.drop, f"the sample target of {card.path.name}"
        if own.weights and not own.weights.startswith(f"{sample.weights}@"):
            what += f", which {sample.weights} reaches,"
    elif own.source == "published" or (own.source == "measured" and own.frames == FULL_VAL):
        target, drop, what = card.target.miou / 100, card.target.drop, f"the target of {card.path.name}"
    else:
        because = (
            f"the target {card.target.miou:.2f} % is for the {FULL_VAL} frames of Cityscapes val, not for {own.data}"
        )
        return Verdict(gate, "unjudged", observed, "", because, figures)
    floor = drop.floor(target)
    figures |= {"required_miou": floor}
    passed, observed = bound.reached(own.value, floor), f"mIoU {bound.shown(own.value, floor, 6)}{beside}"
    return _judged(gate, passed, observed, f">= {floor:.6f}", f"{what} is {target:.4f}", figures)


def batch_invariance(records: Iterable[Record]) -> Verdict:
    """The same class maps at this batch size as at batch 1."""
    return _agreement(
        "batch invariance", records, "agreement.batch", SAME_PIXELS, "the worst frame against the same frame at batch 1"
    )


def parity(records: Iterable[Record]) -> Verdict:
    """The graph, as exported and after surgery, against the torch module that it is made to equal: the worse verdict.

    Where surgery changes what is computed (the card's `export.operated`), how far that moves the class maps is told
    here and judged by accuracy.
    """
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
        because = "both graphs against the torch module, worst frame"
        kept = _last(records, "agreement.kept")
        if kept is not None and kept.value is not None and kept.value < OPERATED_PIXELS:
            because += f"; export and surgery mean to change the network: {kept.value:.2%} of pixels keep its class"
        figures = {**exported.figures, **operated.figures, **_figures(kept)}
        return Verdict("parity", "passed", observed, required, because, figures)
    return min(exported, operated, key=lambda verdict: ("failed", "unjudged", "passed").index(verdict.outcome))


def regression(records: Iterable[Record], before: Sequence[Record], *, committed: bool = True) -> Verdict:
    """No worse than the newest record before of the same model, chip, data and runtime (same batch if there is one).

    These are `committed` ones, or older ones of the same batch size.
    """
    gate = "regression"
    own = _last(records, "miou")
    if own is None or own.value is None:
        return _without_value(gate, "miou", own)
    observed = f"mIoU {own.value:.6f}"
    if own.untrained:
        because = f"{own.weights} are made from the parameters' names, not trained"
        return Verdict(gate, "unjudged", observed, "", because, _figures(own))
    same = [
        r
        for r in before
        if r.value is not None
        and not r.endless
        and (r.model, r.soc, r.metric, r.runtime) == (own.model, own.soc, own.metric, own.runtime)
        and _same_data(r.data, own.data)
    ]
    if not same:
        named, where = f"of {own.model} on {own.soc}", f"with {own.data} and {own.runtime}"
        because = f"no older record {named} at this batch size {where}"
        if committed:
            because = f"no committed record {named} {where}"
            because += "" if own.runtime == STANDIN else "; --update-records adds one"  # of stand-ins none is kept
        return Verdict(gate, "unjudged", observed, "", because, _figures(own))
    newest = max([r for r in same if r.batch == own.batch] or same, key=lambda r: r.when or "")
    assert newest.value is not None
    floor = newest.value - REGRESSION
    because = f"the {'committed' if committed else 'older'} record of {newest.when} at batch {newest.batch} is {newest.value:.6f}"
    figures = {**_figures(own), "required_miou": floor}
    passed, observed = bound.reached(own.value, floor), f"mIoU {bound.shown(own.value, floor, 6)}"
    return _judged(gate, passed, observed, f">= {floor:.6f}", because, figures)


def ratio(card: ModelCard, soc: Soc, other: str, required: float | None, records: Iterable[Record]) -> Verdict:
    """The chip's best batch over the best batch of `other`; told and not judged where no ratio is required."""
    every = [r for r in records if r.metric == "throughput" and r.model == card.key]
    records = [r for r in every if not r.untrained]
    gate = f"throughput against {other}"
    if find(other).unnamed:
        return Verdict(gate, "unjudged", "nothing", "", f"{other} is what a guide calls a chip without naming it")
    own, reference = best(records, soc.name), best(records, other)
    if own is None or not own.value:
        because = f"there is no throughput of {soc.name}"
        if untrained := best([r for r in every if r.untrained], soc.name):
            because += f" with trained weights ({untrained.value:.2f} images/s with {untrained.weights})"
        elif unstable := next((r for r in records if r.soc == soc.name and r.outcome == "unstable"), None):
            because += f" that counts: it never ran steadily ({unstable.detail or unstable.outcome})"
        return Verdict(gate, "unjudged", "nothing", "", because)
    speed = f"{own.value:.2f} images/s at batch {own.batch}"
    if reference is None or not reference.value:
        because = f"there is no throughput of {other} to compare with"
        if unnamed := [r.soc for r in records if find(r.soc).unnamed]:
            because += f"; the guide does not name the {unnamed[0]} that it compares with"
        return Verdict(gate, "unjudged", speed, "", because, _figures(own))
    observed = own.value / reference.value
    figures = {**_figures(own), "reference_throughput": reference.value, "ratio": observed}
    because = f"{speed} over {reference.value:.2f} at {reference.batch} is {bound.shown(observed, required, 4)}"
    if origin.unlike(own, reference):
        because += f"; measured unlike: {origin.way(own)} against {origin.way(reference)}"
    if required is None:
        because = f"no ratio is required by {card.path.name} or a --profile; {because}"
        return Verdict(gate, "unjudged", f"{observed:.3f} x {other}", "", because, figures)
    figures |= {"required_ratio": required}
    passed, told = bound.reached(observed, required), f"{bound.shown(observed, required, 3)} x {other}"
    return _judged(gate, passed, told, f">= {required} x {other}", because, figures)


def memory(card: ModelCard, soc: Soc, batch: int, records: Iterable[Record]) -> Verdict:
    """A batch that does not fit the chip's memory is one that the card knows not to fit.

    `records` are of this chip and batch, of any metric.
    """
    gate = "memory"
    records = list(records)
    lost = next((r for r in records if r.outcome == "oom"), None)
    known = card.target.expects_oom(soc, batch)
    if lost is not None:
        expected = f"{'' if known else 'not '}in target.oom of {card.path.name}"
        because = f"batch {batch} on {soc.name} is {expected}" + (f"; {lost.detail}" if lost.detail else "")
        return _judged(
            gate, known, "out of memory", "to fit" if not known else "to fit, or to be known not to", because
        )
    if broken := next((r for r in records if r.metric == "throughput" and r.outcome in BROKEN), None):
        return Verdict(gate, "failed", broken.outcome, "to fit", broken.detail or broken.outcome)
    if not any(r.outcome in RAN for r in records):
        told = next((r.detail for r in records if r.detail), f"batch {batch} did not run on {soc.name}")
        return Verdict(gate, "unjudged", "nothing", "", told)
    if small := next((r.size for r in records if r.size), None):
        height, width = card.input.shape[1:]
        because = f"drawn frames were judged at {small}; the card's input is {height}x{width}"
        return Verdict(gate, "unjudged", f"fits at {small}", "", because)
    because = f"{card.path.name} expected it not to: its target.oom can lose this batch" if known else "the batch ran"
    return Verdict(gate, "passed", "fits", "to fit", because, _figures(_last(records, "throughput")))


def expected(card: ModelCard, record: Record) -> bool:
    """Whether a record is of a batch that did not fit, as the card knows beforehand."""
    batch = record.batch
    return record.outcome == "oom" and batch is not None and card.target.expects_oom(find(record.soc), batch)


def best(records: Iterable[Record], soc: str) -> Record | None:
    """The record of a chip's best batch, the smallest of equal ones; None where it has no throughput."""
    own = [r for r in records if r.soc == soc and r.metric == "throughput" and r.value is not None]
    return max(own, key=lambda r: (r.value or 0, -(r.batch or 0)), default=None)


def counted(card: ModelCard, records: Iterable[Record]) -> list[Record]:
    """The records without the guide's throughput of delivered chips that ran: their best batch is a measured one.

    Chips that they are compared with keep all: a reference without its best batch would flatter every ratio. A batch
    that is known not to fit is no run.
    """
    records = list(records)
    delivered = {name for name, soc in socs().items() if soc.atc_name == find(card.target.judge).atc_name}
    speeds = [r for r in records if (r.source, r.metric) == ("measured", "throughput")]
    ran = {r.soc for r in speeds if r.soc in delivered and not expected(card, r)}
    return [r for r in records if not (r.soc in ran and (r.source, r.metric) == ("published", "throughput"))]


def _agreement(gate: str, records: Iterable[Record], metric: str, required: float, what: str) -> Verdict:
    own = _last(records, metric)
    if own is None or own.value is None:
        return _without_value(gate, metric, own or next((r for r in records if r.value is None), None))
    observed = f"{bound.shown(100 * own.value, 100 * required, 4)}% of pixels"
    return _judged(gate, bound.reached(own.value, required), observed, f">= {required:.2%}", what, _figures(own))


def _judged(  # noqa: PLR0913, PLR0917  a verdict's fields
    gate: str,
    passed: bool,  # noqa: FBT001
    observed: str,
    required: str,
    because: str,
    figures: Mapping[str, float] | None = None,
) -> Verdict:
    return Verdict(gate, "passed" if passed else "failed", observed, required, because, figures or {})


def _figures(*records: Record | None) -> dict[str, float]:
    """The values of records by their metrics."""
    return {r.metric: r.value for r in records if r is not None and r.value is not None}


def _without_value(gate: str, metric: str, own: Record | None) -> Verdict:
    if own is None:
        return Verdict(gate, "unjudged", "nothing", "", f"there is no record of {metric}")
    if own.outcome == "oom":  # judged by the gate of memory
        return Verdict(gate, "unjudged", "out of memory", "", f"batch {own.batch} did not fit {own.soc}")
    return Verdict(gate, "failed", own.outcome, "a value", own.detail or own.outcome)


def _same_data(one: str | None, other: str | None) -> bool:
    """By digest and size, behind the last hyphen: a folder may be renamed."""
    return one is not None and other is not None and one.rpartition("-")[2] == other.rpartition("-")[2]


def _last(records: Iterable[Record], metric: str) -> Record | None:
    return next((r for r in reversed(list(records)) if r.metric == metric), None)
