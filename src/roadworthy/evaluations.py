"""What is left of frames that were scored, and what is counted of it: mIoU by any convention, pixels alike, shares joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roadworthy.card import ModelCard
from roadworthy.classes import CLASSES
from roadworthy.data.cityscapes import Dataset
from roadworthy.lookup import functions
from roadworthy.problem import Problem
from roadworthy.score import agreement, miou
from roadworthy.score.worst import Seen


@dataclass(frozen=True)
class Evaluation:
    """Every frame scored: matrices (N, 19, 20) in the order of `stems`, class maps of the first frames.

    `worst` has as many of the worst frames as were asked for, worst first, with label and class map.
    `seconds` are those of the whole stream, from the first file that is read to the last score; None where results
    were read from files.
    """

    stems: tuple[str, ...]
    matrices: NDArray[np.int64]
    maps: tuple[NDArray[np.uint8], ...]
    digests: tuple[int, ...]  # of the class maps of all frames
    provider: str
    threads: int
    facts: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None
    worst: tuple[Seen, ...] = ()


def share(dataset: Dataset, rank: int, world: int) -> Dataset:
    """Every `world`-th frame from number `rank` on: what one of `world` processes evaluates."""
    return replace(dataset, frames=dataset.frames[rank::world])


def joined(parts: Sequence[Evaluation | None]) -> Evaluation:
    """The evaluations of all shares, in the order of their ranks (None: a share without frames), as one of all frames.

    Class maps and the worst frames are left behind.
    """
    found = [part for part in parts if part is not None]
    stems: list[str] = [""] * sum(len(part.stems) for part in found)
    digests = [0] * len(stems)
    matrices = np.empty((len(stems), *found[0].matrices.shape[1:]), np.int64)
    for rank, part in enumerate(found):
        stems[rank :: len(parts)] = part.stems
        digests[rank :: len(parts)] = part.digests
        matrices[rank :: len(parts)] = part.matrices
    seconds = max((part.seconds for part in found if part.seconds is not None), default=None)
    own = {"stems": tuple(stems), "matrices": matrices, "digests": tuple(digests), "seconds": seconds}
    return replace(found[0], maps=(), worst=(), **own)  # type: ignore[arg-type]


def same_pixels(a: Evaluation, b: Evaluation) -> float:
    """Share of pixels with the same class in the frame where two evaluations agree least; 0 for unlike frames."""
    if a.stems != b.stems:
        return 0.0
    return agreement.worst_frame((a.maps, b.maps), (a.matrices, b.matrices), (a.digests, b.digests))


def score(card: ModelCard, evaluation: Evaluation) -> miou.Score:
    """The evaluation's mIoU by the card's convention."""
    found: miou.Score = card.lookup(card.scoring.average, miou)(evaluation.matrices)
    return found


def pixel_accuracy(evaluation: Evaluation) -> float:
    """Share of the labelled pixels of all frames that have the right class (0..1); a void prediction is a miss.

    Raises Problem where no pixel is labelled.
    """
    total = evaluation.matrices.sum(axis=0)
    labelled = int(total.sum())
    if not labelled:
        frames = len(evaluation.stems)
        raise Problem(f"no pixel of the {frames} frames has a label of the 19 classes; there is no pixel accuracy")
    return int(np.trace(total)) / labelled


def conventions(card: ModelCard, wanted: str) -> list[str]:
    """The names of the card's own convention (`card`), of `all`, or of one; raises Problem for an unknown one."""
    known = functions(miou)
    names = {"card": [card.scoring.average], "all": known}.get(wanted, [wanted])
    if wanted not in ("card", "all", *known):
        raise Problem(f"--convention {wanted}: there is no such convention; known: card, all, {', '.join(known)}")
    return names


def scores(card: ModelCard, evaluation: Evaluation, names: list[str]) -> list[dict[str, Any]]:
    """The JSON objects of `score` and `evaluate`, one for every convention named.

    `seconds_per_frame` is there where frames were streamed through a session, by the wall clock.
    """
    pooled, frames = miou.pooled(evaluation.matrices).miou, len(evaluation.stems)
    accuracy, seconds = pixel_accuracy(evaluation), evaluation.seconds
    speed = {} if seconds is None else {"seconds_per_frame": seconds / frames}
    rows = []
    for name in names:
        found: miou.Score = card.lookup(name, miou)(evaluation.matrices)
        rows.append(
            {
                "model": card.key,
                "convention": name,
                "miou": found.miou,
                "pooled_miou": pooled,
                "pixel_accuracy": accuracy,
                "note": found.note,
                "frames": frames,
                **speed,
                "iou": list(found.iou),
                "classes": list(CLASSES),
            }
        )
    return rows
