"""A folder in Cityscapes layout -> frames paired by name, in a fixed order, checked before a run starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from roadworthy.problem import Problem

IMAGE_SUFFIX = "_leftImg8bit.png"
LABEL_KINDS = ("labelTrainIds", "labelIds")
SAMPLE = "sample"  # the data set that roadworthy draws
SAMPLE_FRAMES = {"val": 24, "train": 160}
ORIGIN_FILE = "roadworthy.json"  # names a data set that roadworthy made itself
SHOWN = 20  # problems listed before "and N more"


@dataclass(frozen=True)
class Frame:
    """One photograph and its label; `stem` such as `frankfurt_000001_057181` pairs everything about it."""

    stem: str
    image: Path
    label: Path
    label_kind: str


@dataclass(frozen=True)
class Dataset:
    """Frames of one split, sorted by stem. `origin` is `sample` where roadworthy drew them."""

    root: Path
    split: str
    frames: tuple[Frame, ...]
    origin: str | None = None

    @property
    def name(self) -> str:
        """Short name for headers and records."""
        return self.origin or self.root.resolve().name

    def __len__(self) -> int:
        return len(self.frames)


def open_dataset(root: Path, split: str = "val", prefer: str = "labelTrainIds") -> Dataset:
    """The frames of a split, labels of the preferred kind where present, else of the other kind.

    Raises Problem listing every photograph without a label, or saying that there is no photograph.
    """
    folder = root / "leftImg8bit" / split
    images = sorted(folder.glob(f"*/*{IMAGE_SUFFIX}"), key=lambda path: path.name)
    if not images:
        raise Problem(
            f"{root}: no photographs; a Cityscapes folder holds leftImg8bit/{split}/<city>/*{IMAGE_SUFFIX} "
            f"and gtFine/{split}/<city>/*_gtFine_labelIds.png or *_gtFine_labelTrainIds.png"
        )
    frames, problems = [], []
    seen: dict[str, Path] = {}
    for image in images:
        stem = image.name.removesuffix(IMAGE_SUFFIX)
        if stem in seen:
            problems.append(f"{image}: the name is taken by {seen[stem]}; results are paired by name")
        seen[stem] = image
        labels = {
            kind: root / "gtFine" / split / image.parent.name / f"{stem}_gtFine_{kind}.png"
            for kind in sorted(LABEL_KINDS, key=lambda kind: kind != prefer)
        }
        found = [(kind, path) for kind, path in labels.items() if path.is_file()]
        if found:
            frames.append(Frame(stem, image, found[0][1], found[0][0]))
        else:
            problems.append(f"{labels[prefer]}: missing label of {image.name} (labelIds or labelTrainIds)")
    _raise_all(root, problems)
    return Dataset(root, split, tuple(frames), _origin(root))


def is_drawn(data: str) -> bool:
    """Whether `--data` names frames that roadworthy drew: the sample data set, or a folder that it wrote."""
    return data == SAMPLE or _origin(Path(data)) is not None


def check(
    dataset: Dataset,
    shape: tuple[int, ...],
    *,
    exact: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """The data set's digest after every file was read; `shape` is the network's (channels, height, width).

    `progress` is told the frames that were read, and all of them.
    Raises Problem listing all frames that cannot be scored: unreadable or truncated PNG, wrong mode, a label of
    another size than its photograph, a photograph that does not shrink to the network's input (or, where the recipe
    does not resize, is not `exact`ly of its size).
    """
    with ThreadPoolExecutor() as pool:
        results = []
        for result in pool.map(lambda frame: _check_frame(frame, shape, exact=exact), dataset.frames):
            results.append(result)
            if progress:
                progress(len(results), len(dataset))
    _raise_all(dataset.root, [problem for problems, _ in results for problem in problems])
    if dataset.origin:  # drawn to the byte: the PNG encoder's version must not give it another name
        return f"{dataset.name}/{len(dataset)}"
    digest = hashlib.sha256("".join(digest for _, digest in results).encode()).hexdigest()
    return f"{dataset.name}-{digest[:8]}/{len(dataset)}"


def read_order(path: Path, dataset: Dataset) -> Dataset:
    """The data set in the order of a file with one frame stem a line; every frame exactly once.

    Raises Problem naming the first stem that is unknown, missing or there twice.
    """
    try:
        stems = path.read_text(encoding="utf-8").split()
    except UnicodeDecodeError as error:
        raise Problem(f"{path}: no text ({error.reason}); it must hold one frame stem a line") from None
    by_stem = {frame.stem: frame for frame in dataset.frames}
    for number, stem in enumerate(stems, 1):
        if stem not in by_stem or stem in stems[: number - 1]:
            word = "is there twice" if stem in by_stem else f"is not a frame of {dataset.root}"
            raise Problem(f"{path}:{number}: {stem!r} {word}")
    if missing := [stem for stem in by_stem if stem not in set(stems)]:
        raise Problem(f"{path}: {len(missing)} frames are missing, first {missing[0]!r}; every frame must be there")
    return Dataset(dataset.root, dataset.split, tuple(by_stem[stem] for stem in stems), dataset.origin)


def _check_frame(frame: Frame, shape: tuple[int, ...], *, exact: bool) -> tuple[list[str], str]:
    from roadworthy.data import decode  # noqa: PLC0415  pairing by name alone must not load numpy

    problems = []
    sizes: list[tuple[int, int]] = []
    try:
        sizes.append(_size_of_photograph(frame.image))
    except Problem as problem:
        problems.append(str(problem))
    try:
        height, width = decode.read_label(frame.label, frame.label_kind).shape
        sizes.append((width, height))
    except Problem as problem:
        problems.append(str(problem))
    if len(sizes) == 2:
        (width, height), label = sizes
        if label != (width, height):
            problems.append(f"{frame.label}: {label[0]}x{label[1]}, but its photograph is {width}x{height}")
        if width * shape[1] != height * shape[2] or height < shape[1] or (exact and height > shape[1]):
            right = f"{shape[2]}x{shape[1]}" + ("" if exact else " or larger in the same proportion")
            problems.append(f"{frame.image}: {width}x{height}; it must be {right}")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (frame.image, frame.label) if path.is_file()]
    return problems, "".join(digests)


def _size_of_photograph(path: Path) -> tuple[int, int]:
    """(width, height) of an 8-bit RGB PNG whose every chunk was read and has the right checksum; nothing is decoded."""
    from PIL import Image  # noqa: PLC0415  see above

    try:
        with Image.open(path) as image:
            image.verify()
        kind = path.read_bytes()[24:26]  # bit depth and colour type in the header
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a broken chunk
        raise Problem(f"{path}: unreadable PNG ({error})") from None
    if image.format != "PNG" or kind != b"\x08\x02":
        raise Problem(f"{path}: {image.format} of mode {image.mode}; it must be an 8-bit RGB PNG")
    return image.size


def _origin(root: Path) -> str | None:
    path = root / ORIGIN_FILE
    if not path.is_file():
        return None
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["name"])
    except (ValueError, KeyError, TypeError):
        raise Problem(f'{path}: must hold {{"name": ...}}, as roadworthy writes it into data that it draws') from None


def _raise_all(root: Path, problems: list[str]) -> None:
    if problems:
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        lines = "\n  ".join(problems[:SHOWN])
        raise Problem(
            f"{root}: {len(problems)} problem{'s' if len(problems) > 1 else ''} in this data set:\n  {lines}{more}"
        )
