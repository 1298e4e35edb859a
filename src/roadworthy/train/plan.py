"""What a training run does, with every number resolved: recipe of the card, flags, processes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from roadworthy.card import ModelCard
from roadworthy.problem import Problem
from roadworthy.recipe import Optimizer, Precision

GRID = 8  # crops are multiples of it: what the networks' strides divide

# what may change when a run goes on: who computes, and how it is watched
FREE = ("devices", "accumulate", "max_steps", "validate", "window")

LIMITS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("batch", "accumulate", "epochs", "window"), (lambda n: n >= 1, "1 or more")),
    **dict.fromkeys(("validate", "warmup", "max_steps"), (lambda n: n >= 0, "0 or more")),
    "seed": (lambda n: 0 <= n < 2**63, "from 0 on and below 2**63, as torch takes it"),
    "rate": (lambda x: x > 0, "above 0"),
    "momentum": (lambda x: 0 <= x < 1, "from 0 on and below 1"),
    "decay": (lambda x: 0 <= x < math.inf, "0 or more, and finite"),
    "blur": (lambda x: 0 <= x <= 1, "a share of the crops, from 0 to 1"),
    "class_weights": (lambda x: 1 < x < math.inf, "above 1, or a class could weigh nothing"),
    "loss_scale": (lambda x: 0 < x < math.inf, "above 0, and finite"),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every number of a training run.

    `batch` counts the crops of a device at once, `accumulate` how many such batches make a step; `crop` is (height,
    width) and `short` bounds the short side before the cut, in pixels; `validate` counts epochs (0: never), `window`
    steps. `shrink` is how labels are brought to the size of coarser outputs.
    """

    model: str
    recipe: str
    devices: int
    batch: int
    accumulate: int
    epochs: int
    rate: float
    optimizer: Optimizer
    momentum: float
    decay: float
    schedule: str
    warmup: int
    loss: str
    class_weights: float | None
    shrink: Literal["nearest", "bilinear"]
    crop: tuple[int, int]
    short: tuple[int, int]
    blur: float
    precision: Precision
    loss_scale: float | None
    seed: int
    max_steps: int | None
    validate: int
    window: int

    def __post_init__(self) -> None:
        for key, (fits, right) in LIMITS.items():
            value = getattr(self, key)
            if value is not None and not fits(value):
                raise Problem(f"--{key.replace('_', '-')} {value:g}: it must be {right}")
        if self.warmup and self.warmup >= self.epochs:
            raise Problem(f"--warmup {self.warmup}: of {self.epochs} epochs the rate must rise in fewer")
        if min(self.crop) < GRID or any(side % GRID for side in self.crop):
            raise Problem(f"--crop {self.crop[0]}x{self.crop[1]}: height and width must be multiples of {GRID}")

    @property
    def global_batch(self) -> int:
        """Crops that a step of the optimizer sees, of all devices together."""
        return self.devices * self.batch * self.accumulate

    def steps_of_epoch(self, frames: int) -> int:
        """Whole global batches of an epoch; what is left over waits for another epoch's order."""
        return frames // self.global_batch

    def total(self, frames: int) -> int:
        """Steps of all epochs, which the schedule is laid over; `max_steps` ends a run before."""
        return self.epochs * self.steps_of_epoch(frames)

    def last(self, frames: int) -> int:
        """The step after which this run ends."""
        return self.total(frames) if self.max_steps is None else min(self.max_steps, self.total(frames))

    def settings(self) -> dict[str, Any]:
        """What a record keeps of the run, the hyper-parameters in the words of the guide's tables."""
        told: dict[str, Any] = {
            "recipe": self.recipe,
            "batch_size": self.batch,
            "global_batch": self.global_batch,
            "accumulate": self.accumulate,
            "lr": self.rate,
            "precision": self.precision,
            "opt_level": {"fp32": "O0", "fp16": "O1"}.get(self.precision, self.precision),
            "epochs": self.epochs,
            "max_steps": self.max_steps,
            "warmup": self.warmup,
            "schedule": self.schedule,
            "optimizer": self.optimizer,
            "crop": "x".join(map(str, self.crop)),
            "seed": self.seed,
        }
        if self.precision == "fp16":
            scale = self.loss_scale
            told["loss_scale"] = "dynamic" if scale is None else int(scale) if scale == int(scale) else scale
        if self.shrink != "nearest":
            told["shrink"] = self.shrink
        return told

    def saved(self) -> dict[str, Any]:
        """For a checkpoint: plain values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def of_saved(cls, saved: Mapping[str, Any]) -> Plan:
        """What `saved` gave; raises Problem where this is no plan of this version."""
        if set(saved) != {field.name for field in fields(cls)}:
            raise Problem("of another version of roadworthy; --finetune begins with its best weights")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in saved.items()}
        return cls(**values)


def resolve(card: ModelCard, full: ModelCard, devices: int, device: str, given: Mapping[str, Any]) -> Plan:
    """The plan of a run: `given` flags (None: not given) before the card's recipe for so many devices.

    `card` is at the size that is trained at, `full` as it was written: crops shrink with the input. Mixed precision is
    for accelerators: on a cpu it must be asked for. Raises Problem where the card says nothing of training, and for a
    flag that cannot be.
    """
    if full.train is None:
        raise Problem(f"{full.path}: {full.key} cannot be trained: its card has no [train] table")
    told = full.train
    name = given.get("recipe") or told.recipe_for(devices)
    if name not in told.recipe:
        raise Problem(f"--recipe {name}: {full.key} has {', '.join(told.recipe)}")
    recipe, shrunk = told.recipe[name], card.input.shape[1] / full.input.shape[1]
    base = min(card.input.shape[1:])
    crop = given.get("crop")
    height, width = (max(GRID, round(side * shrunk / GRID) * GRID) for side in told.crop)
    if crop is not None:
        height, width = _crop(crop, (height, width))
    epochs = recipe.epochs if given.get("epochs") is None else given["epochs"]
    asked = bool(given.get("recipe"))
    if asked and recipe.devices > devices and recipe.devices % devices and given.get("accumulate") is None:
        fitting = ", ".join(str(count) for count in range(1, recipe.devices + 1) if recipe.devices % count == 0)
        raise Problem(
            f"--recipe {name}: {devices} devices cannot take its steps; {fitting} can, or --accumulate says how"
        )
    low, high = told.scales if given.get("scales") is None else _scales(given["scales"])
    numbers: dict[str, Any] = {
        "batch": recipe.batch,
        "accumulate": max(1, recipe.devices // devices) if asked else 1,  # one device can do what eight do
        "rate": recipe.rate,
        "warmup": min(told.warmup, epochs // 4),  # a short trial does more than warm up
        "precision": "fp32" if device == "cpu" else told.precision,
        "loss_scale": told.loss_scale,
        "optimizer": told.optimizer,
        "momentum": told.momentum,
        "decay": told.decay,
        "schedule": told.schedule,
        "class_weights": told.class_weights,
        "blur": told.blur,
        "shrink": "nearest",
        "seed": 0,
        "max_steps": None,
        "validate": 1,
        "window": 10,
    }
    return Plan(
        model=full.key,
        recipe=name,
        devices=devices,
        epochs=epochs,
        loss=told.loss,
        crop=(height, width),
        short=(round(low * base), round(high * base)),
        **{key: value if given.get(key) is None else given[key] for key, value in numbers.items()},
    )


def resumed(saved: Plan, devices: int, given: Mapping[str, Any]) -> Plan:
    """The plan of a run that goes on: as it was saved, on other devices if the global batch stays what it was.

    Raises Problem where a flag asks for another number than the run was begun with.
    """
    for key in ("batch", "accumulate"):
        if given.get(key) is not None and given[key] < 1:
            raise Problem(f"--{key} {given[key]}: it must be 1 or more")
    batch = given.get("batch") or saved.batch
    if given.get("crop") is not None:
        given = {**given, "crop": _crop(given["crop"], saved.crop)}
    if given.get("scales") is not None:
        raise Problem(f"--scales {given['scales']}: the run to go on with has its own; leave the flag out")
    for key, value in given.items():
        if value is not None and key not in (*FREE, "batch") and value != getattr(saved, key):
            asked, began = (_text(number) for number in (value, getattr(saved, key)))
            flag = key.replace("_", "-")
            raise Problem(f"--{flag} {asked}: the run to go on with was begun with {began}; leave the flag out")
    alike = saved.global_batch % (devices * batch) == 0
    accumulate = given.get("accumulate") or (saved.global_batch // (devices * batch) if alike else 0)
    if devices * batch * accumulate != saved.global_batch:
        raise Problem(
            f"the run to go on with has {saved.global_batch} crops a step; {devices} devices x {batch} crops x "
            f"{accumulate or 'any number of'} batches make another number"
        )
    free = {key: given[key] for key in ("validate", "window") if given.get(key) is not None}
    changed = {"devices": devices, "batch": batch, "accumulate": accumulate, "max_steps": given.get("max_steps")}
    return Plan.of_saved({**saved.saved(), **free, **changed})


def _text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _scales(text: str) -> tuple[float, float]:
    """`0.5-2`, lowest and highest."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", text)
    if not found or not 0 < float(found[1]) <= float(found[2]):
        raise Problem(
            f"--scales {text}: it must be the lowest and the highest part of the input's short side, such as 0.5-2"
        )
    return float(found[1]), float(found[2])


def _crop(text: str, default: tuple[int, int]) -> tuple[int, int]:
    """`192x384`, or `192` for the height with the width in proportion."""
    found = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    if not found:
        raise Problem(f"--crop {text}: it must be a height, or height x width, such as 192 or 192x384")
    height = int(found[1])
    return height, int(found[2]) if found[2] else round(height * default[1] / default[0])
