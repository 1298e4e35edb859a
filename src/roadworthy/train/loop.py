"""The loop: batches -> loss -> step, validation, checkpoints; the same lines for one process and for many."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from roadworthy import evaluations, fingerprint, network, pipeline, soc
from roadworthy.card import ModelCard
from roadworthy.case import Case
from roadworthy.data import stream
from roadworthy.data.cityscapes import Dataset
from roadworthy.evaluations import Evaluation
from roadworthy.problem import Problem
from roadworthy.runtimes import eager
from roadworthy.train import checkpoint, feed, loss, schedule, trouble
from roadworthy.train.checkpoint import FRESH, History
from roadworthy.train.group import Group
from roadworthy.train.journal import Journal, Step
from roadworthy.train.keeper import Keeper
from roadworthy.train.plan import Plan

LEFT_OUT = 10  # steps in a row that no run goes on after
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Frames:
    """What is trained on and validated on, at the card's size; `validated` names the latter for records."""

    train: Dataset
    val: Dataset | None
    validated: str = ""


@dataclass(frozen=True)
class Start:
    """Where a run begins: at fresh weights, at those of a checkpoint, or where another run stopped."""

    finetune: Path | None = None
    resume: Path | None = None
    state: Mapping[str, Any] | None = None  # what `resume` holds


class Loop:
    """One training run of one process; `train` goes through it, and what it has seen stays in `history`."""

    def __init__(  # noqa: PLR0913, PLR0917  all that a run is made of
        self, card: ModelCard, plan: Plan, frames: Frames, group: Group, out: Path, journal: Journal | None
    ) -> None:
        assert card.train is not None
        self.card, self.told, self.plan, self.frames, self.group = card, card.train, plan, frames, group
        self.keeper, self.journal = Keeper(out, card.train.best, card.train.prefix, first=group.first), journal
        self.history, self.step, self.weights = History(), 0, FRESH
        self.start, self.begun = 0, 0  # the step that this process begins at, and windows that other devices have seen
        self._loss = card.lookup(plan.loss, key="train.loss")
        self._shrink: loss.Shrink = getattr(loss, plan.shrink)
        self._rate = card.lookup(plan.schedule, schedule, "train.schedule")
        torch.manual_seed(plan.seed)
        self.module = network.build(card).to(group.device)
        unknown = set(self.told.unused) - set(dict(self.module.named_parameters()))
        if unknown:
            raise Problem(f"{card.path}: train.unused names {min(unknown)!r}, which is no parameter of the network")
        for name, parameter in self.module.named_parameters():
            parameter.requires_grad_(name not in self.told.unused)
        self._optimizer = _optimizer(plan, self.module)
        self._left_out = 0  # steps in a row that overflowed
        self._optimizer.register_step_post_hook(self._take)
        self._scaler = group.scaler(plan.loss_scale, enabled=plan.precision == "fp16")
        self._weight: Tensor | None = None

    @property
    def epoch(self) -> int:
        """The epoch of the step that comes next, from 1 on."""
        return self.step // self.plan.steps_of_epoch(len(self.frames.train)) + 1

    def begin(self, start: Start) -> None:
        """Take up the weights, or the whole state, that the run starts from; raises Problem where they do not fit."""
        if start.finetune is not None:
            for name in checkpoint.begin(self.card, self.module, start.finetune):
                self._say(f"{name}: of another number of classes in {start.finetune}; begins anew")
            self.weights = f"{start.finetune.name}@{fingerprint.of_file(start.finetune)}"
        if start.state is not None and start.resume is not None:
            state = dict(start.state)
            here = len(self.frames.train)
            if state["frames"] != here:
                begun = f"the run was begun with {state['frames']} training frames"
                raise Problem(f"{start.resume}: {begun}; {self.frames.train.root} holds {here}")
            want = self.module.state_dict()
            self.module.load_state_dict(network.matched(self.card, start.resume, state["state_dict"], want))
            for name in ("optimizer", "scaler"):
                self._parts()[name].load_state_dict(state[name])
            self.history, self.step = History(**state["history"]), state["step"]
            self.weights = state["weights"]
            self.start = self.step
            self.begun = 0 if state["work"] == self._work() else len(self.history.windows)
            self.keeper.take_along(start.resume.parent, state["best"])

    def train(self, stopping: Callable[[], bool], workers: int = stream.WORKERS) -> bool:
        """Go through all steps, or up to the one after which `stopping` says so; the state of the last step is kept.

        Gives whether the run is over. Raises Problem where a batch cannot be made or does not fit, loss or weights are
        not finite, or another process is gone.
        """
        total, frames = self.plan.last(len(self.frames.train)), len(self.frames.train)
        if not self.plan.total(frames):
            raise Problem(
                f"{self.frames.train.root}: {frames} training frames are fewer than the {self.plan.global_batch} of one step "
                f"({self.plan.devices} devices x {self.plan.batch} crops x {self.plan.accumulate} batches)"
            )
        with trouble.told(self.plan, self.group, self.keeper.last):
            if self.told.class_weights is not None:
                self._weight = feed.class_weights(self.card, self.frames.train, self.told.class_weights)
                self._weight = self._weight.to(self.group.device)
            self._keep()  # a folder that cannot be written is known before the first hour
            if self._due(total):  # stopped after an epoch's last step
                self._end_epoch(total)
            return self._through(total, stopping, workers)

    def _through(self, total: int, stopping: Callable[[], bool], workers: int) -> bool:
        wrapped = self.group.wrap(self.module)
        crops = feed.batches(self.card, self.frames.train, self.plan, self.step, self.group.place.rank, workers)
        window = _Window(self.step, self.plan.window, warm=False)
        while self.step < total:
            epoch = self.epoch
            self._one_step(wrapped, crops, window)
            stopped = self.group.any(stopping())  # at every step: torchrun kills 30 s after it was asked to stop
            ended = self.epoch > epoch or self.step == total
            if stopped or ended or self.step - window.first == window.steps:
                self._close(window, epoch, total)
                if stopped and self.step < total:  # after the last step, the end is nearer than another start
                    self._keep()
                    self._draw()
                    return False
                paused = ended or self.group.any(self.keeper.due)  # clocks differ; windows must end together
                if ended:
                    self._end_epoch(total)
                elif paused:
                    self._keep()
                window = self._next(paused=paused)
            elif self.journal:
                self.journal.step(Step(self.step, total, epoch))
        return True

    def _next(self, *, paused: bool) -> _Window:
        """The window that follows; crops that were made while the clock stood still are used up in one of its own."""
        if paused:
            return _Window(self.step, -(-feed.AHEAD // self.plan.accumulate), warm=False)
        return _Window(self.step, self.plan.window, warm=True)

    def _take(self, *_: object) -> None:
        self._left_out = -1

    def _work(self) -> list[Any]:
        """What images/s depend on; a run that goes on with the same is one run."""
        return [self.group.device.type, self.plan.devices, self.plan.batch, self.plan.accumulate]

    def _one_step(self, wrapped: nn.Module, crops: Any, window: _Window) -> None:
        plan, device = self.plan, self.group.device
        self.module.train()
        rate = plan.rate * self._rate(self.step, *self._laid_over())
        for parameters in self._optimizer.param_groups:
            parameters["lr"] = rate
        for turn in range(plan.accumulate):
            asked = time.perf_counter()
            images, labels = next(crops)
            window.waited += time.perf_counter() - asked
            number = (self.step * plan.accumulate + turn) * plan.devices + self.group.place.rank
            torch.manual_seed(_mixed(plan.seed, number))  # of dropout: the same crops drop the same, whoever has them
            apart = turn + 1 < plan.accumulate
            with self.group.apart(wrapped) if apart else contextlib.nullcontext():
                with torch.autocast(device.type, TYPES[plan.precision], enabled=plan.precision != "fp32"):
                    outputs = wrapped(images.to(device))
                found = self._loss_of(outputs, labels.to(device)) / plan.accumulate
                self._scaler.scale(found).backward()
            window.add(found.detach(), last=turn + 1 == plan.accumulate)
        self._scaler.step(self._optimizer)  # which takes it, unless a gradient overflows
        self._left_out += 1
        window.skipped += self._left_out > 0
        self._scaler.update(plan.loss_scale)  # one that is given stays, whatever overflows
        self._optimizer.zero_grad()
        window.rates.append(rate)
        self.step += 1

    def _loss_of(self, outputs: Any, labels: Tensor) -> Tensor:
        outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)

        def entropy(output: Tensor) -> Tensor:
            return loss.entropy(output, labels, self._weight, self._shrink)

        found: Tensor = self._loss(outputs, entropy)
        return found

    def _laid_over(self) -> tuple[int, int]:
        frames = len(self.frames.train)
        return self.plan.total(frames), self.plan.warmup * self.plan.steps_of_epoch(frames)

    def _close(self, window: _Window, epoch: int, total: int) -> None:
        """End a window: its losses are averaged over all processes; they and the weights after it must be finite."""
        losses = self.group.mean(torch.stack(window.losses)).tolist()
        seconds = time.perf_counter() - window.began
        good = f"{self.keeper.last} holds the last good state (a lower --rate, a longer --warmup or a smaller --loss-scale may help)"
        for number, (value, rate) in enumerate(zip(losses, window.rates, strict=True), window.first + 1):
            if not math.isfinite(value):
                raise Problem(f"the loss is {value} at step {number}, learning rate {rate:.3g}; {good}")
        if not torch.stack([value.detach().isfinite().all() for value in self.module.parameters()]).all():
            told = f"the weights are no longer finite after step {self.step}, learning rate {window.rates[-1]:.3g}"
            raise Problem(f"{told}; {good}")
        if window.skipped:
            self._tell_skipped(window.skipped, len(losses))
        self.history.losses += losses
        self.history.rates += window.rates
        images = len(losses) * self.plan.global_batch
        self.history.windows.append([self.step, images, seconds, window.waited, float(window.warm)])
        if self.journal:
            mean, left = sum(losses) / len(losses), (total - self.step) * seconds / len(losses)
            figures = (mean, window.rates[-1], images / seconds, window.waited / seconds, left)
            self.journal.step(Step(self.step, total, epoch, *figures))

    def _tell_skipped(self, skipped: int, steps: int) -> None:
        if self._left_out >= LEFT_OUT and self.plan.loss_scale is not None:
            told = f"the last {self._left_out} steps up to {self.step} were left out: gradients overflow in fp16"
            raise Problem(f"{told} at --loss-scale {self.plan.loss_scale:g}, which stays; a smaller one helps")
        self._say(f"{skipped} of {steps} steps up to {self.step} were left out: gradients overflow in fp16")

    def _due(self, total: int) -> bool:
        """Whether the last step ended an epoch, or the run, that is to be validated or kept and has not been."""
        epoch, left = divmod(self.step, self.plan.steps_of_epoch(len(self.frames.train)))
        over, scores, validate = self.step == total, self.history.scores, self.plan.validate
        if not self.step or (left and not over):
            return False
        if self.frames.val is None or not validate:
            return over and not (scores and self.keeper.best)  # what was never validated, the last weights replace
        return (over or epoch % validate == 0) and (not scores or scores[-1][1] < self.step)

    def _end_epoch(self, total: int) -> None:
        epoch = -(-self.step // self.plan.steps_of_epoch(len(self.frames.train)))
        if self._due(total) and self.frames.val is not None and self.plan.validate:
            self._keep()  # whoever is killed in a long validation goes on with it
            score = self._validated(self.frames.val)
            better = self.history.best is None or score > self.history.best[2]
            self.history.scores.append([epoch, self.step, score])
            self._say(f"epoch {epoch}: mIoU {score:.6f}" + (", the best so far" if better else ""))
            if self.journal:
                self.journal.scalars({"mIoU": score}, self.step)
            if better:
                self.keeper.keep_best(self.module, epoch, score)
        elif self._due(total):
            self.keeper.keep_best(self.module, epoch, None)
        self._keep()
        self._draw()

    def _validated(self, dataset: Dataset) -> float:
        """The mIoU by the card's convention, every process a share of the frames."""
        evaluation = evaluated(self.card, self.module, dataset, self.group)
        return evaluations.score(self.card, evaluation).miou

    def _keep(self) -> None:
        state = checkpoint.state(self.plan, self.step, self.history, **self._parts())
        self.keeper.keep({**state, "frames": len(self.frames.train), "weights": self.weights, "work": self._work()})

    def _draw(self) -> None:
        self.keeper.draw(
            self.history, f"{self.card.name}, {self.plan.devices} x {self.group.device.type}, seed {self.plan.seed}"
        )

    def _parts(self) -> dict[str, Any]:
        """What has a state of its own."""
        return {"module": self.module, "optimizer": self._optimizer, "scaler": self._scaler}

    def _say(self, text: str) -> None:
        if self.journal:
            self.journal.say(text)


class _Window:
    """Losses and rates of the steps since the last look at them: a look makes the host wait for the device."""

    def __init__(self, first: int, steps: int, *, warm: bool) -> None:
        self.first, self.steps, self.warm = first, steps, warm
        self.began, self.waited, self.skipped = time.perf_counter(), 0.0, 0
        self.losses: list[Tensor] = []
        self.rates: list[float] = []
        self._parts: list[Tensor] = []

    def add(self, part: Tensor, *, last: bool) -> None:
        """A batch's share of its step's loss."""
        self._parts.append(part)
        if last:
            self.losses.append(torch.stack(self._parts).sum())
            self._parts = []


def evaluated(card: ModelCard, module: nn.Module, dataset: Dataset, group: Group) -> Evaluation:
    """All frames through the module, a share by every process; every process has the whole result."""
    group.same_statistics(module)
    place, case = group.place, Case(card, soc.find("cpu"), 1)
    own = evaluations.share(dataset, place.rank, place.world)
    session = eager.Session(module, group.device, (1, *card.input.shape))
    found = pipeline.evaluate(case, session, own, keep=0) if len(own) else None
    return evaluations.joined(group.gathered(found))


def _optimizer(plan: Plan, module: nn.Module) -> torch.optim.Optimizer:
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if plan.optimizer == "adam":
        return torch.optim.Adam(trained, plan.rate, weight_decay=plan.decay)
    return torch.optim.SGD(trained, plan.rate, momentum=plan.momentum, weight_decay=plan.decay)


def _mixed(seed: int, number: int) -> int:
    """One seed of two numbers, of 64 bits as torch takes it."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])
