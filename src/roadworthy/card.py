"""What one guide promises and how to check it: `models/<key>/card.toml`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from roadworthy.guide import Guide
from roadworthy.layout import Layout
from roadworthy.lookup import functions, own_module
from roadworthy.problem import Problem
from roadworthy.published import Published, check_percent
from roadworthy.recipe import Training
from roadworthy.record import Record
from roadworthy.schema import load_toml, read_table
from roadworthy.soc import socs, unknown
from roadworthy.target import Drop, Target

OUTPUTS = "output"  # what export calls the outputs, and a number from 1 on
OURS = (  # flags that other keys of the card, or the case, give
    *("framework", "model", "output", "input_format", "input_shape", "out_nodes", "soc_version", "log", "output_type"),
    *("precision_mode", "job_type"),
)
OWN = ("net", "train")  # files of a model's own folder that a card may name functions of
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Source:
    """Where the original network lives."""

    url: str
    commit: str


@dataclass(frozen=True)
class Net:
    """The torch module: a name to look up and the number of output channels."""

    build: str
    classes: int


@dataclass(frozen=True)
class Input:
    """The network's input: name in the graph, (channels, height, width), and the steps that make it."""

    name: str
    shape: tuple[int, ...]
    steps: tuple[str, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    file: str = "{stem}_leftImg8bit.bin"  # what the guide's pre-processing calls the file of a frame

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w./-]+", self.name, re.ASCII):
            raise ValueError(f"name is {self.name!r}; it must be of letters, digits and _ . / -, as tools take it")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"shape is {list(self.shape)}; it must be [channels, height, width]")
        try:
            told = self.file.format(stem="a") != self.file.format(stem="b")
        except (KeyError, IndexError, ValueError):
            told = False
        if not told:
            raise ValueError(f"file is {self.file!r}; it must name a frame's file by {{stem}}")
        if "/" in self.file or "\\" in self.file:
            raise ValueError(f"file is {self.file!r}; it must be a file's name, without folders")

    @property
    def resizes(self) -> bool:
        """Whether a photograph of another size is brought to the input's."""
        return "resize" in self.steps


@dataclass(frozen=True)
class Output:
    """What the graph gives: logits, or a class map where argmax is inside the graph."""

    kind: Literal["logits", "classes"]
    count: int = 1  # of the network's outputs
    index: int = 0  # of the output that is scored
    files: tuple[int, ...] = ()  # numbers that its result files may carry; default: the index
    stride: int = 1  # the output is so many times smaller than the input

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"stride is {self.stride}; it must be 1 or more")
        if not 0 <= self.index < self.count:
            raise ValueError(f"index is {self.index}; it must be one of the {self.count} outputs, counted from 0")


@dataclass(frozen=True)
class Export:
    """ONNX opset and the batch sizes of the guide: a graph for batch 1 alone has no batch axis to vary.

    `build` names the network as it is exported, `operated` the one that the graph computes after surgery, where these
    are not the one that is evaluated; all have the same parameters.
    """

    opset: int
    batches: tuple[int, ...]
    build: str = ""
    operated: str = ""

    def __post_init__(self) -> None:
        if not self.batches or min(self.batches) < 1 or len(set(self.batches)) < len(self.batches):
            raise ValueError(f"batches is {list(self.batches)}; it must list batch sizes of 1 or more, each once")


@dataclass(frozen=True)
class Atc:
    """Options of the Ascend compiler and tuner; without an `output_type`, outputs keep the graph's types.

    `options` are further flags, such as `{ enable_small_channel = "1" }`.
    """

    output_type: Literal["", "FP32", "FP16"] = ""
    precision_mode: str = ""
    log: Literal["debug", "info", "warning", "error", "null"] = "error"
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for flag in self.options:
            if not re.fullmatch(r"[a-z_0-9]+", flag) or flag in OURS:
                raise ValueError(
                    f"options names {flag!r}; it must be a flag of atc that no other key of the card gives"
                )
        for flag, value in {"precision_mode": self.precision_mode, **self.options}.items():
            if not re.fullmatch(r"[\w.,:;/+-]*", value, re.ASCII):
                raise ValueError(f"{flag} is {value!r}; it must be of letters, digits and _ . , : ; / + -")


@dataclass(frozen=True)
class Aoe:
    """Which searches of the tuner are made, in order: 1 of subgraphs, 2 of operators."""

    job_types: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if not self.job_types or not set(self.job_types) <= {1, 2} or len(set(self.job_types)) < len(self.job_types):
            raise ValueError(f"job_types is {list(self.job_types)}; it must list 1, 2 or both, each once")


@dataclass(frozen=True)
class Scoring:
    """How the guide counts mIoU: which labels, compared at which size, averaged how."""

    labels: Literal["labelTrainIds", "labelIds"]
    compare: Literal["input", "full"]
    average: str


@dataclass(frozen=True)
class Sample:
    """How the model is judged on the drawn sample data; never a figure of a chip.

    `weights` in the model's own folder reach `miou` (percent) on `data` (name and size of a data set, such as
    sample-v1/24). Networks too large for a laptop say a `size` (height, width) and a number of `frames`.
    """

    weights: str | None = None
    data: str | None = None
    miou: float | None = None
    drop: Drop | None = None
    size: tuple[int, ...] = ()
    frames: int | None = None

    def __post_init__(self) -> None:
        if self.weights and not NAME.fullmatch(self.weights):
            raise ValueError(f"weights is {self.weights!r}; it must be the name of a file beside the card")
        told = [self.weights, self.data, self.miou, self.drop]
        if any(told) and not all(told):
            raise ValueError("weights, data, miou and drop go together: what the weights reach on which data")
        if self.miou is not None:
            check_percent(self.miou)
        if self.frames is not None and self.frames < 1:
            raise ValueError(f"frames is {self.frames}; it must be 1 or more")
        if self.size and (len(self.size) != 2 or min(self.size) < 1):
            raise ValueError(f"size is {list(self.size)}; it must be [height, width]")


@dataclass(frozen=True)
class ModelCard:
    """One guide's promise. `path` is the card's file; the folder's name is the model's key."""

    path: Path
    name: str
    source: Source
    weights: str
    net: Net
    input: Input
    output: Output
    export: Export
    scoring: Scoring
    target: Target
    surgery: tuple[Mapping[str, Any], ...] = ()
    atc: Atc = field(default_factory=Atc)
    aoe: Aoe = Aoe()
    runtime: Mapping[str, str] = field(default_factory=dict)
    sample: Sample | None = None
    train: Training | None = None
    guide: Guide = field(default_factory=Guide)
    published_: Published = field(default_factory=Published)
    table: tuple[Layout, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.key):
            raise ValueError(f"the folder is called {self.key!r}; a model's key is of letters, digits and _ . -")
        for i, step in enumerate(self.surgery):
            if not isinstance(step.get("pass"), str):
                raise ValueError(f'surgery[{i}] has no "pass"; it names the graph operation')
        chips: dict[str, Iterable[str]] = {"target.judge": [self.target.judge], "runtime": self.runtime}
        chips |= {"target.vs": self.target.vs, "target.oom": self.target.oom}
        if self.train is not None and self.train.target is not None:
            chips["train.target.vs"] = self.train.target.vs
        chips |= {f"published.{key}": names for key, names in self.published_.chips.items()}
        for layout in self.table:
            chips[f"table {layout.name!r}"] = [*layout.chips, *(c for column in layout.columns for c in column.chips)]
        if len({layout.name for layout in self.table}) < len(self.table):
            raise ValueError(f"table has two of one name: {', '.join(layout.name for layout in self.table)}")
        for key, names in chips.items():
            if wrong := [name for name in names if name not in socs()]:
                raise ValueError(f"{key} names {unknown(wrong[0])}")
            if key.startswith("target.") and (wrong := [name for name in names if socs()[name].unnamed]):
                raise ValueError(f"{key} names {wrong[0]}, a chip without a name; nothing can be promised of it")
        self.published()  # raises ValueError for a figure that no measurement gives

    @property
    def key(self) -> str:
        """The model's name on the command line and in test ids, such as `erfnet`."""
        return self.path.parent.name

    @property
    def own_weights(self) -> Path | None:
        """The checkpoint that lies beside the card, trained on sample data."""
        return self.path.parent / self.sample.weights if self.sample and self.sample.weights else None

    @property
    def kept_outputs(self) -> tuple[str, ...]:
        """Names of the outputs that surgery leaves, and of the graph's nodes that give them."""
        dropped = [step["count"] for step in self.surgery if "keep_outputs" in step.values() and "count" in step]
        return tuple(f"{OUTPUTS}{number}" for number in range(1, min([self.output.count, *dropped]) + 1))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """One frame of the output that is scored: (classes, height, width) of logits, (height, width) of a class map."""
        size = tuple(length // self.output.stride for length in self.input.shape[1:])
        return size if self.output.kind == "classes" else (self.net.classes, *size)

    def published(self) -> list[Record]:
        """The guide's figures as records of origin `published`."""
        return self.published_.records(self.key, self.runtime)

    def at_sample_size(self) -> ModelCard:
        """The card for drawn frames: their size and the network's input shrink to `[sample].size`, where there is one."""
        if self.sample is None or not self.sample.size:
            return self
        steps = self.input.steps if self.input.resizes else ("resize", *self.input.steps)
        small = replace(self.input, shape=(self.input.shape[0], *self.sample.size), steps=steps)
        return replace(self, input=small, scoring=replace(self.scoring, compare="input"))

    def lookup(self, name: str, engine: ModuleType | None = None, key: str = "") -> Callable[..., Any]:
        """The function or class that the card calls `name`, under `key`.

        `net.x` is `x` of the model's own `net.py`, `train.x` of its `train.py`; a bare name is a public function of the
        engine module of that stage. Raises Problem that lists the right names.
        """
        file, dot, attribute = name.rpartition(".")
        own = file in OWN
        module = own_module(self.path.parent / f"{file}.py") if own else None if dot else engine
        if module is None:
            place = key.partition(".")[0] if key.partition(".")[0] in OWN else OWN[0]
            right = f'"{place}.{attribute}"'
            raise Problem(f"{self.path}: {name!r} must be a name in the model's {place}.py, such as {right}")
        known = functions(module, callable) if own else functions(module)
        if attribute not in known:
            right = ", ".join(f"{file}{dot}{n}" for n in known)
            raise Problem(f"{self.path}: {f'{key}: ' if key else ''}there is no {name!r}; known: {right}")
        found: Callable[..., Any] = getattr(module, attribute)
        return found


def load(path: Path) -> ModelCard:
    """The card in a file; raises Problem naming file and key."""
    table = load_toml(path)
    if "path" in table:
        raise Problem(f"{path}: unknown key 'path'")
    return read_table(ModelCard, {**table, "path": path}, path)


def builtin_models() -> Path:
    """The folder of the cards that come with roadworthy, in a clone or in an installed wheel."""
    packaged = Path(__file__).parent / "models"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "models"


def find(folders: Iterable[Path]) -> dict[str, ModelCard]:
    """All cards of the folders by key, sorted; a key in two folders is a Problem, and so is a folder without cards."""
    cards: dict[str, ModelCard] = {}
    for folder in folders:
        paths = sorted(folder.absolute().glob("*/card.toml"))
        if not paths:
            raise Problem(f"{folder}: there is no <model>/card.toml in this folder")
        for path in paths:
            card = load(path)
            if card.key in cards:
                raise Problem(f"{path}: the model {card.key!r} is already defined in {cards[card.key].path}")
            cards[card.key] = card
    return dict(sorted(cards.items()))
