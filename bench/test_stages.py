"""Each stage beside a plain way of doing the same, in one run, as a ratio; `pytest bench -k stages` prints them."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
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
    """Argmax of logits, and bincount."""
    seen = label < 19
    classes = output.argmax(0) if output.ndim == 3 else output
    return np.bincount(label[seen] * 20 + classes[seen], minlength=380).reshape(19, 20)


STORED = {"erfnet": np.float16, "icnet": np.float32, "deeplabv3": np.int64, "hrnet": np.float32}  # in result files


@pytest.fixture(params=STORED)
def card(request: pytest.FixtureRequest) -> ModelCard:
    """The card of each network in turn."""
    return cards.find([cards.builtin_models()])[request.param]


def compared_size(card: ModelCard, label: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) at which prediction and label are compared."""
    height, width = card.input.shape[1:] if card.scoring.compare == "input" else label
    return height, width


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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch on a single thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_stages_score_a_file(compare: Compare, dataset: Dataset, tmp_path: Path, card: ModelCard) -> None:
    """A result file and a label file to a matrix, on one thread."""
    path, frame, stored = tmp_path / "result.bin", dataset.frames[0], STORED[card.key]
    shape, kind = card.output_shape, card.output.kind
    size = compared_size(card, (1024, 2048))
    rng = np.random.default_rng(0)
    made = rng.integers(0, 19, shape) if kind == "classes" else rng.standard_normal(shape, np.float32)
    made.astype(stored).tofile(path)

    def ours() -> NDArray[np.int64]:
        truth = decode.resize_label(decode.read_label(frame.label, frame.label_kind), size)
        return postprocess.tally(postprocess.read_output(path, shape, kind), truth)

    def plain() -> NDArray[np.int64]:
        image = Image.open(frame.label)
        truth = np.asarray(image.resize(size[::-1], Image.Resampling.NEAREST) if image.size != size[::-1] else image)
        output = np.fromfile(path, stored).reshape(shape)
        if kind == "logits" and shape[1:] != size:
            large = torch.nn.functional.interpolate(
                torch.from_numpy(output)[None], size, mode="bilinear", align_corners=True
            )
            output = large[0].numpy()
        return plain_score(output, truth)

    what = f"{card.key}: score a {np.dtype(stored)} file with its label, against numpy, Pillow and torch"
    compare(what, ours, plain, rounds=10 if card.key == "erfnet" else 5)
    path.unlink()  # up to 160 MB, which pytest would keep for three runs


def test_stages_preprocess(compare: Compare, dataset: Dataset, card: ModelCard) -> None:
    """A photograph to the network's input, on one thread."""
    path, spec, recipe = dataset.frames[0].image, card.input, preprocess.recipe(card)

    def plain() -> NDArray[np.float32]:
        image = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
        if "resize" in spec.steps:
            image = image.resize((spec.shape[2], spec.shape[1]), Image.Resampling.BILINEAR)
        pixels = np.asarray(image, np.float32) / np.float32(255 if "scale" in spec.steps else 1)
        if spec.mean:
            pixels -= np.array(spec.mean, np.float32)
            pixels /= np.array(spec.std, np.float32)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    what = f"{card.key}: pre-process a photograph, against Pillow and numpy"
    compare(what, lambda: preprocess.apply(recipe, decode.read_image(path)), plain, rounds=10)


def test_stages_preprocess_workers(compare: Compare, dataset: Dataset) -> None:
    """Photographs at full size by two workers against one: near 2 where decoder and kernels let go of the lock."""
    card = cards.find([cards.builtin_models()])["icnet"]
    recipe, paths = preprocess.recipe(card), [frame.image for frame in dataset.frames[:12]]
    slots = np.empty((len(paths), *card.input.shape), np.float32)

    def by(workers: int) -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda path, slot: preprocess.apply(recipe, decode.read_image(path), slot), paths, slots))

    compare(f"pre-process {len(paths)} photographs by two workers, against one", lambda: by(2), lambda: by(1), rounds=7)


@pytest.fixture(scope="module")
def session(erfnet: ModelCard) -> onnxruntime.Session:
    """ERFNet with its sample weights at batch 4."""
    graph = pipeline.prepare(erfnet, pipeline.weights_file(erfnet, None))
    return onnxruntime.Session(graph.files[-1], (4, *erfnet.input.shape))


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


PEAK = """
import re, sys
from pathlib import Path
from roadworthy import card, soc, worker
from roadworthy.case import Case
from roadworthy.run import Run
from roadworthy.workshop import Manner
data, out = sys.argv[1:]
case = Case(card.find([card.builtin_models()])["erfnet"], soc.find("cpu"), 4)
(miou, _) = Run(Path(out), data, None, Manner(call=worker.here)).accuracy(case)
print(miou.frames, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def _peak(root: Path) -> float:
    """Peak resident memory (MiB) of an accuracy run in one process.

    Asked of the process itself: what `wait4` tells of a child begins at the size of its parent.
    """
    with tempfile.TemporaryDirectory() as out:
        words = [sys.executable, "-c", PEAK, str(root), out]
        done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
    frames, peak = map(int, done.stdout.split())
    assert frames in (24, 240)
    return peak / 1024
