"""An OM by files, as users run it: inputs as .bin, `python3 -m ais_bench` or `ais_infer.py`, results read back.

Source: the guides' commands. Frames go through in portions of a few gigabytes, each in a new folder: no result is older
than its run, and 500 frames need no 90 GB. All names are ours, of digits: nothing is cut at a dot or refused.
"""

from __future__ import annotations

import importlib.util
import json
import math
import re
import shlex
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from roadworthy.problem import CaseFailed, Problem
from roadworthy.runtimes import Job, atc, command, failure, om
from roadworthy.runtimes.remembered import remembered

if TYPE_CHECKING:
    from roadworthy.case import Case
    from roadworthy.record import Clock
    from roadworthy.soc import Soc

LIMIT_S = 24 * 3600.0  # the worker's limit is on silence
PORTION = 4 << 30  # bytes of inputs and results on disk at a time
LOOP = 100  # executions a launch, as the ICNet guide has it
WARMUP = 3
HOST_BYTES = 8  # of the host's memory for each byte of a pure inference's input, which is built as a list
FIGURE = re.compile(
    r"throughput 1000\*batchsize(?:\.mean)?\(([\d.]+)\)/NPU_compute_time\.mean\(([\d.eE+-]+)\): ([\d.eE+-]+)"
)
GROUPS = re.compile(r"filesperbatch:(\d+) runcount:(\d+)")


@dataclass(frozen=True)
class Tool:
    """How ais_bench is started here, and the flags that its help lists."""

    words: tuple[str, ...]
    flags: frozenset[str]

    def has(self, *flags: str) -> str:
        """The first of these flags that the tool knows."""
        for flag in flags:
            if flag in self.flags:
                return flag
        raise CaseFailed(f"{' '.join(self.words)} knows none of {', '.join(flags)}; its --help lists other flags")


class Session:
    """One OM on one device, run by files."""

    threads = 0
    clock: Clock = "device"

    def __init__(self, artifact: Path, case: Case, job: Job) -> None:
        self._artifact, self._case, self._job, self._tool = artifact, case, job, tool()
        self.provider = " ".join(Path(word).name for word in self._tool.words)
        self.facts: dict[str, str] = {"om": om.commands(artifact)}
        self._times: list[float] = []
        self._frame = 4 * math.prod(case.card.input.shape)  # bytes
        wide = 8 if case.card.output.kind == "classes" else 4
        self._results = wide * math.prod(case.card.output_shape) * len(case.card.kept_outputs)

    def stream(self, batches: Iterable[NDArray[np.float32]]) -> Iterator[list[NDArray[np.generic]]]:
        """Outputs of every batch, in order; a portion's inputs are on disk before its first output is there."""
        frame, free = self._frame + self._results, shutil.disk_usage(tempfile.gettempdir()).free
        size, todo = max(1, min(PORTION, free // 2) // (self._case.batch * frame)), iter(batches)
        while portion := list(islice(todo, 1)):
            with self._scratch(self._case.batch * frame) as name:
                folder = Path(name)
                count = 0
                for batch in (*portion, *islice(todo, size - 1)):
                    for slot in range(self._case.batch):
                        path = folder / "inputs" / f"{count:06d}.bin"
                        path.write_bytes(np.ascontiguousarray(batch[slot]).data)  # tofile hides that a disk is full
                        path.chmod(atc.READABLE)
                        count += 1
                portion.clear()
                self._launch(folder, "--input", "inputs", runs=count // self._case.batch)
                for start in range(0, count, self._case.batch):
                    yield self._outputs(folder, range(start, start + self._case.batch))

    def sample(self, calls: int) -> list[float]:
        """Seconds on the device of each execution on zeros, one launch for many; their mean from a tool that lists none."""
        if len(self._times) < calls:
            self._times += self._pure(max(calls, LOOP))
        found, self._times = self._times[:calls], self._times[calls:]
        return found

    def _pure(self, loop: int) -> list[float]:
        """Seconds of each of `loop` executions of a pure inference, or their mean alone."""
        need, free = HOST_BYTES * self._case.batch * self._frame, psutil.virtual_memory().available
        if need > free:
            raise CaseFailed(
                f"{self._case.id}: pure inference would need {need / 1e9:.1f} GB of the host's memory, not the "
                f"device's, and {free / 1e9:.1f} GB are free; --runtime ascend needs {need / HOST_BYTES / 1e9:.1f}"
            )
        with self._scratch(self._case.batch * self._results) as name:
            warm = ["--warmup_count", str(WARMUP)] if "--warmup_count" in self._tool.flags else []
            done = self._launch(Path(name), "--loop", str(loop), *warm)
            index = self._case.card.output.index
            found = sorted(Path(name).glob(f"out/run/*_{index}.npy"))
            batch = len(np.load(found[0], mmap_mode="r")) if found else 0
            if batch != self._case.batch:
                raise CaseFailed(
                    f"{self._case.id}: the model's batch is {batch}, as its output says", [f"$ {done.shown}"]
                )
            return self._seconds(Path(name), done, loop)

    def _seconds(self, folder: Path, done: command.Done, loop: int) -> list[float]:
        """The time list of the summary, else the printed mean; the printed figure must be of this batch and mean."""
        lines = re.split(r"[\r\n]+", done.stdout)
        printed = [[float(figure) for figure in match.groups()] for match in map(FIGURE.search, lines) if match]
        if len(printed) != 1:
            raise CaseFailed(f"{self._case.id}: ais_bench printed {len(printed)} figures of throughput", lines[-4:])
        batch, mean, figure = printed[0]
        if batch != self._case.batch or mean <= 0 or not math.isclose(figure, 1000 * batch / mean, rel_tol=1e-3):
            told = f"ais_bench prints {figure:g} images/s for batches of {batch:g} in {mean:g} ms"
            raise CaseFailed(f"{self._case.id}: {told}; the model's batch is {self._case.batch}", [f"$ {done.shown}"])
        summary = self._summary(folder)
        times = summary.get("npu_compute_time_list") or []
        seconds = [float(entry[1] - entry[0] if isinstance(entry, list) else entry) / 1000 for entry in times]
        if not seconds:
            return [mean / 1000]
        if len(seconds) != loop or not math.isclose(statistics.fmean(seconds), mean / 1000, rel_tol=0.01, abs_tol=1e-6):
            told = f"{len(seconds)} times of mean {1000 * statistics.fmean(seconds):g} ms, and printed {mean:g} ms"
            raise CaseFailed(f"{self._case.id}: ais_bench's summary lists {told} for {loop} executions")
        return seconds

    def _summary(self, folder: Path) -> dict[str, Any]:
        for path in (folder / "out" / "run_summary.json", folder / "out" / "run" / "sumary.json"):
            if path.is_file():
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return found
        return {}

    def _launch(self, folder: Path, *how: str, runs: int | None = None) -> command.Done:
        """Run the tool in a scratch folder; raises CaseFailed, or OutOfMemory where the device's memory is too small."""
        words = arguments(self._tool, self._case, "model.om", "out", self._job.device, *how)
        log = self._job.logs / f"{self._case.id}-ais_bench.log"
        done = command.run(words, folder=folder, log=log, limit_s=LIMIT_S)
        if done.status != 0:
            failed = failure.classify(self._case.id, done.text, done.status)
            raise type(failed)(f"{failed}; the log is {log}", [f"$ {done.shown}", *failed.evidence])
        self.facts["ais_bench"] = done.shown
        if "Inference tensor Processing" in done.stdout:
            self.facts["run_mode"] = "tensor, since ais_bench could not check aclruntime's version"
        groups = GROUPS.search(done.stdout)
        if runs is not None and groups and (int(groups[1]), int(groups[2])) != (self._case.batch, runs):
            told = f"{groups[1]} files a batch in {groups[2]} runs; {self._case.batch} in {runs} are right"
            raise CaseFailed(f"{self._case.id}: ais_bench took {told}; the OM's input is of another size", [groups[0]])
        return done

    def _outputs(self, folder: Path, frames: Sequence[int]) -> list[NDArray[np.generic]]:
        """All outputs of one batch."""
        outputs = []
        for number in range(len(self._case.card.kept_outputs)):
            paths = [folder / "out" / "run" / f"{frame:06d}_{number}.npy" for frame in frames]
            if lost := [path.name for path in paths if not path.is_file()]:
                raise CaseFailed(f"{self._case.id}: ais_bench ended well and did not write {lost[0]}")
            arrays = [np.load(path, mmap_mode="r") for path in paths]
            outputs.append(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))
        return outputs

    def _scratch(self, size: int) -> tempfile.TemporaryDirectory[str]:
        """A new folder (0700) with the OM and a place for inputs and results, such as the strictest version takes."""
        place = tempfile.gettempdir()
        free = shutil.disk_usage(place).free
        if free < size:
            told = f"{size / 1e9:.2f} GB of inputs and results, {free / 1e9:.2f} GB are free"
            raise CaseFailed(f"{self._case.id}: {place} is to hold {told}; TMPDIR names another folder")
        made = tempfile.TemporaryDirectory(prefix="roadworthy-", ignore_cleanup_errors=True)
        folder = Path(made.name)
        atc.place(self._artifact, folder / "model.om")
        for part in ("inputs", "out"):
            (folder / part).mkdir(mode=0o750)
        return made


def arguments(tool: Tool, case: Case, om: str, output: str, device: int, *how: str) -> list[str]:
    """The command that runs an OM on a device: `how` is `--input FOLDER`, or `--loop N` for pure inference."""
    return [
        *tool.words,
        *(tool.has("--model", "--om"), om),
        *how,
        *("--output", output, "--output_dirname", "run", "--outfmt", "NPY"),
        *("--batchsize", str(case.batch), "--device", str(device)),
    ]


@remembered
def tool() -> Tool:
    """The ais_bench of this machine: what `ROADWORTHY_AIS_BENCH` names, this Python's, or `ais_infer.py` on PATH.

    Raises Problem where there is none or it does not start.
    """
    chosen, script = om.chosen(), shutil.which("ais_infer.py")
    if chosen:
        words = (sys.executable, chosen) if chosen.endswith(".py") else (chosen, "-m", "ais_bench")
    elif importlib.util.find_spec("ais_bench"):
        words = (sys.executable, "-m", "ais_bench")
    elif script:
        words = (sys.executable, script)
    else:
        raise Problem(
            "ais_bench is not here: install its wheel and aclruntime's into this Python, put ais_infer.py on PATH, or "
            f"let {om.VARIABLE} name a Python that has it"
        )
    with tempfile.TemporaryDirectory(prefix="roadworthy-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            done = command.run([*words, "--help"], folder=folder, log=folder / "help.log", limit_s=120)
        except CaseFailed as failed:
            raise Problem(str(failed)) from None
        if done.status != 0:
            raise Problem(str(failure.classify(" ".join(words), done.text, done.status)))
    return Tool(words, frozenset(re.findall(r"--\w+", done.stdout)))


def missing(soc: Soc, road: str) -> str | None:  # noqa: ARG001  one signature for all runtimes
    """CANN's compiler, a chip of this name, and a working ais_bench."""
    if reason := om.missing(soc):
        return reason
    try:
        tool()
    except Problem as problem:
        return str(problem)
    return None


def build(case: Case, job: Job) -> Path:
    """The OM of the case, compiled, or tuned for a tuned variant."""
    return om.build(case, job)


def plan(case: Case, device: int) -> list[str]:
    """The compilation and both runs as a person types them; a bank of its own keeps tuning apart."""
    return [*building(case), *running(case, device)]


def building(case: Case) -> list[str]:
    """The compilation, or the tuning, as a person types it: the last of these lines leaves the OM."""
    made = named(case)
    bank = f'{atc.BANK_VARIABLE}="$PWD"/{made}-bank '
    making = [bank + shlex.join(words) for words in om.plan(case, f"{case.card.key}.onnx", made)]
    return [f"mkdir {made}-bank", *making]


def running(case: Case, device: int) -> tuple[str, str]:
    """Frames by files and pure inference, as a person types them."""
    made, typed = named(case), Tool(("python3", "-m", "ais_bench"), frozenset({"--model"}))
    files = arguments(typed, case, f"{made}.om", "results", device, "--input", f"{case.card.key}-inputs")
    loop = ("--loop", str(LOOP), "--warmup_count", str(WARMUP))
    return shlex.join(files), shlex.join(arguments(typed, case, f"{made}.om", "speed", device, *loop))


def named(case: Case) -> str:
    """What a person's OM of the case is called, without its suffix."""
    return f"{case.card.key}-bs{case.batch}-{case.soc.name.replace('+', '-')}"


def open_session(artifact: Path, case: Case, job: Job) -> Session:
    """A session on the job's device."""
    return Session(artifact, case, job)
