"""Many processes under torchrun: one run whoever computes it, told once, and nobody is left when one goes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from roadworthy import card as cards
from roadworthy import network
from roadworthy.__main__ import main
from roadworthy.data import cityscapes
from roadworthy.train import feed, plan

pytestmark = pytest.mark.slow  # torch is imported in every process that is started

PATIENCE = 120  # seconds for what takes a few on a quiet machine
SOON = 25  # seconds within which all have ended by themselves: torchrun kills after 30
SEED = 20240101  # a date: larger than what bits beside it leave room for
FRAMES = 61  # to train on: 15 steps of 4 in an epoch, and one left over
NET = '''
"""All in which processes may differ: BatchNorm, dropout, a parameter that nothing reads, the time of a pass."""

import os
import time

from torch import nn

PAUSE = float(os.environ.get("WORN_PAUSE", "0")) if os.environ.get("RANK") != "0" else 0.0  # of two, the second is slow


class Worn(nn.Module):
    def __init__(self, classes=20):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.3)
        self.conv_cls = nn.Conv2d(8, classes, 1)
        self.spare = nn.Linear(3, 3)

    def forward(self, x):
        time.sleep(PAUSE)
        return self.conv_cls(self.drop(self.bn(self.conv(x)).relu()))


def first(outputs, entropy):
    return entropy(outputs[0])
'''
TRAIN = """
[train]
loss      = "net.first"
crop      = [32, 64]
scales    = [0.5, 1.0]
blur      = 0.5
optimizer = "sgd"
decay     = 1e-4
schedule  = "cosine"
unused    = ["spare.weight", "spare.bias"]
best      = "worn_{epoch}.pth"

[train.recipe.1p]
devices = 1
batch   = 2
rate    = 0.02
epochs  = 2
"""
TOGETHER = '''
"""In every process: runs, one after the other, and an evaluation by all and by this process alone."""

import json
import os
import sys
from pathlib import Path

import numpy as np

from roadworthy import card as cards
from roadworthy import evaluations, network, pipeline
from roadworthy.__main__ import main
from roadworthy.train import group, loop

jobs, ports, tiny, data, out = json.loads(sys.argv[1])
os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"  # the processes meet anew for every run, where no older one has met
for words, port in zip(jobs, ports):
    os.environ["MASTER_PORT"] = port
    assert main(words) == 0
os.environ["MASTER_PORT"] = ports[-1]
card, road, place = cards.load(Path(tiny) / "card.toml"), group.CPU, group.Place.here()
module = network.load(card, card.own_weights)
with group.joined(road, place) as many:
    for frames in (5, 1):
        dataset = pipeline.first_of(pipeline.open_data(data, card), frames)
        for name, found in ("many", many), ("alone", group.Group(road, group.Place(), many.device)):
            seen = loop.evaluated(card, module, dataset, found)
            score = evaluations.score(card, seen).miou
            path = Path(out) / f"{name}-{frames}-{place.rank}.npz"
            np.savez(path, stems=seen.stems, digests=seen.digests, matrices=seen.matrices, miou=score)
'''


@dataclass(frozen=True)
class Road:
    """Where a run finds its model and its data, and how it is started."""

    models: Path
    data: Path

    def words(self, out: Path, *more: object) -> list[str]:
        """The command line of a run that keeps everything in `out`."""
        given = ("train", "worn", "--models", self.models, "--data", self.data, "--out", out, "--device", "cpu")
        return [str(word) for word in (*given, "--seed", SEED, *more)]

    def alone(self, out: Path, *more: object) -> dict[str, torch.Tensor]:
        """A run in this process, of batches of 2; its weights when it has ended."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            assert main(self.words(out, *more)) == 0
        finally:
            torch.set_num_threads(threads)
        return weights(out)


@pytest.fixture(scope="module")
def road(tiny_models, tiny_data, tmp_path_factory) -> Road:
    """A model that can be trained, and frames to train it on beside those of `tiny_data`."""
    models, data = (tmp_path_factory.mktemp(name) for name in ("worn", "frames"))
    shutil.copytree(tiny_models / "tiny", models / "worn")
    card = (models / "worn" / "card.toml").read_text(encoding="utf-8").replace("net.Tiny", "net.Worn")
    (models / "worn" / "card.toml").write_text(
        re.sub(r"\[train\].*?(?=\[published)", TRAIN, card, flags=re.DOTALL), encoding="utf-8"
    )
    (models / "worn" / "net.py").write_text(NET, encoding="utf-8")
    shutil.copytree(tiny_data, data, dirs_exist_ok=True)
    frames = cityscapes.open_dataset(data).frames
    for number in range(FRAMES):
        frame = frames[number % len(frames)]
        for path in (frame.image, frame.label):
            name = path.name.replace(frame.stem, f"ulm_{number:06d}_000019")
            copy = data / path.relative_to(data).parts[0] / "train" / "ulm" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return Road(models, data)


@dataclass
class Started:
    """A run in processes of its own, told to files."""

    process: subprocess.Popen[bytes]
    told: Path
    out: Path

    @property
    def stderr(self) -> str:
        """What all of them have said."""
        return self.told.read_text(encoding="utf-8", errors="replace")

    def ranks(self) -> dict[int, psutil.Process]:
        """The processes that train, by rank."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return {int(child.environ()["RANK"]): child for child in found if "RANK" in child.environ()}

    def trains(self, steps: int = 1) -> Started:
        """Once so many steps are in the log."""
        until(lambda: (self.out / "train.log").exists() and logged(self.out) >= steps, self)
        return self

    def ended(self, seconds: float = PATIENCE) -> int:
        """The exit status, of a run that ends in time."""
        return self.process.wait(seconds)


def start(road: Road, out: Path, *more: object, many: int = 2, **environment: str) -> Started:
    """A run under torchrun, or in a process alone, in a session of its own as on a terminal of its own."""
    python = [sys.executable, "-m"]
    words = road.words(out, *more)
    command = [*python, *torchrun(many), "-m", "roadworthy", *words] if many else [*python, "roadworthy", *words]
    return popen(command, out, **environment)


def torchrun(many: int) -> list[str]:
    """`torchrun` by its module, at a free port."""
    return ["torch.distributed.run", "--standalone", "--nproc-per-node", str(many)]


def popen(command: Sequence[str], out: Path, **environment: str) -> Started:
    """The command in a session of its own; what it says goes to a file beside `out`."""
    told = out.with_name(f"{out.name}.stderr")
    words = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    with told.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=words, start_new_session=True)
    return Started(process, told, out)


def free_ports(many: int) -> list[str]:
    """Ports that nobody listens at."""
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(many)]
        for each in found:
            each.bind(("localhost", 0))
        return [str(each.getsockname()[1]) for each in found]


def until(true, run: Started) -> None:
    """Wait for what a run does while it goes on."""
    ends = time.monotonic() + PATIENCE
    while not true():
        assert run.process.poll() is None, run.stderr
        assert time.monotonic() < ends, run.stderr
        time.sleep(0.02)


def logged(out: Path) -> int:
    """The last step in the log."""
    found = re.findall(r"step (\d+)/", (out / "train.log").read_text(encoding="utf-8"))
    return int(found[-1]) if found else 0


@pytest.fixture
def started() -> Iterator[list[Started]]:
    """Runs of a test; those that it leaves behind are ended."""
    runs: list[Started] = []
    with left(runs):
        yield runs


def state(out: Path) -> dict[str, object]:
    """What `last.pth` holds."""
    return torch.load(out / "last.pth", weights_only=True)


def weights(out: Path) -> dict[str, torch.Tensor]:
    """Parameters and running statistics of `last.pth`."""
    return state(out)["state_dict"]


def apart(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """The largest difference of two sets of parameters; running statistics are left out."""
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a if "running" not in name and "num_" not in name)


@pytest.fixture(scope="module")
def together(road, tiny_models, tiny_data, tmp_path_factory) -> Path:
    """Runs of two processes, and evaluations by them, of one start of torchrun."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "together.py").write_text(TOGETHER, encoding="utf-8")
    words, fast = road.words, ("--validate", 0)
    jobs = [
        words(folder / "whole", "--safetensors"),
        words(folder / "accumulated", "--accumulate", 2, "--epochs", 1, *fast),
        words(folder / "stopped", "--max-steps", 4, *fast),
        words(folder / "went", "--resume", folder / "stopped" / "last.pth"),
    ]
    given = json.dumps([jobs, free_ports(len(jobs) + 1), *map(str, (tiny_models / "tiny", tiny_data, folder))])
    run = popen([sys.executable, "-m", *torchrun(2), str(folder / "together.py"), given], folder / "all")

    assert run.ended() == 0, run.stderr
    return folder


def test_two_processes_train_what_one_trains(road, together, tmp_path):
    """A step of two processes and one of a process that accumulates two batches have the same gradients."""
    alone = road.alone(tmp_path / "alone", "--accumulate", 2, "--validate", 0)

    assert 1e-5 > apart(alone, weights(together / "whole"))
    assert state(tmp_path / "alone")["history"]["losses"] == pytest.approx(
        state(together / "whole")["history"]["losses"], abs=1e-4
    )


def test_two_processes_that_accumulate_train_what_one_trains(road, together, tmp_path):
    """Two processes of two batches each and one of four take the same steps."""
    alone = road.alone(tmp_path / "alone", "--accumulate", 4, "--epochs", 1, "--validate", 0)

    assert 1e-5 > apart(alone, weights(together / "accumulated"))


def test_a_parameter_that_nothing_reads_stays_as_it_began(road, together):
    """What [train].unused names is in the checkpoint as the seed made it, decay or not."""
    torch.manual_seed(SEED)
    fresh = network.build(cards.load(road.models / "worn" / "card.toml")).state_dict()

    assert fresh["spare.weight"].equal(weights(together / "whole")["spare.weight"])
    assert not fresh["conv.weight"].equal(weights(together / "whole")["conv.weight"])


def test_a_run_of_two_that_stopped_goes_on_to_the_same_weights(together):
    """Weights, running statistics, losses and rates are those of the run that never stopped, to the bit."""
    whole, went = state(together / "whole"), state(together / "went")

    assert 30 == whole["step"] == went["step"]
    assert whole["history"]["losses"] == went["history"]["losses"]
    assert whole["history"]["rates"] == went["history"]["rates"]
    for name, value in whole["state_dict"].items():
        assert value.equal(went["state_dict"][name]), name


def test_one_process_goes_on_with_what_two_began(road, together, tmp_path):
    """The global batch stays, so that the steps are the same."""
    went = road.alone(tmp_path / "went", "--resume", together / "stopped" / "last.pth")

    assert 1e-5 > apart(went, weights(together / "whole"))
    assert 2 == state(tmp_path / "went")["plan"]["accumulate"]


def test_a_run_that_goes_on_in_another_folder_takes_its_best_weights_along(road, tmp_path):
    """They may stay the best, and are then what the run ends with."""
    road.alone(tmp_path / "here", "--max-steps", 2)
    road.alone(tmp_path / "there", "--resume", tmp_path / "here" / "last.pth", "--max-steps", 3, "--validate", 0)

    assert (tmp_path / "here" / "worn_1.pth").read_bytes() == (tmp_path / "there" / "worn_1.pth").read_bytes()


@pytest.mark.parametrize("frames", [5, 1])
def test_an_evaluation_is_the_same_whoever_shares_it(together, frames):
    """Matrices, order and mIoU of frames that do not divide evenly, in both processes; one of two may have none."""
    alone = np.load(together / f"alone-{frames}-0.npz")

    assert frames == len(alone["matrices"]) == len(set(alone["stems"]))
    for rank in (0, 1):
        many = np.load(together / f"many-{frames}-{rank}.npz")
        for key in ("stems", "digests", "matrices", "miou"):
            np.testing.assert_array_equal(alone[key], many[key])


def test_the_first_process_alone_writes(together):
    """Records, log lines and weights are there once."""
    out = together / "whole"
    told = (out / "train.log").read_text(encoding="utf-8").splitlines()
    metrics = [json.loads(line)["metric"] for line in (out / "records.jsonl").read_text(encoding="utf-8").splitlines()]

    assert ["train.throughput", "train.miou", "train.best_miou"] == metrics
    assert [10, 15, 18, 28, 30] == [int(step) for line in told for step in re.findall(r"step (\d+)/", line)]
    assert 1 == sum("global batch" in line for line in told)
    assert {"curves.png", "last.pth", "records.jsonl", "samples", "train.log", "worn.safetensors"} == {
        path.name for path in out.iterdir() if not path.match("worn_*.pth") and path.name != "tensorboard"
    }
    assert 1 == len(list(out.glob("worn_*.pth")))
    assert 1 == (together / "all.stderr").read_text(encoding="utf-8").count("worn.safetensors")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_all(road, tmp_path, started, rank):
    """The other one says what is kept, nobody is left, and --resume goes on."""
    run = start(road, tmp_path / "out", "--epochs", 100, "--validate", 0)
    started.append(run)
    ranks = run.trains(2 * 15).ranks()
    ranks[rank].kill()

    assert 0 != run.ended(SOON)
    assert [] == psutil.wait_procs(ranks.values(), timeout=1)[1]
    last = tmp_path / "out" / "last.pth"
    told = rf"roadworthy: process {1 - rank}: another process of the run is gone \(.*\); (.*)"
    assert [f"{last} holds the last state, --resume goes on from it"] == re.findall(told, run.stderr)
    kept = state(tmp_path / "out")["step"]
    assert kept >= 15
    road.alone(tmp_path / "out", "--resume", "--max-steps", kept + 2)
    assert kept + 2 == state(tmp_path / "out")["step"]


def test_processes_that_are_interrupted_end_after_the_same_step(road, tmp_path, started):
    """Ctrl-C ends a run whose next look at the loss is far away, and one of whose processes is slow; --resume goes on."""
    out = tmp_path / "out"
    run = start(
        road, out, "--window", 1000, WORN_PAUSE="2.2"
    )  # 15 steps, until the epoch's end: longer than torchrun waits
    started.append(run)
    until((out / "last.pth").exists, run)
    ranks = run.ranks()
    os.killpg(run.process.pid, signal.SIGINT)

    assert 1 == run.ended(SOON), run.stderr
    assert [] == psutil.wait_procs(ranks.values(), timeout=1)[1]
    _goes_on(road, run, tmp_path / "never")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_process_that_is_interrupted_ends_after_a_whole_step(road, alone, tmp_path, name):
    """Ctrl-C and `kill` keep everything; --resume goes on."""
    assert 130 == alone[name].ended()
    _goes_on(road, alone[name], tmp_path / "never")


def test_a_second_interrupt_ends_at_once(alone):
    """A process alone does not wait for the end of a step that would take minutes."""
    assert 130 == alone["twice"].ended()
    assert ["roadworthy: interrupted"] == sentences(alone["twice"])
    assert 0 == state(alone["twice"].out)["step"]


def test_a_run_whose_last_step_is_interrupted_ends_as_any_other(alone):
    """The look at its weights is nearer than another start."""
    run = alone["last"]

    assert 0 == run.ended()
    assert 1 == state(run.out)["step"]
    assert [run.out / "worn_1.pth"] == list(run.out.glob("worn_*.pth"))


@pytest.fixture(scope="module")
def alone(road, tmp_path_factory) -> dict[str, Started]:
    """Processes that are interrupted as soon as they train, at the same time."""
    folder = tmp_path_factory.mktemp("alone")
    slow = {"many": 0, "WORN_PAUSE": "1"}
    runs = {
        "SIGINT": start(road, folder / "SIGINT", "--accumulate", 2, **slow),
        "SIGTERM": start(road, folder / "SIGTERM", "--accumulate", 2, **slow),
        "twice": start(road, folder / "twice", "--accumulate", 30, **{**slow, "WORN_PAUSE": "4"}),
        "last": start(road, folder / "last", "--max-steps", 1, **{**slow, "WORN_PAUSE": "3"}),
    }
    with left(runs.values()):
        for name in ("last", "SIGINT", "SIGTERM", "twice"):
            until((runs[name].out / "last.pth").exists, runs[name])
            os.killpg(runs[name].process.pid, signal.SIGTERM if name == "SIGTERM" else signal.SIGINT)
        time.sleep(1)
        os.killpg(runs["twice"].process.pid, signal.SIGINT)
        for run in runs.values():
            run.ended(SOON)
    return runs


@pytest.fixture(scope="module")
def wrong(road, together, tmp_path_factory) -> dict[str, Started]:
    """Two processes that meet what is wrong, at the same time or one of them alone; three such runs at a time."""
    folder = tmp_path_factory.mktemp("wrong")
    whole = plan.Plan.of_saved(state(together / "whole")["plan"])
    _, index = list(feed.dealt(whole, FRAMES, 0, 1))[10]  # of the sixth step of the second process
    for split, number in (("train", index), ("val", 0)):
        shutil.copytree(road.data, folder / f"{split}-data")
        bad = cityscapes.open_dataset(folder / f"{split}-data", split).frames[number].image
        bad.write_bytes(bad.read_bytes()[:1000])
    flags = {
        "train": ("--data", folder / "train-data"),  # the longest: the second process waits whether the first tells it
        "data": ("--data", folder / "nowhere"),
        "loss": ("--rate", "inf"),
        "val": ("--data", folder / "val-data"),
    }

    def run(name: str) -> Started:
        found = start(road, folder / name, *flags[name])
        with left([found]):
            found.ended()
        return found

    with ThreadPoolExecutor(3) as pool:
        return dict(zip(flags, pool.map(run, flags), strict=True))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("data", "{folder}/nowhere: no photographs; .*"),
        ("val", "{folder}/val-data: 1 problem in this data set:"),
        ("loss", "the loss is nan at step 2, learning rate inf; {folder}/loss/last.pth holds the last good state .*"),
    ],
)
def test_what_is_wrong_for_all_is_told_once(wrong, name, told):
    """The first process tells it; the others are silent."""
    (sentence,) = sentences(wrong[name])

    assert 1 == wrong[name].ended()
    assert re.fullmatch(f"roadworthy: {told.format(folder=wrong[name].out.parent)}", sentence)
    assert "Traceback" not in own(wrong[name])


def test_weights_that_are_no_numbers_are_not_kept(road, tmp_path, capsys):
    """A step after which the loss was not looked at again may have lost them; the state on disk is from before it."""
    out = tmp_path / "out"

    assert 2 == main(road.words(out, "--rate", "inf", "--window", 1))
    told = (
        rf"roadworthy: the weights are no longer finite after step 1, .*; {out}/last.pth holds the last good state .*"
    )
    assert re.fullmatch(told, capsys.readouterr().err.splitlines()[-1])
    assert 0 == state(out)["step"]
    assert all(value.isfinite().all() for value in weights(out).values())


def test_a_bad_frame_is_told_by_the_process_that_reads_it(wrong):
    """Frames to train on are dealt out; the other process says what is kept."""
    run = wrong["train"]
    bad = f"roadworthy: process 1: {run.out.parent}/train-data/.*.png: "
    gone = [line.rpartition("; ")[2] for line in sentences(run) if "another process of the run is gone" in line]

    assert 1 == run.ended()
    assert 1 == len(re.findall(f"^{bad}", run.stderr, re.MULTILINE)), run.stderr
    assert [f"{run.out / 'last.pth'} holds the last state, --resume goes on from it"] == gone, run.stderr
    assert "Traceback" not in own(run)


def _goes_on(road: Road, run: Started, never: Path) -> None:
    """A run that was interrupted kept a whole step, says so once, and goes on to the weights of one that never was."""
    kept = state(run.out)["step"]

    assert 1 <= kept < 15
    assert kept == len(state(run.out)["history"]["losses"])
    assert [f"stopped after step {kept}; --resume --out {run.out} goes on"] == re.findall("stopped after.*", run.stderr)
    went = road.alone(run.out, "--resume", "--max-steps", kept + 3, "--validate", 0)
    more = ("--accumulate", 2, "--max-steps", kept + 3, "--validate", 0)
    assert 1e-5 > apart(went, road.alone(never, *more))


@contextlib.contextmanager
def left(runs: Iterable[Started]) -> Iterator[None]:
    """Nothing of these runs is left behind, whatever fails."""
    try:
        yield
    finally:
        for run in runs:
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in run.ranks().values():
                    process.kill()
            run.process.kill()
            run.process.wait()


def own(run: Started) -> str:
    """What the processes have said, before torchrun, with a traceback of its own, sums up."""
    return re.split(r"^E\d{4} .*\] failed \(exitcode", run.stderr, maxsplit=1, flags=re.MULTILINE)[0]


def sentences(run: Started) -> list[str]:
    """What roadworthy has said, without torchrun's own lines."""
    return [line for line in run.stderr.splitlines() if line.startswith("roadworthy: ")]
