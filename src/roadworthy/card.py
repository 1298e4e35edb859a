"""What one guide promises and how to check it: `models/<key>/card.toml`."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.schema import load_toml, read_table
from roadworthy.soc import socs, unknown


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
        if len(self.shape) != 3:
            raise ValueError(f"shape is {list(self.shape)}; it must be [channels, height, width]")


@dataclass(frozen=True)
class Output:
    """What the graph gives: logits, or a class map where argmax is inside the graph."""

    kind: Literal["logits", "classes"]
    index: int = 0  # of the output that is scored


@dataclass(frozen=True)
class Export:
    """ONNX opset and the batch sizes of the guide."""

    opset: int
    batches: tuple[int, ...]


@dataclass(frozen=True)
class Atc:
    """Options of the Ascend compiler."""

    output_type: Literal["FP32", "FP16"] = "FP32"


@dataclass(frozen=True)
class Scoring:
    """How the guide counts mIoU: which labels, compared at which size, averaged how."""

    labels: Literal["labelTrainIds", "labelIds"]
    compare: Literal["input", "full"]
    average: str


@dataclass(frozen=True)
class Drop:
    """How far below its target a figure may lie: in points (of percent) or relative to the target, never both."""

    points: float | None = None
    relative: float | None = None

    def __post_init__(self) -> None:
        if (self.points is None) == (self.relative is None):
            raise ValueError('drop must hold one of "points" and "relative"')

    def floor(self, target: float) -> float:
        """The lowest passing mIoU (fraction) for a target (fraction)."""
        return target - self.points / 100 if self.points is not None else target * (1 - (self.relative or 0))


@dataclass(frozen=True)
class Target:
    """The promise: mIoU in percent on the whole of Cityscapes val, and ratios of best-batch throughput."""

    miou: float
    drop: Drop
    judge: str
    vs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """What the weights in the model's own folder reach on the drawn sample data (percent); never a figure of a chip."""

    weights: str
    data: str  # name and size of the data set that the figure is for, such as sample-v1/24
    miou: float
    drop: Drop


@dataclass(frozen=True)
class Published:
    """The guide's own figures: mIoU in percent; images/s by batch size, "oom" where memory did not suffice."""

    miou: Mapping[str, float] = field(default_factory=dict)
    throughput: Mapping[str, tuple[float | Literal["oom"], ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        batches = self.throughput.get("batch", ())
        if not all(isinstance(batch, float) and batch >= 1 and batch % 1 == 0 for batch in batches):
            raise ValueError(f"throughput.batch is {list(batches)}; it must be a list of whole numbers")
        rows = len(batches)
        for soc, column in self.throughput.items():
            if len(column) != rows:
                raise ValueError(f"throughput.{soc} has {len(column)} figures for {rows} batch sizes")


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
    atc: Atc = Atc()
    runtime: Mapping[str, str] = field(default_factory=dict)
    sample: Sample | None = None
    published_: Published = Published()

    def __post_init__(self) -> None:
        for i, step in enumerate(self.surgery):
            if not isinstance(step.get("pass"), str):
                raise ValueError(f'surgery[{i}] has no "pass"; it names the graph operation')
        chips = {"target.judge": [self.target.judge], "target.vs": self.target.vs, "runtime": self.runtime}
        chips["published.miou"] = self.published_.miou
        chips["published.throughput"] = [name for name in self.published_.throughput if name != "batch"]
        for key, names in chips.items():
            if wrong := [name for name in names if name not in socs()]:
                raise ValueError(f"{key} names {unknown(wrong[0])}")

    @property
    def key(self) -> str:
        """The model's name on the command line and in test ids, such as `erfnet`."""
        return self.path.parent.name

    def published(self) -> list[Record]:
        """The guide's figures as records of origin `published`."""
        records = [
            Record(model=self.key, soc=soc, batch=None, metric="miou", value=percent / 100, source="published")
            for soc, percent in self.published_.miou.items()
        ]
        batches = self.published_.throughput.get("batch", ())
        for soc, column in self.published_.throughput.items():
            if soc == "batch":
                continue
            clock = "wall" if self.runtime.get(soc) == "eager" else "device"
            for batch, figure in zip(batches, column, strict=True):
                value, outcome = (None, "oom") if isinstance(figure, str) else (figure, "ok")
                records.append(
                    Record(
                        model=self.key,
                        soc=soc,
                        batch=int(batch),
                        metric="throughput",
                        value=value,
                        outcome=outcome,  # type: ignore[arg-type]
                        source="published",
                        clock=clock,  # type: ignore[arg-type]
                        runtime=self.runtime.get(soc),
                    )
                )
        return records

    def lookup(self, name: str, engine: ModuleType | None = None) -> Callable[..., Any]:
        """The function or class that the card calls `name`.

        `net.x` is `x` of the model's own `net.py`; a bare name is a public function of the engine module of that
        stage. Raises Problem that lists the right names.
        """
        own = name.startswith("net.")
        module, attribute = (self._net(), name[4:]) if own else (engine, name)
        if module is None:
            raise Problem(f'{self.path}: {name!r} must be a name in the model\'s net.py, such as "net.{name}"')
        known = functions(module, callable) if own else functions(module)
        if attribute not in known:
            right = ", ".join(f"net.{n}" if own else n for n in known)
            raise Problem(f"{self.path}: there is no {name!r}; known: {right}")
        found: Callable[..., Any] = getattr(module, attribute)
        return found

    def _net(self) -> ModuleType:
        path = self.path.parent / "net.py"
        name = f"roadworthy_models.{self.key}.{abs(hash(path))}"
        if name not in sys.modules:
            if not path.exists():
                raise Problem(f"{path}: there is no such file; the card {self.path} names functions of it")
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except (ImportError, SyntaxError) as error:
                del sys.modules[name]  # a half-made module must not be found again
                raise Problem(f"{path}: cannot be imported ({error})") from error
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]


def functions(module: ModuleType, kind: Callable[[object], bool] = inspect.isfunction) -> list[str]:
    """The names that a card may use of a module: its own public functions, or whatever else is of this kind."""
    members = inspect.getmembers(module, kind)
    return [n for n, member in members if not n.startswith("_") and member.__module__ == module.__name__]


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
        paths = sorted(folder.glob("*/card.toml"))
        if not paths:
            raise Problem(f"{folder}: there is no <model>/card.toml in this folder")
        for path in paths:
            card = load(path)
            if card.key in cards:
                raise Problem(f"{path}: the model {card.key!r} is already defined in {cards[card.key].path}")
            cards[card.key] = card
    return dict(sorted(cards.items()))
