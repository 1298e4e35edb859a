"""The rim of training: flags -> a plan, signals, progress, what a process of many says. See `roadworthy.train`."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadworthy import terminal
from roadworthy.card import ModelCard
from roadworthy.data import cityscapes
from roadworthy.problem import Problem

if TYPE_CHECKING:
    from roadworthy.train.group import Group, Road
    from roadworthy.train.journal import Step
    from roadworthy.train.loop import Frames, Loop, Start
    from roadworthy.train.plan import Plan
    from roadworthy.train.results import Ran
    from roadworthy.workshop import Share

INTERRUPTED = 130
AWAIT_S = 8.0  # for another process to say first what is wrong with all of them
NUMBERS = {  # flags that stand for a number of the card, and their types
    "recipe": (str, "NAME", "table of the card's [train.recipe] (default: that of so many devices)"),
    "epochs": (int, "N", "times over the frames"),
    "batch": (int, "N", "crops of a device at once"),
    "accumulate": (int, "N", "batches a step"),
    "crop": (str, "H[xW]", "size of crops (H alone: in the card's proportion)"),
    "rate": (float, "R", "highest learning rate"),
    "schedule": (str, "NAME", "how the rate falls: cosine or poly"),
    "warmup": (int, "N", "epochs that the rate takes to rise"),
    "momentum": (float, "M", "of sgd"),
    "decay": (float, "D", "of weights"),
    "class_weights": (float, "C", "weigh a class by 1/ln(C + its share of pixels)"),
    "scales": (str, "LOW-HIGH", "of the short side before the cut, in parts of the input's, such as 0.5-2"),
    "blur": (float, "SHARE", "of the crops that are blurred"),
    "loss_scale": (float, "S", "fixed factor of losses in fp16 (default: the card's, else found while training)"),
    "seed": (int, "N", "of weights, order, crops and dropout (default: 0)"),
    "max_steps": (int, "N", "end after so many steps; the rates stay those of all epochs"),
    "validate": (int, "N", "epochs from one validation to the next, 0 for none (default: 1)"),
    "window": (int, "N", "steps between two looks at the loss (default: 10); the first ones warm up"),
}
CHOICES = {
    "optimizer": (("sgd", "adam"), "by which weights learn"),
    "precision": (("fp32", "bf16", "fp16"), "of activations (default: the card's, on a cpu fp32)"),
    "shrink": (("nearest", "bilinear"), "labels to coarser outputs; bilinear is the guide's, and invents classes"),
}


def add_flags(add: Callable[..., Any]) -> None:
    """The flags of `roadworthy train`; what is not given comes from the card."""
    add("--data", default=cityscapes.SAMPLE, metavar="DIR", help="Cityscapes folder (default: the sample data)")
    add("--out", type=Path, metavar="DIR", help="folder of the run (default: trained/MODEL)")
    add("--device", default="auto", metavar="KIND", help="cpu, cuda or npu (default: what torch sees)")
    for name, (kind, metavar, text) in NUMBERS.items():
        add(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=text)
    for name, (choices, text) in CHOICES.items():
        add(f"--{name}", choices=choices, help=text)
    add("--workers", type=int, metavar="N", help="threads that make crops (default: by the cores)")
    add("--finetune", type=Path, metavar="FILE", help="begin with these weights, also of another number of classes")
    add("--resume", type=Path, nargs="?", const=Path(), metavar="FILE", help="go on from last.pth in --out, or FILE")
    add("--safetensors", action="store_true", help="keep the best weights as float16 too, with what made them")
    add("--dry-run", action="store_true", help="show the resolved configuration, train nothing")


def train(card: ModelCard, options: argparse.Namespace) -> int:
    """`roadworthy train`, in the only process or in one of many; exit status."""
    with one_voice():
        return _Training(card, options).run()


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Among many processes, what is wrong with all of them is told by the first, what is wrong with one by that one."""
    from roadworthy.train.group import Place  # noqa: PLC0415  torch
    from roadworthy.train.trouble import Lost  # noqa: PLC0415

    place = Place.here()
    try:
        yield
    except Lost:
        raise
    except Problem as problem:
        if place.rank == 0:
            raise
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # torchrun ends this one when the first has ended
        time.sleep(AWAIT_S)
        raise type(problem)(f"process {place.rank}: {problem}") from problem


@contextlib.contextmanager
def shared() -> Iterator[Share]:
    """The part of an evaluation that falls to this process: all of it, or under torchrun a share."""
    from roadworthy.train import group  # noqa: PLC0415
    from roadworthy.workshop import Share  # noqa: PLC0415

    place = group.Place.here()
    with group.joined(group.CPU, place) as found:
        yield Share(place.rank, place.world, found.gathered)


@dataclass(frozen=True)
class _Training:
    full: ModelCard
    options: argparse.Namespace

    def run(self) -> int:
        from roadworthy.train import group  # noqa: PLC0415

        place, road = group.Place.here(), group.find(self.options.device)
        plan, start, card = self._planned(place.world, road.kind)
        if self.options.dry_run:
            if place.rank == 0:
                print("\n".join(self._lines(plan, road, card)))
            return 0
        with group.joined(road, place) as found, _stopping(alone=place.world == 1) as stopping:
            return self._train(card, plan, start, found, stopping)

    @property
    def out(self) -> Path:
        return Path(self.options.out or Path("trained") / self.full.key)

    def _fitted(self) -> ModelCard:
        """Drawn frames are trained on at the size at which they are judged."""
        return self.full.at_sample_size() if cityscapes.is_drawn(self.options.data) else self.full

    def _planned(self, devices: int, kind: str) -> tuple[Plan, Start, ModelCard]:
        from roadworthy.train import checkpoint, plan  # noqa: PLC0415
        from roadworthy.train.loop import Start  # noqa: PLC0415

        options, card = self.options, self._fitted()
        if options.workers is not None and options.workers < 1:
            raise Problem(f"--workers {options.workers}: it must be 1 or more")
        if options.resume == Path() and not (self.out / checkpoint.LAST).exists():
            told = f"{self.out / checkpoint.LAST}: there is no run to go on with; --out names its folder"
            raise Problem(f"{told}, and without --resume one begins")
        given = {name: getattr(options, name) for name in (*NUMBERS, *CHOICES)}
        last = self.out / checkpoint.LAST
        path = last if options.resume == Path() else options.resume
        if last.exists() and not options.dry_run and (path is None or (path.exists() and not path.samefile(last))):
            raise Problem(f"{last}: a run is there already; --resume goes on with it, --out names another folder")
        if path is None:
            return plan.resolve(card, self.full, devices, kind, given), Start(options.finetune), card
        if options.finetune:
            raise Problem("--finetune begins a run and --resume goes on with one: give one of them")
        state = checkpoint.read(path, self.full.key)
        try:
            found = plan.resumed(plan.Plan.of_saved(state["plan"]), devices, given)
        except Problem as problem:
            raise Problem(f"{path}: {problem}") from None
        return found, Start(resume=path, state=state), card

    def _lines(self, plan: Plan, road: Road, card: ModelCard) -> list[str]:
        """The resolved configuration, a line each."""
        height, width = card.input.shape[1:]
        told = {
            "model": self.full.key,
            "data": f"{self.options.data}, input {height}x{width}",
            "out": str(self.out),
            "device": road.kind,
            "backend": road.backend if plan.devices > 1 else f"{road.backend}, not used by one process",
            "global batch": f"{plan.global_batch} = {plan.devices} devices x {plan.batch} crops x {plan.accumulate}",
        }
        numbers = {key: value for key, value in plan.saved().items() if key not in ("model", "batch", "accumulate")}
        return [f"{key.replace('_', ' '):14} {_text(value)}" for key, value in {**told, **numbers}.items()]

    def _train(self, card: ModelCard, plan: Plan, start: Start, group: Group, stopping: Callable[[], bool]) -> int:
        from roadworthy.train import journal, results  # noqa: PLC0415
        from roadworthy.train.loop import Loop  # noqa: PLC0415

        frames = self._frames(card)
        with _bar(group.first) as bar:
            written = journal.Journal(self.out, bar.say, bar.show) if group.first else None
            loop = Loop(card, plan, frames, group, self.out, written)
            loop.begin(start)
            ran = self._ran(plan, frames, group, loop.weights)
            if written:
                for line in self._lines(plan, group.road, card):
                    written.note(line)
                written.note(f"{ran.device or group.device}, {self._workers(group)} threads make crops")
            try:
                over = loop.train(stopping, self._workers(group))
            except Problem as problem:
                if written:
                    written.note(str(problem))
                    with contextlib.suppress(Problem):  # of a full disk, which is what ended the run
                        results.append(self.out, results.lost(ran, problem, loop.step))
                raise
            if group.first:
                if not over:
                    bar.say(f"stopped after step {loop.step}; --resume --out {self.out} goes on")
                self._tell(loop, ran, bar.say)
        return 0 if over else INTERRUPTED

    def _frames(self, card: ModelCard) -> Frames:
        """Frames to train on and to validate on; all of the latter are read, so that none is bad in the end."""
        from roadworthy import pipeline  # noqa: PLC0415
        from roadworthy.material import Material  # noqa: PLC0415
        from roadworthy.train.loop import Frames  # noqa: PLC0415

        train = pipeline.open_data(self.options.data, card, "train")
        if self.options.validate == 0:
            return Frames(train, None)
        try:
            pipeline.open_data(self.options.data, card, "val")
        except Problem as problem:
            raise Problem(f"{problem}; --validate 0 trains without validation") from None
        return Frames(train, *Material(self.options.data, None).dataset(card))

    def _ran(self, plan: Plan, frames: Frames, group: Group, weights: str) -> Ran:
        from roadworthy.train import plan as plans  # noqa: PLC0415
        from roadworthy.train.group import name_of  # noqa: PLC0415
        from roadworthy.train.results import Ran  # noqa: PLC0415

        called = name_of(group.device)
        return Ran(
            card=self.full,
            plan=plan,
            recipe=plans.resolve(
                self._fitted(), self.full, plan.devices, group.road.kind, {"recipe": plan.recipe, "accumulate": 1}
            ),
            soc=group.road.soc(called),
            device=called,
            data=frames.validated or frames.train.name,
            frames=len(frames.val) if frames.val else None,
            drawn=frames.train.origin is not None,
            weights=weights,
            steps=plan.total(len(frames.train)),
            threads=group.threads,
        )

    def _workers(self, group: Group) -> int:
        if self.options.workers is not None:
            return int(self.options.workers)
        return max(2, min(16, len(os.sched_getaffinity(0)) // group.place.neighbours))

    def _tell(self, loop: Loop, ran: Ran, say: Callable[[str], None]) -> None:
        """Records, figures on stdout, and how to come by them again."""
        from roadworthy.train import results  # noqa: PLC0415

        found = []
        if loop.step > loop.start:  # what another process has told stays as it was
            results.append(self.out, found := results.records(ran, loop.history, self.out, loop.step, loop.begun))
        if best := loop.history.best:
            print(f"mIoU {loop.history.scores[-1][2]:.6f}, best {best[2]:.6f} (epoch {best[0]:.0f})")
        for row in found:
            if row.metric == "train.throughput":
                speed = f"{row.value:.2f} images/s" if row.value is not None else f"no images/s: {row.detail}"
                print(f"{speed} ({ran.name})")
        if loop.keeper.best:
            path = self.out / loop.keeper.best
            print(path)
            if self.options.safetensors:
                self._ship(loop, path)
        if loop.keeper.best and loop.history.scores:
            data = shlex.quote(self.options.data)
            verb = f"roadworthy evaluate {self.full.key} --weights {shlex.quote(str(path))} --data {data}"
            say(f"the same figure: {verb} --soc cpu --runtime eager; of the graph: without --runtime")

    def _ship(self, loop: Loop, best: Path) -> None:
        from roadworthy import network  # noqa: PLC0415
        from roadworthy.train import checkpoint  # noqa: PLC0415

        path = self.out / f"{self.full.key}.safetensors"
        made_by = {"command": f"roadworthy {shlex.join(sys.argv[1:])}", "commit": _commit()}  # of the code that runs
        header = {**loop.plan.saved(), **made_by, "data": loop.frames.train.name, "steps": loop.step}
        told = {key: str(value) for key, value in header.items()}
        checkpoint.save_half(network.load(self.full, best), path, told)
        print(path)


class _Bar:
    """Progress on the terminal, lines where there is none; silent but for the first process."""

    def __init__(self, bar: terminal.Bar) -> None:
        self._bar, self._task = bar, bar.add_task("training", total=None)
        self._told = ""

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, step: Step) -> None:
        """The step, with the figures of the last window."""
        if step.loss is not None:
            speed = f"{step.speed:.1f} images/s, {step.waited:.0%} waiting" if step.speed else ""
            self._told = f"loss {step.loss:.3f}  rate {step.rate:.1e}  {speed}"
            if self._bar.disable:
                self.say(str(step))
        text = f"epoch {step.epoch}  {self._told}"
        self._bar.update(self._task, completed=step.number, total=step.last, description=text)


@contextlib.contextmanager
def _bar(shown: bool) -> Iterator[_Bar]:  # noqa: FBT001
    with terminal.bar(shown=shown, width=20) as bar:
        yield _Bar(bar)


@contextlib.contextmanager
def _stopping(*, alone: bool) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has asked to stop: after a whole step, with everything kept.

    Alone, a second Ctrl-C ends at once. Among many, torchrun sends more than one, also when another process has ended:
    none ends this one before it has told why it ends.
    """
    asked = False

    def ask(number: int, _: object) -> None:
        nonlocal asked
        if asked and alone and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items() if alone else ():
            signal.signal(number, handler)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else "-" if value is None else str(value)


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command, where = [git, "describe", "--always", "--dirty", "--abbrev=40"], Path(__file__).parent
    told = subprocess.run(command, cwd=where, capture_output=True, check=False, text=True)  # noqa: S603  constant words
    return told.stdout.strip() or "unknown"
