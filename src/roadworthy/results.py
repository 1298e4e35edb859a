"""The guides' flow by files: inputs that ais_bench reads, and result files that it leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roadworthy import whole
from roadworthy.card import ModelCard
from roadworthy.data import cityscapes, decode, preprocess, stream
from roadworthy.data.cityscapes import SHOWN, Dataset, Frame
from roadworthy.evaluations import Evaluation
from roadworthy.pipeline import Progress
from roadworthy.problem import BadOutput, Problem
from roadworthy.score import postprocess

SUFFIXES = (".bin", ".npy")


def inputs(card: ModelCard, source: Path, out: Path) -> list[tuple[Path, Path]]:
    """Every photograph and the file that its input goes to; raises Problem where either cannot be."""
    if source.is_dir():
        if out.is_file():
            raise Problem(f"{out}: is a file; the inputs of a data set go into a folder")
        dataset = cityscapes.open_dataset(source, prefer=card.scoring.labels)
        return [(f.image, out / card.input.file.format(stem=f.stem)) for f in dataset.frames]
    if not source.is_file():
        raise Problem(f"{source}: there is no such photograph, and no folder in Cityscapes layout")
    if out.is_dir():
        raise Problem(f"{out}: is a folder; the input of one photograph goes into a file such as input.bin")
    return [(source, out)]


def write_inputs(card: ModelCard, source: Path, out: Path, progress: Progress) -> None:
    """The network's input as headerless float32 NCHW, in a file or a folder.

    A photograph goes into the file `out`; all photographs of a Cityscapes folder go into the folder `out`, named as
    the guide names them. Nothing is left of a file cut short.
    """
    jobs = inputs(card, source, out)
    recipe = preprocess.recipe(card)

    def convert(job: tuple[Path, Path]) -> None:
        image, path = job
        array = preprocess.apply(recipe, decode.read_image(image))
        if array.shape != card.input.shape:
            found, right = array.shape[1:], card.input.shape[1:]
            raise Problem(f"{image}: gives an input of {found[0]}x{found[1]}; {card.key} takes {right[0]}x{right[1]}")
        with whole.written(path, "input") as part:
            part.write_bytes(np.ascontiguousarray(array).data)  # tofile hides that a disk is full

    for done, _ in enumerate(stream.in_order(convert, jobs), 1):
        progress(done, len(jobs))


def score_results(card: ModelCard, folder: Path, dataset: Dataset, progress: Progress) -> Evaluation:
    """Result files of a folder, paired with frames by name, and scored; matrices in the order of the data set's frames.

    Raises Problem naming every result that is missing, cut short, of another network or of no frame.
    """
    cityscapes.check(dataset, card.input.shape, exact=not card.input.resizes)
    files = pair(card, folder, dataset)
    height, width = card.input.shape[1:]

    def scored(frame: Frame) -> NDArray[np.int64]:
        label = decode.read_label(frame.label, frame.label_kind)
        if card.scoring.compare == "input":
            label = decode.resize_label(label, (height, width))
        try:
            return postprocess.tally(
                postprocess.read_output(files[frame.stem], card.output_shape, card.output.kind), label
            )
        except BadOutput as error:
            raise BadOutput(f"{files[frame.stem]}: {error}") from error

    matrices = []
    for matrix in stream.in_order(scored, dataset.frames):
        matrices.append(matrix)
        progress(len(matrices), len(dataset))
    return Evaluation(tuple(f.stem for f in dataset.frames), np.stack(matrices), (), (), "files", 0)


def pair(card: ModelCard, folder: Path, dataset: Dataset) -> dict[str, Path]:
    """The result file of every frame: `<input's name up to its first dot>_<output>.bin`, by name, in any order.

    Where ais_bench left its summary (`sumary.json` in the folder, or `<folder>_summary.json` beside it), the files that
    it names are the run's; others are older and are left alone. A run on several devices left a folder for each, which
    together hold the frames. Raises Problem as `score_results`.
    """
    if not folder.is_dir():
        raise Problem(f"{folder}: there is no such folder; it holds result files as ais_bench writes them")
    names = {card.input.file.format(stem=f.stem).split(".")[0]: f.stem for f in dataset.frames}
    if len(names) < len(dataset):
        raise Problem(f"{dataset.root}: ais_bench cuts names at the first dot, and then two of these frames share one")
    summary, found = summary_of(folder), _found(folder)
    if extra := sorted({name for name, _ in found} - set(names)):
        what = f"{len(extra)} results are of no frame of {dataset.root}"
        right = f"{card.key}'s are called {next(iter(names))}_{card.output.index}.bin and so on"
        raise Problem(f"{summary or folder}: {what}: {_shown([f'{name}_*' for name in extra])}; {right}")
    numbers = {number for _, number in found}
    outputs = card.output.files or (card.output.index,)
    output = next((number for number in outputs if number in numbers), outputs[0])
    if lost := [f"{name}_{output}.bin" for name in names if (name, output) not in found]:
        what = f"{len(lost)} of {len(names)} results are missing" + (" or not listed" if summary else "")
        raise Problem(f"{summary or folder}: {what}: {_shown(lost)}{_text_files(folder)}")
    paths = {stem: found[name, output] for name, stem in names.items()}
    _check_sizes(paths)
    return paths


def _found(folder: Path) -> dict[tuple[str, int], Path]:
    """The result files of a run by the input's name and the output's number."""
    devices = [part for part in sorted(folder.glob("device*")) if part.is_dir()]
    if not devices:
        summary = summary_of(folder)
        return _listed(summary, folder) if summary else _present(folder)
    found: dict[tuple[str, int], Path] = {}
    for device in devices:
        own = _found(device)
        if twice := sorted(found.keys() & own.keys()):
            other = found[twice[0]].parent.name
            raise Problem(
                f"{folder}: {other} and {device.name} hold {own[twice[0]].name} both, since every device ran all inputs; "
                f"score one of them, such as {folder / other}"
            )
        found |= own
    return found


def _present(folder: Path) -> dict[tuple[str, int], Path]:
    """The result files of a folder by the input's name and the output's number."""
    found: dict[tuple[str, int], Path] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES):
        key = _key(path)
        if key is None:
            raise Problem(f"{path}: no result of a frame; a result is called <input's name>_<output's number>.bin")
        if key in found:
            raise Problem(f"{path}: the same result is there as {found[key].name}; remove one of them")
        found[key] = path
    return found


def _listed(summary: Path, folder: Path) -> dict[tuple[str, int], Path]:
    """The same from the summary of a run, whatever the folder was called then; files that are gone are left out."""
    found = {}
    try:
        for entry in json.loads(summary.read_text(encoding="utf-8"))["filesinfo"].values():
            name = Path(entry["infiles"][0]).name.split(".")[0]
            for path in (folder / Path(out).name for out in entry["outfiles"]):
                key = _key(path)
                if key is None or key[0] != name:
                    raise Problem(
                        f"{summary}: says that {path.name} came from {name}; ais_bench names a result by its input"
                    )
                if path.is_file():
                    found[key] = path
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        reason = "no JSON" if isinstance(error, ValueError) else "no filesinfo with infiles and outfiles in it"
        raise Problem(
            f"{summary}: no summary of ais_bench ({reason}); without it, results are paired by name"
        ) from None
    return found


def summary_of(folder: Path) -> Path | None:
    """What ais_bench said of its run, inside the folder or beside it; the newer of two."""
    folder = folder.resolve()
    places = (folder / "sumary.json", folder.with_name(f"{folder.name}_summary.json"))
    return max((path for path in places if path.is_file()), key=lambda path: path.stat().st_mtime, default=None)


def _key(path: Path) -> tuple[str, int] | None:
    name, _, number = path.stem.rpartition("_")
    return (name, int(number)) if number.isdecimal() else None


def _check_sizes(paths: Mapping[str, Path]) -> None:
    """All files of one size: half of a float32 file would pass for float16."""
    sizes = {path: path.stat().st_size for path in paths.values() if path.suffix == ".bin"}
    if not sizes:
        return
    usual = max(set(sizes.values()), key=list(sizes.values()).count)
    if odd := [path for path, size in sizes.items() if size != usual]:
        raise Problem(
            f"{odd[0]}: holds {sizes[odd[0]]} bytes, the other results {usual}; it was cut short or is another's"
        )


def _text_files(folder: Path) -> str:
    return "; there are .txt files: run with --outfmt BIN" if any(folder.glob("*.txt")) else ""


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
