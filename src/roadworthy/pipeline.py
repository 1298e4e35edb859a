"""The order of steps: card -> torch -> ONNX -> surgery -> session -> frames -> matrices -> records."""

from __future__ import annotations

import json
import shutil
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roadworthy import __version__, cache, fingerprint, measure, network, runtimes, soc
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.convert import export, ledger, outputs, surgery
from roadworthy.data import cityscapes, decode, preprocess, sample, stream
from roadworthy.data.cityscapes import SAMPLE, SAMPLE_FRAMES, Dataset, Frame
from roadworthy.evaluations import Evaluation, same_pixels, score
from roadworthy.problem import BadOutput, Problem
from roadworthy.record import UNTRAINED, Clock
from roadworthy.runtimes import Job, Session, eager
from roadworthy.score import postprocess
from roadworthy.score.worst import Worst

KEPT_MAPS = 9  # frames whose class maps are held to be compared pixel by pixel
SECONDS = 5.0  # of samples for every case
ROUNDS = (10, 200)
PARITY_FRAMES = 3  # frames on which graphs are compared with the torch module

Progress = Callable[[int, int], None]  # frames done, frames in all
Scored = tuple[NDArray[np.int64], NDArray[np.uint8], int]  # a frame's matrix, class map and its digest

Truth = tuple[tuple[Frame, ...], tuple[NDArray[np.uint8], ...]]  # a batch's frames and their labels


@dataclass(frozen=True)
class Graph:
    """The network as ONNX: as exported, and after each pass of surgery, with the ledger of the passes."""

    files: tuple[Path, ...]
    ledger: tuple[ledger.Entry, ...]


@dataclass(frozen=True)
class Timing:
    """Seconds of each execution of a session that was steady, none of one that was not."""

    samples: tuple[float, ...]
    warmup: measure.Warmup
    began: float  # seconds since the epoch, of sampling
    ended: float
    clock: Clock
    provider: str
    threads: int
    facts: Mapping[str, str]


def sample_data(split: str = "val", progress: Progress | None = None) -> Path:
    """The drawn data set in the user's cache, made on first use."""
    frames = SAMPLE_FRAMES[split]

    def draw(folder: Path) -> None:
        write_sample(folder, split, frames, progress)

    return cache.made(SAMPLE, f"v{sample.VERSION}-{split}-{frames}", draw)


def write_sample(folder: Path, split: str, frames: int, progress: Progress | None = None) -> None:
    """Draw frames of the sample data set into a Cityscapes folder that says where it comes from."""
    sample.write(folder, split, frames, (lambda done: progress(done, frames)) if progress else None)
    origin = {"name": f"{SAMPLE}-v{sample.VERSION}"}
    (folder / cityscapes.ORIGIN_FILE).write_text(json.dumps(origin) + "\n", encoding="utf-8")


def open_data(name: str, card: ModelCard, split: str = "val", progress: Progress | None = None) -> Dataset:
    """The data set of a folder, or the `sample` data set."""
    root = sample_data(split, progress) if name == SAMPLE else Path(name)
    return cityscapes.open_dataset(root, split, card.scoring.labels)


def weights_file(card: ModelCard, given: Path | None) -> Path:
    """The checkpoint given, else the sample weights beside the card, else weights that nobody trained."""
    if found := given or card.own_weights:
        return found
    name = f"{UNTRAINED}{card.key}.safetensors"
    small = card.at_sample_size()

    def make(folder: Path) -> None:
        first = next(stream.batches(small, open_data(SAMPLE, card), 1))
        network.save_untrained(small, first.inputs, folder / name)

    network.build(small)  # a broken net.py is told before anything is drawn
    makers = (network.__file__, preprocess.__file__, decode.__file__, card.path.parent / "net.py")
    code = [fingerprint.of_file(Path(file)) for file in makers]
    recipe = [asdict(card.net), asdict(small.input), code, metadata.version("torch"), sample.VERSION]
    return cache.made("weights", f"{card.key}-{fingerprint.of_value(recipe)}", make) / name


def prepare(card: ModelCard, weights: Path) -> Graph:
    """Export and operate, once for the same card, weights and tools (kept in the cache)."""
    module = network.load(card, weights, "exported")

    def make(folder: Path) -> None:
        export.export(module, card, folder / "exported.onnx")
        steps = ledger.operate(card, folder / "exported.onnx")
        ledger.write([*ledger.replaced(card, folder / "exported.onnx"), *(e for e, _ in steps)], folder / "ledger.json")
        names = ["exported.onnx", *(path.name for _, path in steps)]
        outputs.name_nodes(folder / names[-1])
        (folder / "files.json").write_text(json.dumps(names), encoding="utf-8")

    parts = [asdict(part) for part in (card.net, card.input, card.output, card.export)]
    parts += [dict(step) for step in card.surgery]
    makers = [
        card.path.parent / "net.py",
        *(Path(m.__file__) for m in (export, surgery, ledger, outputs) if m.__file__),
    ]
    makers.append(Path(network.__file__))
    code = [fingerprint.of_file(file) for file in makers]
    tools = [__version__, *(metadata.version(package) for package in ("torch", "onnx", "onnxslim"))]
    key = fingerprint.of_value([parts, code, fingerprint.of_file(weights), tools])
    folder = cache.made("graphs", f"{card.key}-{key}", make)
    names = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    return Graph(tuple(folder / name for name in names), tuple(ledger.read(folder / "ledger.json")))


def build(case: Case, job: Job, progress: Progress) -> Path:  # noqa: ARG001  one signature for all work
    """What the case's runtime opens, made from the graph after surgery (or from the weights)."""
    return runtimes.find(case.runtime).build(case, job)


def evaluated(  # noqa: PLR0913, PLR0917  one signature for all work
    case: Case, artifact: Path, job: Job, dataset: Dataset, keep_worst: int, progress: Progress
) -> Evaluation:
    """All frames through a session of the case's runtime; so many of the worst are kept."""
    session = runtimes.find(case.runtime).open_session(artifact, case, job)
    return evaluate(case, session, dataset, progress=progress, keep_worst=keep_worst)


def timed(case: Case, artifact: Path, job: Job, progress: Progress) -> Timing:
    """A session of the case's runtime warmed up and sampled for some seconds, by its own clock."""
    session = runtimes.find(case.runtime).open_session(artifact, case, job)

    def sample(calls: int) -> list[float]:
        progress(calls, 0)
        return session.sample(calls)

    warm = measure.warm_up(sample)
    rounds = min(max(int(SECONDS / max(warm.windows[-1], 1e-6)), ROUNDS[0]), ROUNDS[1])
    began = time.time()
    samples = tuple(sample(rounds)) if warm.steady else ()
    span = (began, time.time())
    return Timing(samples, warm, *span, session.clock, session.provider, session.threads, dict(session.facts))


def evaluate(  # noqa: PLR0913  what goes through, and what is kept of it
    case: Case,
    session: Session,
    dataset: Dataset,
    keep: int = KEPT_MAPS,
    progress: Progress | None = None,
    *,
    keep_worst: int = 0,
) -> Evaluation:
    """Stream all frames through a session and score them; nothing per frame stays but a matrix.

    Class maps stay of the first `keep` frames, and with their labels of the `keep_worst` worst ones.

    Raises BadOutput naming case and frame where an output holds NaN, OutOfMemory where the batch does not fit.
    """
    matrices: list[NDArray[np.int64]] = []
    maps: list[NDArray[np.uint8]] = []
    stems: list[str] = []
    digests: list[int] = []
    waiting: deque[Truth] = deque()
    worst = Worst(keep_worst)

    def inputs() -> Iterator[NDArray[np.float32]]:
        for batch in stream.batches(case.card, dataset, case.batch, bursts=session.threads > 0):
            waiting.append((batch.frames, batch.labels))
            yield batch.inputs

    began = time.perf_counter()
    for given in session.stream(inputs()):
        truth = waiting.popleft()
        for (matrix, classes, digest), frame, label in zip(_scored(case, given, truth), *truth, strict=True):
            worst.offer(frame.stem, matrix, label, classes)
            matrices.append(matrix)
            digests.append(digest)
            if len(maps) < keep:
                maps.append(classes)
        stems += [frame.stem for frame in truth[0]]
        if progress:
            progress(len(stems), len(dataset))
    seconds = time.perf_counter() - began
    counted, seen = np.stack(matrices), (tuple(maps), tuple(digests))
    own = Evaluation(tuple(stems), counted, *seen, session.provider, session.threads, dict(session.facts), seconds)
    return replace(own, worst=tuple(worst.frames))


def _scored(case: Case, given: Sequence[NDArray[np.generic]], truth: Truth) -> Iterator[Scored]:
    """The frames of one batch of outputs, scored; padding is behind them."""
    index, shape, (frames, labels) = case.card.output.index, case.card.output_shape, truth
    if len(given) <= index:
        raise BadOutput(f"{case.id}: {len(given)} outputs, but number {index} of the card is to be scored")
    output = given[index]
    if len(output) != case.batch or tuple(n for n in output.shape[1:] if n > 1) != shape:
        found, right = (" x ".join(map(str, n)) for n in (output.shape, (case.batch, *shape)))
        raise BadOutput(f"{case.id}: the output is {found}; by the card it must be {right}")

    def scored(slot: int) -> Scored:
        classes = np.empty(labels[slot].shape, np.uint8)
        try:
            return postprocess.tally(output[slot], labels[slot], classes), classes, zlib.crc32(classes.data)
        except BadOutput as error:
            raise BadOutput(f"{case.id}: frame {frames[slot].stem}: {error}") from error

    return stream.in_order(scored, range(len(frames)))


@dataclass(frozen=True)
class Parity:
    """A few frames through the torch module at every stage of its road, and through every graph."""

    modules: Mapping[network.Stage, Evaluation]
    graphs: tuple[Evaluation, ...]
    ledger: tuple[ledger.Entry, ...]  # of whatever was changed on the way, with its effect on the class maps


def parity(
    card: ModelCard,
    graph: Graph,
    weights: Path,
    dataset: Dataset,
    progress: Progress | None = None,
) -> Parity:
    """The frames through the torch module and every graph, one at a time, on the host: a chip comes later."""
    case = Case(card, soc.find("cpu"), 1)
    export, runtime = card.export, runtimes.find(case.soc.runtime)

    def module(stage: network.Stage) -> Evaluation:
        return evaluate(case, eager.at_stage(weights, case, stage), dataset, progress=progress)

    def of_graph(file: Path) -> Evaluation:
        session = runtime.open_session(file, case, Job(file, weights, file.parent))
        return evaluate(case, session, dataset, progress=progress)

    modules: dict[network.Stage, Evaluation] = {}
    modules["evaluated"] = module("evaluated")
    modules["exported"] = modules["operated"] = modules["evaluated"]
    if export.build:
        modules["exported"] = modules["operated"] = module("exported")
    if export.operated:
        modules["operated"] = module("operated")
    graphs = [of_graph(file) for file in graph.files]
    changes = [(modules["evaluated"], modules["exported"])] if export.build else []
    entries = [
        replace(
            entry,
            agreement=same_pixels(before, after),
            miou_delta=score(case.card, after).miou - score(case.card, before).miou,
            frames=len(dataset),
        )
        for entry, (before, after) in zip(graph.ledger, [*changes, *pairwise(graphs)], strict=True)
    ]
    return Parity(modules, tuple(graphs), tuple(entries))


def first_of(dataset: Dataset, frames: int) -> Dataset:
    """The first frames of a data set."""
    return replace(dataset, frames=dataset.frames[:frames])


def write_graph(card: ModelCard, weights: Path, dataset: Dataset, out: Path) -> tuple[ledger.Entry, ...]:
    """The graph after surgery at `out`, its ledger with the effect of every pass beside it; returns the ledger."""
    graph = prepare(card, weights)
    entries = parity(card, graph, weights, first_of(dataset, 1)).ledger
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(graph.files[-1], out)
        ledger.write(entries, out.with_suffix(".ledger.json"))
    except OSError as error:
        raise Problem(f"{out}: the graph could not be written ({error.strerror})") from error
    return entries
