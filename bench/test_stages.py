"""Each stage beside a plain way of doing the same, in one run, as a ratio; `pytest bench -k stages` prints them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from roadworthy import card as cards
from roadworthy import measure, pipeline, soc
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.data import decode, preprocess, stream
from roadworthy.data.cityscapes import Dataset, Frame
from roadworthy.runtimes import onnxruntime
from roadworthy.score import postprocess

Compare = Callable[..., float]


@pytest.fixture(scope="module")
def erfnet() -> ModelCard:
    """ERFNet's card."""
    return cards.find([cards.builtin_models()])["erfnet"]


@pytest.fixture(scope="module")
def dataset(erfnet: ModelCard) -> Dataset:
    """The sample frames."""
    return pipeline.open_data("sample", erfnet)


@pytest.fixture(scope="module")
def logits() -> NDArray[np.float32]:
    """One frame of ERFNet's size."""
    return np.random.default_rng(0).normal(0, 1, (20, 512, 1024)).astype(np.float32)


@pytest.fixture(scope="module")
def label(dataset: Dataset) -> NDArray[np.uint8]:
    """A label of ERFNet's size."""
    frame = dataset.frames[0]
    return decode.resize_label(decode.read_label(frame.label, frame.label_kind), (512, 1024))


def plain_score(output: NDArray[Any], label: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Argmax and bincount."""
    seen = label < 19
    return np.bincount(label[seen] * 20 + output.argmax(0)[seen], minlength=380).reshape(19, 20)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_stages_score_in_memory(
    compare: Compare, logits: NDArray[np.float32], label: NDArray[np.uint8], dtype: Any
) -> None:
    """Logits and label in memory to a matrix, on one thread."""
    output = logits.astype(dtype)
    compare(
        f"score a frame in memory, {np.dtype(dtype)}, against numpy",
        lambda: postprocess.tally(output, label),
        lambda: plain_score(output, label),
        apart=True,
    )


def test_stages_score_a_file(compare: Compare, dataset: Dataset, logits: NDArray[np.float32], tmp_path: Path) -> None:
    """A float16 result file and a label file to a matrix, on one thread."""
    path, frame = tmp_path / "result.bin", dataset.frames[0]
    logits.astype(np.float16).tofile(path)

    def ours() -> NDArray[np.int64]:
        truth = decode.resize_label(decode.read_label(frame.label, frame.label_kind), (512, 1024))
        return postprocess.tally(postprocess.read_output(path, (20, 512, 1024), "logits"), truth)

    def plain() -> NDArray[np.int64]:
        truth = np.asarray(Image.open(frame.label).resize((1024, 512), Image.Resampling.NEAREST))
        return plain_score(np.fromfile(path, np.float16).reshape(20, 512, 1024), truth)

    compare("score a float16 file with its label, against numpy and Pillow", ours, plain, rounds=10)


def test_stages_preprocess(compare: Compare, erfnet: ModelCard, dataset: Dataset) -> None:
    """A photograph to the network's input, on one thread."""
    path, recipe = dataset.frames[0].image, preprocess.recipe(erfnet)

    def plain() -> NDArray[np.float32]:
        image = Image.open(io.BytesIO(path.read_bytes())).convert("RGB").resize((1024, 512), Image.Resampling.BILINEAR)
        return np.ascontiguousarray((np.asarray(image, np.float32) / 255).transpose(2, 0, 1))

    ours = lambda: preprocess.apply(recipe, decode.read_image(path))  # noqa: E731
    compare("pre-process a photograph, against Pillow and numpy", ours, plain, rounds=10)


@pytest.fixture(scope="module")
def session(erfnet: ModelCard) -> onnxruntime.Session:
    """ERFNet with its sample weights at batch 4."""
    graph = pipeline.prepare(erfnet, pipeline.weights_file(erfnet, None))
    return onnxruntime.Session(graph.files[-1], 4)


def test_stages_accuracy_run(
    compare: Compare, erfnet: ModelCard, dataset: Dataset, session: onnxruntime.Session
) -> None:
    """An accuracy run against the bare session calls on the same frames, and PNG decoding on all cores."""
    case = Case(erfnet, soc.find("cpu"), 4)
    inputs = [batch.inputs for batch in stream.batches(erfnet, dataset, 4)]

    def decoded(frame: Frame) -> None:
        decode.read_image(frame.image)
        decode.read_label(frame.label, frame.label_kind)

    def bare() -> None:
        for batch in inputs:
            session.run(batch)
        list(stream.in_order(decoded, dataset.frames, len(dataset)))

    compare(
        f"accuracy run of {len(dataset)} frames, against bare session calls and PNG decoding",
        lambda: pipeline.evaluate(case, session, dataset),
        bare,
        rounds=5,
    )


def test_stages_throughput(compare: Compare, session: onnxruntime.Session, erfnet: ModelCard) -> None:
    """The measured call against a bare ONNX Runtime loop on the same input."""
    import onnxruntime as ort  # noqa: PLC0415  the bare way

    frames = np.random.default_rng(0).random((4, *erfnet.input.shape), np.float32)
    options = ort.SessionOptions()
    options.intra_op_num_threads = session.threads
    graph = pipeline.prepare(erfnet, pipeline.weights_file(erfnet, None)).files[-1]
    bare = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    compare(
        "a measured call at batch 4, against a bare ONNX Runtime call",
        lambda: measure.sample(lambda: session.run(frames), 1),
        lambda: bare.run(None, {erfnet.input.name: frames}),
        rounds=12,
    )


def test_stages_memory(dataset: Dataset, benchmark: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Peak memory of an accuracy run over 24 frames and over 240: the same."""
    many = tmp_path / "many"
    for kind, suffix in (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelTrainIds")):
        folder = many / kind / "val" / "sample"
        folder.mkdir(parents=True)
        for index in range(240):
            frame = dataset.frames[index % len(dataset)]
            source = frame.image if kind == "leftImg8bit" else frame.label
            (folder / f"many_{index:06d}_000019_{suffix}.png").symlink_to(source)
    peaks = benchmark.pedantic(lambda: [_peak(dataset.root), _peak(many)], rounds=1)
    ratio = peaks[1] / peaks[0]
    benchmark.group = "stages"
    benchmark.extra_info.update(what="peak memory, 240 frames over 24", mib=peaks, ratio=ratio)
    with capsys.disabled():
        print(f"\npeak memory: {peaks[0]:.0f} MiB for 24 frames, {peaks[1]:.0f} MiB for 240, ratio {ratio:.3f}")  # noqa: T201


def _peak(root: Path) -> float:
    """Peak resident memory (MiB) of `roadworthy evaluate` in a process of its own."""
    command = [sys.executable, "-m", "roadworthy", "evaluate", "erfnet", "--data", str(root), "--batch", "4", "--json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603
    assert running.stdout is not None
    with running.stdout as stream_of_json:
        printed = json.load(stream_of_json)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert (running.returncode, printed["frames"]) in ((0, 24), (0, 240))
    return used.ru_maxrss / 1024
