"""What a dry run of a verb shows, and what it finds missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roadworthy import pipeline, rehearsal
from roadworthy.case import Case
from roadworthy.problem import Problem
from roadworthy.soc import find


def test_export_names_weights_passes_and_files(tiny_card, tiny_data, tmp_path):
    """Nothing is written."""
    told = rehearsal.export(tiny_card, None, str(tiny_data), tmp_path / "tiny.onnx")

    assert told[0].startswith("weights of tiny: ")
    assert f"surgery: floor_bn_weights; its effect is shown on a frame of {tiny_data} (5 frames" in told[1]
    assert f"writes {tmp_path}/tiny.onnx (opset 11) and {tmp_path}/tiny.ledger.json" == told[2]
    assert [] == list(tmp_path.iterdir())


def test_preprocess_names_the_first_file_and_the_size_of_each(tiny_card, tiny_data, tmp_path):
    """Of a folder, and of one photograph."""
    frame = next(tiny_data.rglob("*_leftImg8bit.png"))
    first = f"{tmp_path}/in/aachen_000000_000019_leftImg8bit.bin"

    assert [
        f"reads 5 photographs of {tiny_data}",
        f"writes 5 files, {first} first, of 98304 bytes, float32 3x64x128",
    ] == rehearsal.preprocess(tiny_card, tiny_data, tmp_path / "in")
    assert [f"reads {frame}", f"writes {tmp_path}/one.bin of 98304 bytes, float32 3x64x128"] == rehearsal.preprocess(
        tiny_card, frame, tmp_path / "one.bin"
    )
    assert [] == list(tmp_path.iterdir())


def test_score_pairs_the_results_and_reads_none(tiny_card, tiny_data, tmp_path):
    """Files that hold nothing pass, a missing one is named."""
    dataset = pipeline.open_data(str(tiny_data), tiny_card)
    for frame in dataset.frames:
        np.zeros(1, np.float16).tofile(tmp_path / f"{frame.stem}_leftImg8bit_0.bin")
    first = f"{tmp_path}/{dataset.frames[0].stem}_leftImg8bit_0.bin"

    assert [
        f"reads 5 results, {first} first",
        f"compared at the input size with 5 labels of {tiny_data}",
    ] == rehearsal.score(tiny_card, tmp_path, dataset)
    Path(first).unlink()
    with pytest.raises(Problem, match="1 of 5 results are missing"):
        rehearsal.score(tiny_card, tmp_path, dataset)


def test_score_says_at_which_size_it_compares(tiny_card, tiny_data, tmp_path):
    """The network's input, or the photograph's size."""
    full = replace(tiny_card, scoring=replace(tiny_card.scoring, compare="full"))
    dataset = pipeline.first_of(pipeline.open_data(str(tiny_data), tiny_card), 1)
    np.zeros(1, np.float16).tofile(tmp_path / f"{dataset.frames[0].stem}_leftImg8bit_0.bin")

    assert "compared at full size with 1 labels" in rehearsal.score(full, tmp_path, dataset)[1]


def test_evaluate_shows_the_plan_of_its_case(tiny_card, tiny_data):
    """Weights, frames, then the commands."""
    told = rehearsal.evaluate(Case(tiny_card, find("Ascend310P3"), 4), str(tiny_data), None, 3)

    assert told[0].startswith("weights of tiny: ")
    assert f"frames: {tiny_data} (5 frames, drawn by roadworthy)" == told[1]
    assert "--soc Ascend310P3 --batch 4 --device 3" in told[-1]


@pytest.mark.parametrize(
    ("rehearse", "told"),
    [
        (lambda card, data: rehearsal.export(card, Path("none.pth"), data, Path("o.onnx")), "none.pth: there is no"),
        (lambda card, _: rehearsal.export(card, None, "nowhere", Path("o.onnx")), "nowhere: no photographs"),
        (lambda card, _: rehearsal.preprocess(card, Path("none.png"), Path("o.bin")), "none.png: there is no such"),
        (lambda card, _: rehearsal.preprocess(card, Path(__file__), Path()), r"\.: is a folder"),
        (
            lambda card, data: rehearsal.preprocess(card, Path(data), Path(__file__)),
            r"\.py: is a file; the inputs of a data set",
        ),
        (
            lambda card, data: rehearsal.evaluate(Case(card, find("cpu"), 1), data, Path("none.pth"), None),
            "none.pth: there is no",
        ),
        (lambda card, _: rehearsal.evaluate(Case(card, find("cpu"), 1), "nowhere", None, None), "nowhere: no photo"),
    ],
)
def test_what_is_not_there_is_told_before_the_run(tiny_card, tiny_data, rehearse, told):
    """One sentence that names it."""
    with pytest.raises(Problem, match=told):
        rehearse(tiny_card, str(tiny_data))
