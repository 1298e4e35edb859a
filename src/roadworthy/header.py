"""What a session judges, as the lines above its tests: chips, data and its size, weights and their hash, versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from roadworthy import __version__, fingerprint
from roadworthy.card import ModelCard
from roadworthy.case import Case, TrainCase
from roadworthy.data import cityscapes
from roadworthy.problem import Problem


def running(cells: Sequence[Case], data: str, weights: Path | None, default: str, rule: str) -> list[str]:
    """Of a run on this machine; `default` says why the chip is what it is, `rule` what else is required.

    Empty where nothing runs. Raises Problem for data or weights that are not there.
    """
    if not cells:
        return []
    models = list({case.card.key: case.card for case in cells}.values())
    named = [weights_line(card, weights) for card in models]
    sizes = [line for card in models for line in _size_lines(card, data)]
    why = f" ({default})" if default else ""
    return [f"judging {_socs(cells)}{why} on {data_line(data)}{rule}", *_standin_lines(cells), *sizes, *named]


def trained(cells: Sequence[TrainCase], folders: Iterable[Path]) -> list[str]:
    """Of training runs that were measured before; empty where there is none."""
    places = ", ".join(str(folder) for folder in folders)
    return [f"judging training on {_socs(cells)} by the records in {places}"] if cells else []


def published(cases: Sequence[Case | TrainCase], rule: str) -> list[str]:
    """Of the guides' own figures."""
    return [f"judging {_socs(cases)} by the figures that the guides publish{rule}"]


def versions() -> str:
    """Of what figures depend on most."""
    packages = ", ".join(f"{p} {metadata.version(p)}" for p in ("torch", "onnx", "onnxruntime"))
    return f"versions: roadworthy {__version__}, {packages}"


def _socs(cases: Iterable[Case | TrainCase]) -> str:
    return ", ".join(dict.fromkeys(case.soc.name for case in cases))


def data_line(data: str) -> str:
    """The frames of `--data`, by their number; raises Problem where there are none."""
    if data == cityscapes.SAMPLE:
        return f"sample data ({cityscapes.SAMPLE_FRAMES['val']} drawn frames, made on first use)"
    dataset = cityscapes.open_dataset(Path(data))
    return f"{data} ({len(dataset)} frames{', drawn by roadworthy' if dataset.origin else ''})"


def _standin_lines(cases: Iterable[Case]) -> list[str]:
    """A run with tools for tests says nothing of a chip."""
    if not any(case.soc.vendor == "huawei" for case in cases):
        return []
    from roadworthy.runtimes import om  # noqa: PLC0415  an installed plugin imports nothing heavy

    return [f"stand-ins for tests take part, so no figure is a chip's: {', '.join(om.standins())}"] * bool(
        om.standins()
    )


def _size_lines(card: ModelCard, data: str) -> list[str]:
    """How a large network is judged on drawn frames."""
    if not cityscapes.is_drawn(data) or card.sample is None or not card.sample.size:
        return []
    height, width = card.sample.size
    return [f"{card.key}: the first {card.sample.frames} of these frames, at {height}x{width}"]


def weights_line(card: ModelCard, given: Path | None) -> str:
    """The checkpoint and its hash; raises Problem where it is not there."""
    path = given or card.own_weights
    if path is None:
        return f"weights of {card.key}: untrained, made from the parameters' names (--weights takes {card.weights})"
    if not path.is_file():
        raise Problem(f"{path}: there is no such file; --weights takes a checkpoint (.pth or .safetensors)")
    return f"weights of {card.key}: {path} ({fingerprint.of_file(path)})"
