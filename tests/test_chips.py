"""Whole runs on chips, as they are typed, on stand-ins of the Ascend tools: every figure from the card to its record."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from roadworthy import record
from roadworthy.record import Record

ROOT = Path(__file__).parents[1]
STANDINS = Path(__file__).with_name("standins")
P3 = "Ascend310P3"
MARK = "ROADWORTHY_TEST_RUN"  # in the environment of every process of a run
CALM = "tiny and (accuracy or memory)"
LATENCY_MS = 0.25  # of one image
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Typed:
    """A run: its folder, its process, and the file that it prints into."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def text(self) -> str:
        """What it has printed."""
        return (self.folder / "printed.txt").read_text(encoding="utf-8")

    @property
    def records(self) -> list[Record]:
        """Its records."""
        path = self.folder / "out" / "records.jsonl"
        return record.read(path) if path.exists() else []

    @property
    def processes(self) -> list[psutil.Process]:
        """All that it has started, and itself."""
        return [process for process in psutil.process_iter() if self._marked(process)]

    def leaders(self) -> list[psutil.Process]:
        """Those that lead a session of their own: the cases."""
        return [p for p in self.processes if os.getsid(p.pid) == p.pid != self.process.pid]

    def ended(self) -> Typed:
        """Itself, at its end."""
        self.process.wait(4 * PATIENCE_S)
        return self

    def waits_for(self, what: Callable[[], object], why: str) -> None:
        """Come back when something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < deadline, f"{why}: {self.text}"
            time.sleep(0.1)

    def leaves_nothing(self) -> list[list[str]]:
        """The command lines of what is left a moment after its end."""
        deadline = time.monotonic() + 5
        while self.processes and time.monotonic() < deadline:
            time.sleep(0.1)
        return [process.cmdline() for process in self.processes]

    def cell(self, soc: str, batch: int) -> dict[str, Record]:
        """Records of one cell by metric."""
        rows = [row for row in self.records if (row.soc, row.batch) == (soc, batch)]
        assert len({row.metric for row in rows}) == len(rows), f"a metric has two records: {rows}"
        return {row.metric: row for row in rows}

    def _marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == str(self.folder)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False


def listen() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so does whatever that starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def start(tmp_path_factory, tiny_models, tiny_data) -> Iterator[Callable[..., Typed]]:
    """Types a command of pytest into a shell of its own where the stand-ins are the machine's tools.

    A run has the devices to itself, unless another one is told to hold them in the same place.
    """
    started = []

    def typed(suite: str, *options: str, generation: str = "c", chosen: str = CALM, **knobs: str) -> Typed:
        folder = tmp_path_factory.mktemp("typed")
        shutil.copytree(ROOT / suite, folder / suite)
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\n")
        env = {key: value for key, value in os.environ.items() if not key.startswith(("STANDIN_", "ASCEND_", "PYTEST"))}
        env["PATH"] = os.pathsep.join(map(str, (STANDINS / "bin", Path(sys.executable).parent, env["PATH"])))
        if generation == "a":
            env["ROADWORTHY_AIS_BENCH"] = str(STANDINS / "a" / "ais_infer.py")
        else:
            env["PYTHONPATH"] = os.pathsep.join([str(STANDINS / generation), env.get("PYTHONPATH", "")])
        env |= {MARK: str(folder), "TMPDIR": str(tmp_path_factory.mktemp("t"))}
        env |= {"ROADWORTHY_LEASES": str(tmp_path_factory.mktemp("leases"))}
        env |= {"STANDIN_LATENCY_MS": str(LATENCY_MS), **knobs}
        command = [sys.executable, "-m", "pytest", "-p", "roadworthy.plugin", suite, "-k", chosen, "--out", "out"]
        command += ["--models", str(tiny_models), "--data", str(tiny_data), *options]
        with (folder / "printed.txt").open("wb") as printed:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=listen,  # noqa: PLW1509  no threads fork here
            )
        started.append(Typed(folder, process))
        return started[-1]

    yield typed
    for run in started:
        for process in run.processes:  # of a test that failed
            process.kill()
        run.process.wait()


# From memory


@pytest.fixture(scope="module")
def both(start) -> dict[str, Typed]:
    """Generation C: the cpu, the chip and the tuned chip in one session, and records are to be kept. B: the chip."""
    chips = ("--soc", "cpu", "--soc", P3, "--soc", f"{P3}+aoe")
    runs = {
        "c": start("acceptance", *chips, "--batch", "1", "--batch", "4", "--update-records", chosen="tiny"),
        "b": start("acceptance", "--soc", P3, "--batch", "4", generation="b"),
    }
    return {generation: run.ended() for generation, run in runs.items()}


@pytest.fixture
def streamed(both) -> Typed:
    """The cpu, the chip and the tuned chip in one session."""
    return both["c"]


def test_a_chip_is_judged_as_a_cpu_is(streamed):
    """Every gate has a verdict, and none that can be judged fails."""
    assert 0 == streamed.process.returncode, streamed.text
    for told in (
        f"judging cpu, {P3}, {P3}+aoe on",
        f"tiny-bs4-{P3} ",
        "accuracy passed: observed mIoU 0.7831",
        "batch invariance passed: observed 100.0000% of pixels",
        "memory passed: observed fits",
    ):
        assert told in streamed.text
    assert [] == streamed.leaves_nothing()


@pytest.mark.parametrize("soc", [P3, f"{P3}+aoe"])
@pytest.mark.parametrize("batch", [1, 4])
def test_the_accuracy_of_a_chip_that_computes_as_the_cpu_does_is_the_cpu_s(streamed, soc, batch):
    """In the same session, to the last digit; the last batch of five frames is padded."""
    right, found = (streamed.cell(name, batch)["miou"] for name in ("cpu", soc))

    assert (5, right.value) == (found.frames, found.value)
    assert {"cpu": "onnxruntime", P3: "standin", f"{P3}+aoe": "standin"} == {
        row.soc: row.runtime for row in streamed.records if row.metric == "miou"
    }


def test_a_record_says_what_it_depends_on(streamed):
    """The device's clock, the commands, and what npu-smi says of chip, driver and firmware."""
    own = streamed.cell(P3, 4)["throughput"]
    facts = own.environment

    assert ("device", "ais_bench InferSession", "measured") == (own.clock, own.provider, own.source)
    assert pytest.approx(1000 / LATENCY_MS, rel=0.02) == own.value
    assert "atc --framework=5 --model=model.onnx --output=model --input_format=NCHW" in facts["om"]
    assert "--input_shape=image:4,3,64,128 --soc_version=Ascend310P3" in facts["om"]
    assert (P3, "OK", "6.4.0-standin") == tuple(facts[key] for key in ("chip", "health", "firmware"))
    assert "standin" in facts["driver"]


def test_a_tuned_variant_is_tuned_and_faster(streamed):
    """Subgraphs first, then operators; the same accuracy; the plain one is compiled without what tuning learnt."""
    plain, tuned = (streamed.cell(soc, 4)["throughput"] for soc in (P3, f"{P3}+aoe"))

    assert pytest.approx(plain.value / 0.75, rel=0.02) == tuned.value
    assert ["1", "2"] == [line[-1] for line in tuned.environment["om"].splitlines() if " aoe --framework=5 " in line]
    assert " aoe " not in plain.environment["om"]


def test_records_of_stand_ins_are_never_committed(streamed):
    """`--update-records` adds those of the cpu."""
    rows = record.read(streamed.folder / "reports" / "records" / "tiny.jsonl")

    assert {"cpu"} == {row.soc for row in rows}
    assert {"cpu", P3, f"{P3}+aoe"} == {row.soc for row in streamed.records}


def test_the_older_package_gives_the_same(both):
    """Generation B of ais_bench."""
    assert 0 == both["b"].process.returncode, both["b"].text
    assert both["c"].cell("cpu", 4)["miou"].value == both["b"].cell(P3, 4)["miou"].value
    assert pytest.approx(1000 / LATENCY_MS, rel=0.02) == both["b"].cell(P3, 4)["throughput"].value


# By files


@pytest.fixture(scope="module")
def filed(start) -> dict[str, Typed]:
    """The chip by each generation of the command line."""
    how = ("--soc", P3, "--batch", "4", "--runtime", "ais_bench", "--keep-frames", "2")
    runs = {generation: start("acceptance", *how, generation=generation) for generation in "abc"}
    return {generation: run.ended() for generation, run in runs.items()}


@pytest.mark.parametrize("generation", ["a", "b", "c"])
def test_a_chip_is_judged_by_files_as_from_memory(filed, streamed, generation):
    """Same accuracy and same speed, whatever version of the command line there is."""
    run = filed[generation]
    cell = run.cell(P3, 4)
    typed = cell["throughput"].environment["ais_bench"]

    assert 0 == run.process.returncode, run.text
    assert streamed.cell("cpu", 4)["miou"].value == cell["miou"].value
    assert pytest.approx(1000 / LATENCY_MS, rel=0.02) == cell["throughput"].value
    assert ("standin", "device") == (cell["throughput"].runtime, cell["throughput"].clock)
    assert ("ais_infer.py" if generation == "a" else "-m ais_bench") in typed
    assert "--batchsize 4 --device 0" in typed
    assert (generation == "a") == ("run_mode" not in cell["throughput"].environment)
    assert [] == run.leaves_nothing()


@pytest.mark.parametrize("generation", ["a", "c"])
def test_the_worst_frames_are_kept_by_files_as_well(filed, generation):
    """Two of five, worst first, with all that a report shows of them."""
    run = filed[generation]
    row = run.cell(P3, 4)["frame.miou"]
    with np.load(run.folder / "out" / row.samples) as arrays:
        found = dict(arrays)

    assert row.value == found["mious"].min() == found["mious"][0]
    assert {"stems", "mious", "photographs", "labels", "predictions"} == found.keys()
    assert {2} == {len(array) for array in found.values()}


# Benchmarks


@pytest.fixture(scope="module")
def benched(start) -> dict[str, Typed]:
    """`pytest bench` of the chip, both ways."""
    how = ("--soc", P3, "--batch", "4", "--benchmark-json", "bench.json")
    options = {"memory": (), "files": ("--runtime", "ais_bench")}
    slow = {"chosen": "throughput and tiny", "STANDIN_LATENCY_MS": "5"}  # long enough for a look at the device
    runs = {way: start("bench", *how, *more, **slow) for way, more in options.items()}
    return {way: run.ended() for way, run in runs.items()}


@pytest.mark.parametrize("way", ["memory", "files"])
def test_a_benchmark_writes_the_figures_of_its_records(benched, way):
    """Pytest-benchmark's own file has the device's seconds, and what ran; temperature and power were read meanwhile."""
    run = benched[way]
    cell = run.cell(P3, 4)
    own = cell["throughput"]
    (found,) = json.loads((run.folder / "bench.json").read_text())["benchmarks"]
    samples = np.load(run.folder / "out" / own.samples)["seconds"]

    assert 0 == run.process.returncode, run.text
    assert ("standin", "device", P3, 4) == tuple(found["extra_info"][k] for k in ("runtime", "clock", "soc", "batch"))
    assert own.value == found["extra_info"]["images_per_second"]
    assert pytest.approx(samples.mean()) == found["stats"]["mean"]
    assert [41.0, 12.8] == pytest.approx([cell[metric].value for metric in ("temperature.max", "power.mean")])


# What goes wrong


def test_a_batch_that_the_card_knows_not_to_fit_is_no_failure(start):
    """Out of memory at batch 4 on Ascend310 is what the guide says; the other batches are judged."""
    knobs = {"STANDIN_SOC": "Ascend310", "STANDIN_MEMORY_MB": "2"}
    run = start("acceptance", "--soc", "Ascend310", "--batch", "1", "--batch", "4", **knobs).ended()
    lost = run.cell("Ascend310", 4)["throughput"]

    assert 0 == run.process.returncode, run.text
    assert "memory passed: observed out of memory, required to fit, or to be known not to" in run.text
    assert ("oom", None) == (lost.outcome, lost.value)
    assert any("EL0004" in line for line in lost.evidence)
    assert pytest.approx(4 * 1000 / LATENCY_MS, rel=0.02) == run.cell("Ascend310", 1)["throughput"].value  # four dies


FAULTS = {2: ("atc:crash:2", "crash"), 4: ("load:kill:4", "crash"), 8: ("exec:hang:8", "timeout")}
METRICS = {"memory": {"miou", "agreement.batch", "throughput"}, "files": {"miou", "agreement.batch"}}


@pytest.fixture(scope="module")
def faults(start) -> dict[str, Typed]:
    """A compiler that crashes at batch 2, a model that kills its process at batch 4, one that hangs at batch 8."""
    cells = [word for batch in (1, *FAULTS) for word in ("--soc", P3, "--batch", str(batch))]
    fault = {"STANDIN_FAULT": ",".join(fault for fault, _ in FAULTS.values())}
    few, all_ = "tiny and (test_accuracy or invariance)", "tiny and (test_accuracy or invariance or memory)"
    runs = {
        "memory": start("acceptance", *cells, "--time-limit", "4", chosen=all_, **fault),
        "files": start("acceptance", *cells, "--time-limit", "8", "--runtime", "ais_bench", chosen=few, **fault),
    }
    return {way: run.ended() for way, run in runs.items()}


@pytest.fixture(params=["memory", "files"])
def way(request) -> str:
    """How the chip was run."""
    return request.param


@pytest.mark.parametrize("batch", list(FAULTS))
def test_a_fault_costs_one_cell_and_is_one_record_a_metric(faults, way, batch):
    """With its outcome and its sentence."""
    cell = faults[way].cell(P3, batch)

    assert METRICS[way] == cell.keys()
    assert {(None, FAULTS[batch][1])} == {(row.value, row.outcome) for row in cell.values()}
    assert all(f"tiny-bs{batch}-{P3}" in row.detail for row in cell.values())


def test_cells_without_a_fault_complete(faults, way):
    """Whatever happened beside them."""
    cell = faults[way].cell(P3, 1)

    assert {"ok"} == {row.outcome for row in cell.values()}
    assert METRICS[way] - {"agreement.batch"} <= cell.keys()
    assert f"tiny-bs1-{P3}  accuracy passed" in faults[way].text


def test_a_run_with_a_fault_fails_and_leaves_no_process(faults, way):
    """Not even one that ignores SIGTERM."""
    assert 1 == faults[way].process.returncode, faults[way].text
    assert "INTERNALERROR" not in faults[way].text
    assert [] == faults[way].leaves_nothing()


def test_a_device_that_is_not_there_ends_the_run_in_one_sentence(start):
    """With those that are."""
    run = start("acceptance", "--soc", P3, "--device", "9").ended()

    assert 4 == run.process.returncode
    assert "--device 9 is not there; those that are Ascend310P3 and can be used: [0]" in run.text
    assert not (run.folder / "out").exists()


def test_a_card_that_is_another_one_ends_the_run_in_one_sentence(start):
    """Before anything is made."""
    run = start("acceptance", "--soc", P3, STANDIN_SOC="Ascend310").ended()

    assert 4 == run.process.returncode
    assert f"{P3} is not there: npu-smi says that this machine has Ascend310, not {P3}; go on with" in run.text
    assert "Traceback" not in run.text
    assert not (run.folder / "out").exists()


def test_stand_ins_are_never_taken_for_the_machine_s_chips(start):
    """Without `--soc` it is the cpu that is judged."""
    run = start("acceptance", "--collect-only", "-q").ended()

    assert "[tiny-bs1-cpu]" in run.text
    assert P3 not in run.text


# Several at once, and an end from outside


@pytest.fixture(scope="module")
def two(start, tmp_path_factory) -> tuple[Typed, Typed]:
    """One whose tuner hangs while it holds the device, and one that asks for the device; then Ctrl-C for the first."""
    held_in = {"chosen": "tiny and test_accuracy", "ROADWORTHY_LEASES": str(tmp_path_factory.mktemp("leases"))}
    tuned = ("--soc", P3, "--soc", f"{P3}+aoe", "--batch", "3")  # which no other test has in the cache
    first = start("acceptance", *tuned, STANDIN_FAULT="aoe:hang", **held_in)
    first.waits_for(lambda: list(first.folder.glob("out/logs/*-aoe1.log")), "the tuner never began")
    second = start("acceptance", "--soc", P3, "--batch", "1", **held_in)
    second.waits_for(lambda: "waiting for" in second.text, "it never waited")
    held = first.process.poll() is None and not second.records
    os.killpg(first.process.pid, signal.SIGINT)  # as a terminal does
    assert held, first.text
    return first.ended(), second.ended()


def test_two_runs_take_turns_on_a_device(two):
    """The second one says what it waits for, and goes on when the first has ended."""
    _, second = two

    assert "waiting for device 0 (huawei), which another run holds" in second.text
    assert 0 == second.process.returncode, second.text
    assert {"ok"} == {row.outcome for row in second.records}


def test_ctrl_c_while_a_tool_builds_leaves_no_process_and_keeps_what_was_measured(two):
    """Exit status 2; the case that was done before is a record."""
    first, _ = two

    assert 2 == first.process.returncode, first.text
    assert [] == first.leaves_nothing()
    assert [(P3, "miou", "ok"), (P3, "pooled_miou", "ok")] == [(r.soc, r.metric, r.outcome) for r in first.records]


def test_a_case_killed_from_outside_is_one_record_and_the_rest_completes(start):
    """Kill -9 of the process of the case, as the system does when memory runs out."""
    batches = ("--batch", "4", "--batch", "1")
    run = start("acceptance", "--soc", P3, *batches, chosen="tiny and test_accuracy", STANDIN_FAULT="exec:hang:4")
    run.waits_for(lambda: list(run.folder.glob("out/logs/*bs4*-evaluated.log")), "the case never began")
    run.waits_for(run.leaders, "the case has no process of its own")
    (case,) = run.leaders()
    case.kill()
    run.ended()
    (lost,) = run.cell(P3, 4).values()

    assert 1 == run.process.returncode, run.text
    assert ("miou", "crash") == (lost.metric, lost.outcome)
    assert "killed with SIGKILL" in lost.detail
    assert {"miou", "pooled_miou"} == run.cell(P3, 1).keys()
    assert [] == run.leaves_nothing()
