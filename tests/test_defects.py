"""One thing broken at a time: the whole road runs for real, and a gate turns red."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roadworthy import gates, worker
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.data import decode, preprocess, stream
from roadworthy.gates import Verdict
from roadworthy.record import Record
from roadworthy.run import Run
from roadworthy.runtimes import onnxruntime
from roadworthy.score import postprocess
from roadworthy.soc import find
from roadworthy.workshop import Manner

BATCHES = (1, 4)  # five frames: the second batch of four holds one frame and three places of padding


@pytest.fixture(scope="module")
def judge_all(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Verdict]]:
    """All verdicts of an acceptance run of a card."""

    def judged(card: ModelCard, committed: list[Record]) -> list[Verdict]:
        run = Run(tmp_path_factory.mktemp("run"), str(tiny_data), None, Manner(call=worker.here))
        cases = [Case(card, find("cpu"), batch) for batch in BATCHES]
        verdicts = [gates.parity(run.parity(cases[0])), gates.batch_invariance(run.batch_agreement(cases[1]))]
        for case in cases:
            records = run.accuracy(case)
            verdicts += [gates.accuracy(card, records), gates.regression(records, committed)]
        judged.records = run.records
        return verdicts

    return judged


@pytest.fixture(scope="module")
def healthy(judge_all: Callable[..., list[Verdict]], tiny_card: ModelCard) -> list[Record]:
    """The records of a run with nothing broken."""
    judge_all(tiny_card, [])
    return judge_all.records


def swap_channels(patch: pytest.MonkeyPatch) -> None:
    """Blue, green, red."""
    good = decode.read_image
    patch.setattr(decode, "read_image", lambda path: np.ascontiguousarray(good(path)[..., ::-1]))


def add_mean_and_std(patch: pytest.MonkeyPatch) -> None:
    """ImageNet's normalisation after a recipe that has none."""
    good = preprocess.recipe
    mean, std = np.float32([[0.485], [0.456], [0.406]]), np.float32([[0.229], [0.224], [0.225]])
    patch.setattr(preprocess, "recipe", lambda card: replace(good(card), table=(good(card).table - mean) / std))


def shift_labels(patch: pytest.MonkeyPatch) -> None:
    """Every label is that of the next class."""
    good = decode.read_label

    def shifted(path: Path, kind: str) -> np.ndarray:
        label = good(path, kind)
        return np.where(label < 19, (label + 1) % 19, label).astype(np.uint8)

    patch.setattr(decode, "read_label", shifted)


def resize_labels_bilinearly(patch: pytest.MonkeyPatch) -> None:
    """Classes are invented between two ids."""

    def bilinear(label: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return np.asarray(Image.fromarray(label).resize(size[::-1], Image.Resampling.BILINEAR))

    patch.setattr(decode, "resize_label", bilinear)


def resize_input_by_nearest(patch: pytest.MonkeyPatch) -> None:
    """Every second pixel instead of an average."""
    good = preprocess.apply

    def nearest(recipe: preprocess.Recipe, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        return good(replace(recipe, size=None), np.ascontiguousarray(image[1::2, 1::2]), out)

    patch.setattr(preprocess, "apply", nearest)


def leave_out_void(patch: pytest.MonkeyPatch) -> None:
    """Argmax over 19 channels of 20."""
    good = postprocess.tally
    patch.setattr(postprocess, "tally", lambda output, *rest: good(output[:19], *rest))


def score_padding(patch: pytest.MonkeyPatch) -> None:
    """The last frame of a padded batch counts twice."""
    good = stream.batches

    def padded(card: ModelCard, dataset: object, size: int, **more: bool) -> object:
        for batch in good(card, dataset, size, **more):
            twice = len(batch.frames) < size
            yield replace(
                batch,
                frames=batch.frames + batch.frames[-1:] * twice,
                labels=batch.labels + batch.labels[-1:] * twice,
            )

    patch.setattr(stream, "batches", padded)


def skip_a_frame(patch: pytest.MonkeyPatch) -> None:
    """The second frame is never seen."""
    good = stream.batches
    patch.setattr(
        stream,
        "batches",
        lambda card, data, size, **more: good(
            card, replace(data, frames=data.frames[:1] + data.frames[2:]), size, **more
        ),
    )


def return_the_previous_batch(patch: pytest.MonkeyPatch) -> None:
    """A session that is one batch behind."""
    good = onnxruntime.Session.run

    def late(self: onnxruntime.Session, batch: np.ndarray) -> list[np.ndarray]:
        outputs = good(self, batch)
        self.behind, outputs = outputs, getattr(self, "behind", outputs)
        return outputs

    patch.setattr(onnxruntime.Session, "run", late)


DEFECTS = [
    swap_channels,
    add_mean_and_std,
    shift_labels,
    resize_labels_bilinearly,
    resize_input_by_nearest,
    leave_out_void,
    score_padding,
    skip_a_frame,
    return_the_previous_batch,
]


def test_with_nothing_broken_every_gate_passes(judge_all, tiny_card, healthy):
    """The run that the defects are compared with is green, with its own records committed."""
    verdicts = judge_all(tiny_card, healthy)

    assert ["passed"] * 6 == [v.outcome for v in verdicts], "\n".join(map(str, verdicts))


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_defect_turns_a_gate_red(defect, judge_all, tiny_card, healthy, monkeypatch):
    """Whatever is broken, at least one verdict is `failed`."""
    defect(monkeypatch)

    verdicts = judge_all(tiny_card, healthy)

    assert "failed" in [v.outcome for v in verdicts], "\n".join(map(str, verdicts))


def test_a_batch_norm_floored_at_one_turns_parity_red(judge_all, tiny_card, healthy):
    """Surgery that changes the network is seen by the graph's comparison with torch."""
    broken = replace(tiny_card, surgery=({**tiny_card.surgery[0], "floor": 1.0},))

    verdicts = judge_all(broken, healthy)

    assert "failed" == verdicts[0].outcome, str(verdicts[0])
