"""The order of steps: card -> torch -> ONNX -> surgery -> session -> frames -> matrices -> records."""

from __future__ import annotations

import json
import shlex
import shutil
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roadworthy import __version__, cache, fingerprint, network, runtimes, soc
from roadworthy.card import ModelCard, functions
from roadworthy.case import Case
from roadworthy.convert import export, ledger, surgery
from roadworthy.data import cityscapes, decode, preprocess, sample, stream
from roadworthy.data.cityscapes import SAMPLE, SAMPLE_FRAMES, Dataset, Frame
from roadworthy.problem import BadOutput, Problem, Unavailable
from roadworthy.runtimes import Session
from roadworthy.score import agreement, miou, postprocess

RESULT_SUFFIXES = (".bin", ".npy")
KEPT_MAPS = 9  # frames whose class maps are held to be compared pixel by pixel
PARITY_FRAMES = 3  # frames on which graphs are compared with the torch module

Progress = Callable[[int, int], None]  # frames done, frames in all
Scored = tuple[NDArray[np.int64], NDArray[np.uint8], int]  # a frame's matrix, class map and its digest


@dataclass(frozen=True)
class Graph:
    """The network as ONNX: as exported, and after each pass of surgery, with the ledger of the passes."""

    files: tuple[Path, ...]
    ledger: tuple[ledger.Entry, ...]


@dataclass(frozen=True)
class Evaluation:
    """Every frame scored: matrices (N, 19, 20) in the order of `stems`, class maps of the first frames."""

    stems: tuple[str, ...]
    matrices: NDArray[np.int64]
    maps: tuple[NDArray[np.uint8], ...]
    digests: tuple[int, ...]  # of the class maps of all frames
    provider: str
    threads: int


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
    """The checkpoint given, else the sample weights beside the card; raises Unavailable where there is neither."""
    if given is not None:
        return given
    if card.sample is None:
        raise Unavailable(f"{card.key} ships no weights; --weights FILE takes {card.weights}, see {card.source.url}")
    return card.path.parent / card.sample.weights


def prepare(card: ModelCard, weights: Path) -> Graph:
    """Export and operate, once for the same card, weights and tools (kept in the cache)."""
    module = network.load(card, weights)

    def make(folder: Path) -> None:
        export.export(module, card, folder / "exported.onnx")
        steps = ledger.operate(card, folder / "exported.onnx")
        ledger.write([entry for entry, _ in steps], folder / "ledger.json")
        names = ["exported.onnx", *(path.name for _, path in steps)]
        (folder / "files.json").write_text(json.dumps(names), encoding="utf-8")

    parts = [asdict(card.net), asdict(card.input), asdict(card.export), [dict(step) for step in card.surgery]]
    makers = [card.path.parent / "net.py", *(Path(m.__file__) for m in (export, surgery, ledger) if m.__file__)]
    code = [fingerprint.of_file(file) for file in makers]
    tools = [__version__, metadata.version("torch"), metadata.version("onnx")]
    key = fingerprint.of_value([parts, code, fingerprint.of_file(weights), tools])
    folder = cache.made("graphs", f"{card.key}-{key}", make)
    names = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    return Graph(tuple(folder / name for name in names), tuple(ledger.read(folder / "ledger.json")))


def evaluate(
    case: Case, session: Session, dataset: Dataset, keep: int = KEPT_MAPS, progress: Progress | None = None
) -> Evaluation:
    """Stream all frames through a session and score them; nothing per frame stays but a matrix.

    Raises BadOutput naming case and frame where an output holds NaN, OutOfMemory where the batch does not fit.
    """
    matrices: list[NDArray[np.int64]] = []
    maps: list[NDArray[np.uint8]] = []
    stems: list[str] = []
    digests: list[int] = []
    for batch in stream.batches(case.card, dataset, case.batch, bursts=session.threads > 0):
        output = session.run(batch.inputs)[case.card.output.index]
        if len(output) != case.batch:
            raise BadOutput(f"{case.id}: {len(output)} outputs for a batch of {case.batch}")

        def scored(slot: int, batch: stream.Batch = batch, output: NDArray[Any] = output) -> Scored:
            classes = np.empty(batch.labels[slot].shape, np.uint8)
            try:
                return postprocess.tally(output[slot], batch.labels[slot], classes), classes, zlib.crc32(classes.data)
            except BadOutput as error:
                raise BadOutput(f"{case.id}: frame {batch.frames[slot].stem}: {error}") from error

        for matrix, classes, digest in stream.in_order(scored, range(len(batch.frames))):  # padding is behind them
            matrices.append(matrix)
            digests.append(digest)
            if len(maps) < keep:
                maps.append(classes)
        stems += [frame.stem for frame in batch.frames]
        if progress:
            progress(len(stems), len(dataset))
    return Evaluation(tuple(stems), np.stack(matrices), tuple(maps), tuple(digests), session.provider, session.threads)


@dataclass(frozen=True)
class Parity:
    """Evaluations of a few frames by the torch module and by every graph, exported and after each pass."""

    module: Evaluation
    graphs: tuple[Evaluation, ...]
    ledger: tuple[ledger.Entry, ...]  # with the effect of each pass on the class maps


def parity(case: Case, graph: Graph, weights: Path, dataset: Dataset) -> Parity:
    """The first frames through the torch module and through every graph of the case, one at a time."""
    case = replace(case, batch=1)
    few = replace(dataset, frames=dataset.frames[:PARITY_FRAMES])
    eager, runtime = runtimes.find("eager"), runtimes.find(case.runtime)
    module = evaluate(case, eager.open_session(eager.build(case, graph.files[0], weights), case), few)
    graphs = [
        evaluate(case, runtime.open_session(runtime.build(case, file, weights), case), few) for file in graph.files
    ]
    entries = [
        replace(
            entry,
            agreement=same_pixels(before, after),
            miou_delta=score(case.card, after).miou - score(case.card, before).miou,
            frames=len(few),
        )
        for entry, (before, after) in zip(graph.ledger, pairwise(graphs), strict=True)
    ]
    return Parity(module, tuple(graphs), tuple(entries))


def same_pixels(a: Evaluation, b: Evaluation) -> float:
    """Share of pixels with the same class in the frame where two evaluations agree least; 0 for unlike frames."""
    if a.stems != b.stems:
        return 0.0
    return agreement.worst_frame((a.maps, b.maps), (a.matrices, b.matrices), (a.digests, b.digests))


def score(card: ModelCard, evaluation: Evaluation) -> miou.Score:
    """The evaluation's mIoU by the card's convention."""
    found: miou.Score = card.lookup(card.scoring.average, miou)(evaluation.matrices)
    return found


def plan(case: Case, data: str, weights: Path | None) -> list[str]:
    """What a run of the case does, in order, as a person reads it; runs nothing."""
    card = case.card
    file = weights or (card.path.parent / card.sample.weights if card.sample else "FILE")
    lines = [shlex.join(["roadworthy", "export", card.key, f"{card.key}.onnx", "--weights", str(file)])]
    lines += [f"  surgery {' '.join(f'{k}={v}' for k, v in step.items())}" for step in card.surgery]
    reason = runtimes.missing(case)
    lines.append(f"{case.runtime}: {reason}" if reason else runtimes.find(case.runtime).plan(case))
    judged = ["--data", data, "--weights", str(file), "--soc", case.soc.name, "--batch", str(case.batch)]
    lines.append(shlex.join(["roadworthy", "evaluate", card.key, *judged]))
    return lines


def write_inputs(card: ModelCard, source: Path, out: Path, progress: Progress) -> None:
    """The network's input as headerless float32 NCHW, in a file or a folder.

    A photograph goes into the file `out`; all photographs of a Cityscapes folder go into the folder `out`, named as
    the guide names them. Nothing is left of a file cut short.
    """
    if source.is_dir():
        dataset = cityscapes.open_dataset(source, prefer=card.scoring.labels)
        jobs = [(f.image, out / card.input.file.format(stem=f.stem)) for f in dataset.frames]
    else:
        jobs = [(source, out)]
    recipe = preprocess.recipe(card)

    def convert(job: tuple[Path, Path]) -> None:
        image, path = job
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            preprocess.apply(recipe, decode.read_image(image)).tofile(part)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise Problem(f"{path}: the input could not be written ({error.strerror})") from error

    for done, _ in enumerate(stream.in_order(convert, jobs), 1):
        progress(done, len(jobs))


def score_results(card: ModelCard, folder: Path, dataset: Dataset, progress: Progress) -> Evaluation:
    """Result files `<input name up to its first dot>_<output>.bin` of a folder, paired with frames by name and scored.

    Raises Problem listing every missing result and every result of no frame.
    """
    cityscapes.check(dataset, card.input.shape)
    files = _pair_results(card, folder, dataset)
    size = card.input.shape[1:]

    def scored(frame: Frame) -> NDArray[np.int64]:
        label = decode.read_label(frame.label, frame.label_kind)
        if card.scoring.compare == "input":
            label = decode.resize_label(label, (size[0], size[1]))
        path = files[frame.stem]
        shape = label.shape if card.output.kind == "classes" else (card.net.classes, *label.shape)
        try:
            return postprocess.tally(postprocess.read_output(path, shape, card.output.kind), label)
        except BadOutput as error:
            raise BadOutput(f"{path}: {error}") from error

    matrices = []
    for matrix in stream.in_order(scored, dataset.frames):
        matrices.append(matrix)
        progress(len(matrices), len(dataset))
    return Evaluation(tuple(f.stem for f in dataset.frames), np.stack(matrices), (), (), "files", 0)


def _pair_results(card: ModelCard, folder: Path, dataset: Dataset) -> dict[str, Path]:
    if not folder.is_dir():
        raise Problem(f"{folder}: there is no such folder; it holds result files as ais_bench writes them")
    names = {f.stem: f"{card.input.file.format(stem=f.stem).split('.')[0]}_{card.output.index}" for f in dataset.frames}
    if len(set(names.values())) < len(names):
        raise Problem(f"{dataset.root}: ais_bench cuts names at the first dot, and then two of these frames share one")
    present: dict[str, Path] = {}
    for path in sorted(p for p in folder.glob("*") if p.suffix in RESULT_SUFFIXES):
        if path.stem in present:
            raise Problem(f"{path}: the same result is there as {present[path.stem].name}; remove one of them")
        present[path.stem] = path
    if missing := [name for name in names.values() if name not in present]:
        raise Problem(f"{folder}: {len(missing)} of {len(names)} results are missing, first {missing[0]}.bin")
    known = {name.rsplit("_", 1)[0] for name in names.values()}
    if extra := [path.name for name, path in present.items() if name.rsplit("_", 1)[0] not in known]:
        raise Problem(f"{folder}: {len(extra)} results are of no frame of {dataset.root}, first {extra[0]}")
    return {stem: present[name] for stem, name in names.items()}


def conventions(card: ModelCard, wanted: str) -> list[str]:
    """The names of the card's own convention (`card`), of `all`, or of one; raises Problem for an unknown one."""
    known = functions(miou)
    names = {"card": [card.scoring.average], "all": known}.get(wanted, [wanted])
    if wanted not in ("card", "all", *known):
        raise Problem(f"--convention {wanted}: there is no such convention; known: card, all, {', '.join(known)}")
    return names


def scores(card: ModelCard, evaluation: Evaluation, names: list[str]) -> list[dict[str, Any]]:
    """The JSON objects of `score` and `evaluate`, one for every convention named."""
    pooled = miou.pooled(evaluation.matrices).miou
    rows = []
    for name in names:
        found: miou.Score = card.lookup(name, miou)(evaluation.matrices)
        rows.append(
            {
                "model": card.key,
                "convention": name,
                "miou": found.miou,
                "pooled_miou": pooled,
                "frames": len(evaluation.stems),
                "iou": list(found.iou),
                "classes": list(miou.CLASSES),
            }
        )
    return rows


def write_graph(card: ModelCard, weights: Path, dataset: Dataset, out: Path) -> tuple[ledger.Entry, ...]:
    """The graph after surgery at `out`, its ledger with the effect of every pass beside it; returns the ledger."""
    graph = prepare(card, weights)
    case = Case(card, soc.find("cpu"), 1)
    entries = parity(case, graph, weights, dataset).ledger
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(graph.files[-1], out)
        ledger.write(entries, out.with_suffix(".ledger.json"))
    except OSError as error:
        raise Problem(f"{out}: the graph could not be written ({error.strerror})") from error
    return entries
