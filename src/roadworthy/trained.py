"""Records of training -> verdicts: pure functions of a case and of records, oldest first; none calls an unjudged thing passed.

A case is judged by its newest measured run that followed the recipe, else by its guide; figures of two runs never mix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from roadworthy import bound
from roadworthy import soc as chips
from roadworthy.card import ModelCard
from roadworthy.case import TrainCase
from roadworthy.gates import FULL_VAL, Verdict
from roadworthy.published import RESULT
from roadworthy.record import Record

ABOVE = 0.02  # above linear: guides round to two figures, so 8 x 9.3 and its 8p may be 1.2 % off; the rest is noise
LOST = ("crash", "timeout", "oom", "unsupported")  # a run that gave nothing
FIGURES = {"train.miou": ("mIoU", "{:.4f}"), "train.throughput": ("images/s", "{:.5g}")}
WORK = {"batch": "batch {} a device against {}", "precision": "{} against {}", "crop": "crops of {} against {}"}
Part = tuple[Literal["passed", "failed", "unjudged", ""], str, str, float | None]  # outcome, observed, because, ratio


def figures(case: TrainCase, records: Iterable[Record]) -> dict[str, Record]:
    """The case's figures by metric, of the one run that is judged; empty where there is none.

    Measured runs come before the guide's, those that followed the recipe before those of a search.
    """
    cell = (case.card.key, case.soc.name, case.devices)
    rows = [r for r in records if r.metric.startswith("train.") and (r.model, r.soc, r.devices) == cell]
    rows = [r for r in rows if r.source != "published"] or rows
    rows = [r for r in rows if _follows(r)] or rows
    return {r.metric: r for r in rows if _one_run(r, rows[-1])}


def accuracy(case: TrainCase, records: Iterable[Record]) -> Verdict:
    """The mIoU after the last epoch against the target of the card's training, on all of Cityscapes val."""
    gate, card, own = "training accuracy", case.card, figures(case, records)
    observed = _scores(own)
    if why := _searched(own):
        lost = _lost(own)
        return Verdict(gate, "unjudged", observed, "", f"{why}; {lost.detail}" if lost else why)
    if lost := _lost(own):
        return Verdict(gate, "failed", _outcome(lost), "a value", lost.detail or _outcome(lost))
    miou = own.get("train.miou")
    if miou is None or miou.value is None:
        return Verdict(gate, "unjudged", observed, "", _absent(case, own, "train.miou"))
    target = card.train.target if card.train is not None else None
    if target is None:
        return Verdict(gate, "unjudged", observed, "", f"{card.path.name} asks for no mIoU: it has no [train.target]")
    if not _on_val(miou):
        because = f"the target {target.miou:.2f} % is for the {FULL_VAL} frames of Cityscapes val, not for {miou.data}"
        return Verdict(gate, "unjudged", observed, "", because)
    floor = target.drop.floor(target.miou / 100)
    because = f"the training target of {card.path.name} is {target.miou / 100:.4f}"
    asked = {"train.miou": miou.value, "required_miou": floor}
    outcome: Literal["passed", "failed"] = "passed" if bound.reached(miou.value, floor) else "failed"
    return Verdict(gate, outcome, _scores(own, floor), f">= {floor:.6f}", because, asked)


def against(case: TrainCase, other: str, share: float, records: Iterable[Record]) -> Verdict:
    """At least this share of the mIoU and of the images/s that `other` has on as many devices, measured or by its guide.

    The worse of the two decides. What `other` has no figure of is not asked for.
    """
    gate, records = f"training against {other}", list(records)
    rival = replace(case, soc=chips.find(other))
    own, theirs = figures(case, records), figures(rival, (r for r in records if _follows(r)))
    if why := _searched(own):
        return Verdict(gate, "unjudged", _scores(own), "", why)
    parts = [_compared(metric, case, own, rival, theirs, share) for metric in FIGURES]
    outcomes = {outcome for outcome, *_ in parts} - {""}
    outcome = next((o for o in ("failed", "unjudged", "passed") if o in outcomes), "unjudged")
    told = [sentence for _, _, sentence, _ in parts]
    if theirs and chips.find(other).unnamed and any(r.source == "published" for r in theirs.values()):
        told.append(f"the guide does not name its {other}")
    told += _unlike(case.card, own, theirs)
    observed = " and ".join(text for _, text, *_ in parts if text) or "nothing"
    ratios = [ratio for *_, ratio in parts if ratio is not None]
    required = f">= {share:g} x {_name(rival)}" if ratios else ""
    numbers = {"ratio": min(ratios), "required_ratio": share} if ratios else {}
    return Verdict(gate, outcome, observed, required, "; ".join(told), numbers)  # type: ignore[arg-type]  # one of the three


def scaling(case: TrainCase, records: Iterable[Record]) -> Verdict:
    """Images/s over so many times those of one device of the same chip and source, at the same batch if there is one.

    Above linear fails: one of the two figures has a defect, or they are of different work. Below it fails where the
    card asks for a larger share. Where the card asks for none, and among the processes of a cpu, the share is told and
    not judged: that it is not impossible is no promise kept.
    """
    gate, records = "scaling", list(records)
    own, one = figures(case, records), replace(case, devices=1)
    if why := _searched(own):
        return Verdict(gate, "unjudged", _scores(own), "", why)
    speed = own.get("train.throughput")
    if speed is None or speed.value is None:
        return Verdict(gate, "unjudged", "nothing", "", _absent(case, own, "train.throughput"))
    speeds = [r for r in records if r.metric == "train.throughput" and r.source == speed.source]
    alike = [r for r in speeds if not _unlike(case.card, own, {r.metric: r})]  # a search may hold the fair comparison
    alone = figures(one, alike) or figures(one, filter(_follows, speeds))
    single = alone.get("train.throughput")
    if single is None or not single.value:
        because = f"{_absent(one, alone, 'train.throughput')}, which {case.devices} devices are compared with"
        return Verdict(gate, "unjudged", f"{speed.value:.5g} images/s", "", because)
    share = speed.value / (case.devices * single.value)
    told = bound.shown(share, _asked(case), 4)
    because = f"{speed.value:.5g} images/s against {case.devices} x {single.value:.5g} is {told} of linear"
    return _of_linear(case, share, "; ".join([because, *_unlike(case.card, own, alone)]))


def _of_linear(case: TrainCase, share: float, because: str) -> Verdict:
    asked = _asked(case)
    gate, observed, own = "scaling", f"{bound.shown(share, asked, 3)} of linear", {"ratio": share}
    if case.soc.vendor == "host":  # ten like runs on shared cores: 3.1 to 6.6 images/s
        return Verdict(gate, "unjudged", observed, "", f"{because}; the processes of a host share its cores", own)
    if share > 1 + ABOVE:
        because += "; devices cannot do more together than each alone"
        return Verdict(gate, "failed", observed, f"<= {1 + ABOVE:g} of linear", because, own)
    if asked is None:
        because += f"; {case.card.path.name} requires no share of linear"
        return Verdict(gate, "unjudged", observed, "", because, own)
    outcome: Literal["passed", "failed"] = "passed" if bound.reached(share, asked) else "failed"
    own["required_ratio"] = asked
    return Verdict(gate, outcome, observed, f">= {asked:g} of linear", because, own)


def _asked(case: TrainCase) -> float | None:
    """The share of linear that the card asks for."""
    target = case.card.train.target if case.card.train is not None else None
    return target.scaling if target is not None else None


def _compared(  # noqa: PLR0913, PLR0917  two sides of a comparison
    metric: str,
    case: TrainCase,
    own: Mapping[str, Record],
    rival: TrainCase,
    theirs: Mapping[str, Record],
    share: float,
) -> Part:
    name, form = FIGURES[metric]
    mine, other = own.get(metric), theirs.get(metric)
    if other is None or not other.value:
        return "", "", _absent(rival, theirs, metric), None
    if mine is None or mine.value is None:
        return "unjudged", "", _absent(case, own, metric), None
    figure, reference = form.format(mine.value), form.format(other.value)
    if why := _incomparable(mine, other):
        return "unjudged", f"{name} {figure}", f"{name} {figure} is not compared with {reference}: {why}", None
    ratio = mine.value / other.value
    outcome: Literal["passed", "failed"] = "passed" if bound.reached(ratio, share) else "failed"
    short, long = (bound.shown(ratio, share, decimals) for decimals in (3, 4))
    return outcome, f"{short} x {name}", f"{name} {figure} over {reference} is {long}", ratio


def _incomparable(own: Record, other: Record) -> str:
    """Why two figures are not of the same frames; empty where they are. Images/s depend on their size alone."""
    same = own.data == other.data and own.frames == other.frames
    if (own.metric == "train.miou" or "sample" in (own.source, other.source)) and not same:
        pair = [r for r in (own, other) if not _on_val(r)]
        return f"trained or scored on {' and '.join(str(r.data) for r in pair)}" if pair else ""
    return ""


def _unlike(card: ModelCard, own: Mapping[str, Record], other: Mapping[str, Record]) -> list[str]:
    """In what the work of two runs differs, as far as it is known: one sentence or none."""
    if not own or not other:
        return []
    mine, theirs = (_work(card, next(iter(run.values()))) for run in (own, other))
    known = [key for key in WORK if mine.get(key) is not None and theirs.get(key) is not None]
    differ = [WORK[key].format(mine[key], theirs[key]) for key in known if mine[key] != theirs[key]]
    return [f"the two runs do not do the same work: {', '.join(differ)}"] if differ else []


def _work(card: ModelCard, record: Record) -> Mapping[str, Any]:
    """What one step does: as measured, or for a guide's row as the card's recipe of so many devices has it."""
    if record.source != "published":
        return {**record.settings, "batch": record.batch}
    if card.train is None:
        return {}
    recipe = next((r for r in card.train.recipe.values() if r.devices == record.devices), None)
    height, width = card.train.crop
    return {"batch": recipe and recipe.batch, "precision": card.train.precision, "crop": f"{height}x{width}"}


def _one_run(record: Record, other: Record) -> bool:
    """Whether two records of a case are of one run: it ended once, and left one file of samples."""
    return record.when == other.when or (record.samples is not None and record.samples == other.samples)


def _follows(record: Record) -> bool:
    """Whether a run followed the recipe, and is no part of a search for a better one."""
    return record.settings.get("group") == RESULT


def _searched(own: Mapping[str, Record]) -> str:
    run = next((r for r in own.values() if not _follows(r)), None)
    return f"{run.run} departs from the card's recipe; what is promised is promised of the recipe" if run else ""


def _lost(own: Mapping[str, Record]) -> Record | None:
    return next((r for r in own.values() if r.outcome in LOST), None)


def _outcome(record: Record) -> str:
    return "out of memory" if record.outcome == "oom" else record.outcome


def _scores(own: Mapping[str, Record], floor: float | None = None) -> str:
    """The final mIoU, of which `floor` may be required, and the best."""
    names = {"train.miou": ("mIoU", floor), "train.best_miou": ("best", None)}
    known = {m: own[m].value for m in names if m in own}
    found = [f"{names[m][0]} {bound.shown(value, names[m][1], 6)}" for m, value in known.items() if value is not None]
    return ", ".join(found) or "nothing"


def _absent(case: TrainCase, own: Mapping[str, Record], metric: str) -> str:
    """Why a case has no such figure."""
    there = own.get(metric) or _lost(own)
    reason = f" ({there.detail or _outcome(there)})" if there is not None and there.value is None else ""
    return f"there is no {FIGURES[metric][0]} of {_name(case)}{reason}"


def _name(case: TrainCase) -> str:
    """As guides call it: GPU-8p."""
    return f"{case.soc.name}-{case.devices}p"


def _on_val(record: Record) -> bool:
    return record.source == "published" or (record.source == "measured" and record.frames == FULL_VAL)
