"""Worst frames from the command to the file: photograph, label and prediction that give the mIoU they are kept for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roadworthy import evaluations, frames, pipeline, record, worker
from roadworthy.__main__ import main
from roadworthy.case import Case
from roadworthy.data.cityscapes import Dataset, Frame
from roadworthy.record import Record
from roadworthy.run import Run
from roadworthy.score.worst import Seen
from roadworthy.soc import find
from roadworthy.workshop import Manner, Share


def of(rows: list[Record], metric: str) -> Record:
    """The one record of a metric."""
    (found,) = [row for row in rows if row.metric == metric]
    return found


def kept(folder: Path) -> tuple[Record, dict[str, np.ndarray]]:
    """The record of the worst frames of a run's folder, and the arrays that it names."""
    found = of(record.read(folder / "records.jsonl"), "frame.miou")
    with np.load(folder / found.samples) as arrays:
        return found, dict(arrays)


def recounted(label: np.ndarray, prediction: np.ndarray) -> float:
    """MIoU of a frame from its pixels, class by class."""
    counted = label != 255
    ious = []
    for one in range(19):
        true, said = counted & (label == one), counted & (prediction == one)
        if (true | said).any():
            ious.append((true & said).sum() / (true | said).sum())
    return float(np.mean(ious))


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, tiny_models, tiny_data):
    """Evaluates the small model with some words; gives the folder of the run."""

    def run(*words: object) -> Path:
        out = tmp_path_factory.mktemp("run")
        command = ["evaluate", "tiny", "--data", tiny_data, "--models", tiny_models, "--out", out, *words]
        assert main([*map(str, command)]) == 0
        return out

    return run


@pytest.fixture(scope="module")
def worst_three(evaluated) -> Path:
    """The three worst of five frames, in torch."""
    return evaluated("--keep-frames", 3)


def test_the_worst_frames_give_the_miou_that_they_are_kept_for(worst_three):
    """Recounted from the pixels of label and prediction; the record's value is that of the worst."""
    row, arrays = kept(worst_three)
    found = [recounted(*pair) for pair in zip(arrays["labels"], arrays["predictions"], strict=True)]

    assert pytest.approx(found, abs=1e-12) == arrays["mious"].tolist()
    assert sorted(found) == found
    assert row.value == arrays["mious"][0]
    assert 255 == arrays["labels"].max()
    assert 19 == arrays["predictions"].max()  # the small model calls some of its frames void


def test_they_are_the_worst_of_all_frames(worst_three):
    """By the matrices of all frames that the run left."""
    mious = of(record.read(worst_three / "records.jsonl"), "miou")
    with np.load(worst_three / mious.samples) as matrices:
        hit = np.diagonal(matrices["matrices"], axis1=1, axis2=2)
        union = matrices["matrices"].sum(2) + matrices["matrices"][:, :, :19].sum(1) - hit
        every = [float(np.mean(h[u > 0] / u[u > 0])) for h, u in zip(hit, union, strict=True)]
        stems = matrices["stems"][np.argsort(every, kind="stable")]
    _, arrays = kept(worst_three)

    assert stems[:3].tolist() == arrays["stems"].tolist()


def test_the_arrays_are_those_of_the_contract(worst_three, tiny_data):
    """Names, types and shapes that readers of the file rely on; photographs are those of the frames."""
    row, arrays = kept(worst_three)
    stem = arrays["stems"][0]
    (path,) = (tiny_data / "leftImg8bit").rglob(f"{stem}_*.png")

    assert row.samples.startswith("samples/tiny-bs1-cpu-frames-")
    assert {
        "stems": ("U", (3,)),
        "mious": ("f", (3,)),
        "photographs": ("u", (3, 128, 256, 3)),
        "labels": ("u", (3, 64, 128)),
        "predictions": ("u", (3, 64, 128)),
    } == {name: (array.dtype.kind, array.shape) for name, array in arrays.items()}
    assert ["float64", "uint8"] == [arrays[name].dtype.name for name in ("mious", "labels")]
    assert np.array_equal(np.asarray(Image.open(path)), arrays["photographs"][0])


def test_the_record_is_of_the_cell_of_the_miou(worst_three):
    """Same model, chip, batch, runtime, data, weights, time and environment: only metric, value and file differ."""
    rows = record.read(worst_three / "records.jsonl")
    miou, worst = of(rows, "miou"), of(rows, "frame.miou")
    differ = [name for name in vars(miou) if getattr(miou, name) != getattr(worst, name)]

    assert ["metric", "value", "samples"] == differ
    assert "miou" == rows[0].metric


@pytest.mark.parametrize("words", [("--soc", "cpu", "--batch", 4), ("--runtime", "onnxruntime", "--batch", 2)])
def test_the_graph_keeps_the_same_frames_at_any_batch(evaluated, worst_three, words):
    """The last batch is padded, and padding is no frame."""
    _, torch = kept(worst_three)
    _, graph = kept(evaluated("--keep-frames", 3, *words))

    assert torch["stems"].tolist() == graph["stems"].tolist()
    assert np.array_equal(torch["labels"], graph["labels"])
    assert (torch["predictions"] == graph["predictions"]).mean() > 0.9999


def test_all_frames_are_kept_where_there_are_no_more(evaluated):
    """Each once."""
    _, arrays = kept(evaluated("--keep-frames", 99))

    assert 5 == len(set(arrays["stems"].tolist())) == len(arrays["labels"])


def test_nothing_is_kept_by_default_and_the_figures_are_the_same(evaluated, worst_three, capsys):
    """Neither record nor file; the JSON of `evaluate` does not change."""
    capsys.readouterr()
    out = evaluated("--json")
    plain = capsys.readouterr().out
    evaluated("--json", "--keep-frames", 2)
    with_frames = capsys.readouterr().out
    timed = '"seconds_per_frame"'

    assert ["miou", "pooled_miou"] == [row.metric for row in record.read(out / "records.jsonl")]
    assert [] == list(out.glob("samples/*frames*"))
    assert of(record.read(worst_three / "records.jsonl"), "miou").value == record.read(out / "records.jsonl")[0].value
    assert [part for part in plain.split(", ") if timed not in part] == [
        part for part in with_frames.split(", ") if timed not in part
    ]


def test_shares_of_the_frames_keep_the_worst_of_all(worst_three, tiny_models, tiny_data, tmp_path):
    """Two processes under torchrun leave what one leaves, whichever of them met a frame."""
    words = ["evaluate", "tiny", "--data", tiny_data, "--models", tiny_models, "--out", tmp_path, "--keep-frames", 3]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "roadworthy", *map(str, words)]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    _, alone = kept(worst_three)
    _, shared = kept(tmp_path)

    assert alone.keys() == shared.keys()
    for name, array in alone.items():
        assert np.array_equal(array, shared[name]), name


def test_of_all_processes_the_worst_are_sent_and_ordered():
    """A frame that another process's are worse than is not sent."""
    every, sent = {"a": 0.4, "b": 0.9, "c": 0.1, "d": 0.2}, []
    blank = np.zeros((2, 2), np.uint8)
    seen = {stem: Seen(stem, miou, blank, blank) for stem, miou in every.items()}
    matrices = np.zeros((4, 19, 20), np.int64)
    for matrix, miou in zip(matrices, every.values(), strict=True):
        matrix[3, 3], matrix[3, 19] = round(10 * miou), 10 - round(10 * miou)
    whole = evaluations.Evaluation(tuple(every), matrices, (), (), "none", 1)

    def gathered(own: list[Seen]) -> list[list[Seen]]:
        sent.append([one.stem for one in own])
        return [own, [seen["d"]]]

    found = frames.of_all(whole, [seen["c"], seen["a"], seen["b"]], Share(0, 2, gathered), 3)

    assert [["c", "a"]] == sent
    assert ["c", "d", "a"] == [one.stem for one in found]


def test_a_case_that_is_lost_keeps_no_frames(tiny_card, tiny_data, tmp_path, monkeypatch):
    """One record that says why."""

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pipeline, "evaluate", full)
    run = Run(tmp_path, str(tiny_data), None, Manner(call=worker.here, keep_frames=2))

    assert [("miou", "oom")] == [(r.metric, r.outcome) for r in run.accuracy(Case(tiny_card, find("cpu"), 1))]
    assert not (tmp_path / "samples").exists()


def test_photographs_are_reduced_and_all_of_one_size(tmp_path):
    """To 512 columns in their proportion, the size of the first; labels of another size are brought to its too."""
    found = []
    for name, width, colour in (("a", 2048, "red"), ("b", 1024, "blue")):
        Image.new("RGB", (width, width // 2), colour).save(tmp_path / f"{name}.png")
        found.append(Frame(name, tmp_path / f"{name}.png", tmp_path, "labelTrainIds"))
    seen = [
        Seen("a", 0.1, np.full((1024, 2048), 3, np.uint8), np.full((1024, 2048), 4, np.uint8)),
        Seen("b", 0.2, np.full((512, 1024), 5, np.uint8), np.full((512, 1024), 6, np.uint8)),
    ]
    arrays = frames.arrays(seen, Dataset(tmp_path, "val", tuple(found)))

    assert (2, 256, 512, 3) == arrays["photographs"].shape
    assert [[255, 0, 0], [0, 0, 255]] == arrays["photographs"][:, 9, 9].tolist()
    assert (2, 1024, 2048) == arrays["labels"].shape == arrays["predictions"].shape
    assert [(3, 4), (5, 6)] == list(zip(arrays["labels"][:, 7, 7], arrays["predictions"][:, 7, 7], strict=True))


def test_a_negative_number_is_told_in_one_sentence(tiny_models, tiny_data, capsys):
    """Before anything is read."""
    words = ["evaluate", "tiny", "--data", str(tiny_data), "--models", str(tiny_models), "--keep-frames", "-1"]
    status = main(words)

    assert 2 == status
    assert "roadworthy: --keep-frames -1: it must be 0 (none is kept) or more\n" == capsys.readouterr().err
