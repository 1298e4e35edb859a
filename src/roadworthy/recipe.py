"""How a model is trained: the `[train]` tables of a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from roadworthy.target import TrainingTarget

Optimizer = Literal["sgd", "adam"]
Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Recipe:
    """The numbers that go with so many devices: crops a device and step, first learning rate, epochs."""

    devices: int
    batch: int
    rate: float
    epochs: int

    def __post_init__(self) -> None:
        for key in ("devices", "batch", "epochs"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} is {getattr(self, key)}; it must be 1 or more")
        if self.rate <= 0:
            raise ValueError(f"rate is {self.rate}; it must be above 0")


@dataclass(frozen=True)
class Training:
    """Loss, optimizer, schedule and augmentation that all recipes of a model share.

    `crop` is (height, width); `scales` bound the short side that a frame is brought to before it is cut, in parts of
    the input's; `blur` is the share of crops that are blurred; `warmup` counts epochs. With `class_weights` c, the loss
    weighs a class by 1/ln(c + its share of pixels). `unused` are parameters that the checkpoint has and nothing reads.
    `best` names the best checkpoint by {epoch} and {miou}, `prefix` stands before every key of it.
    """

    loss: str
    crop: tuple[int, ...]
    optimizer: Optimizer
    schedule: str
    best: str
    recipe: Mapping[str, Recipe]
    scales: tuple[float, ...] = (1.0, 1.0)
    blur: float = 0.0
    momentum: float = 0.9
    decay: float = 0.0
    warmup: int = 0
    precision: Precision = "fp32"
    loss_scale: float | None = None  # None: found while training
    class_weights: float | None = None
    unused: tuple[str, ...] = ()
    prefix: str = ""
    target: TrainingTarget | None = None

    def __post_init__(self) -> None:
        if not self.recipe:
            raise ValueError("recipe is missing; [train.recipe.1p] holds the numbers of one device")
        counts = [recipe.devices for recipe in self.recipe.values()]
        if len(set(counts)) < len(counts):
            raise ValueError(f"recipe has two for {max(counts, key=counts.count)} devices; each number stands once")
        if len(self.crop) != 2 or min(self.crop) < 1:
            raise ValueError(f"crop is {list(self.crop)}; it must be [height, width]")
        if len(self.scales) != 2 or not 0 < self.scales[0] <= self.scales[1]:
            raise ValueError(f"scales is {list(self.scales)}; it must be [lowest, highest]")
        for key, (right, words) in {
            "blur": (0 <= self.blur <= 1, "a share of the crops, from 0 to 1"),
            "momentum": (0 <= self.momentum < 1, "0 or more and below 1"),
            "decay": (self.decay >= 0, "0 or more"),
            "warmup": (self.warmup >= 0, "0 or more"),
            "loss_scale": (self.loss_scale is None or self.loss_scale > 0, "above 0"),
            "class_weights": (self.class_weights is None or self.class_weights > 1, "above 1: 1/ln of it is a weight"),
        }.items():
            if not right:
                raise ValueError(f"{key} is {getattr(self, key)}; it must be {words}")
        try:
            told = self.best.format(epoch=1, miou=0.5) != self.best.format(epoch=2, miou=0.5)
        except (KeyError, IndexError, ValueError):
            told = False
        if not told or "/" in self.best:
            raise ValueError(f"best is {self.best!r}; it must name a file by {{epoch}} and, if it likes, {{miou:.3f}}")

    def recipe_for(self, devices: int) -> str:
        """The name of the recipe of so many devices, else of the next fewer ones, else of the fewest."""
        ordered = sorted(self.recipe, key=lambda name: self.recipe[name].devices)
        fitting = [name for name in ordered if self.recipe[name].devices <= devices]
        return fitting[-1] if fitting else ordered[0]
