"""Runs: every figure is a record at once, a lost one with its reason; nothing is evaluated twice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from roadworthy import evidence, fingerprint, lease, measure, pipeline, record, runtimes, worker
from roadworthy.case import Case
from roadworthy.problem import BadOutput, OutOfMemory, Unavailable
from roadworthy.run import Run
from roadworthy.runtimes import onnxruntime
from roadworthy.score import miou
from roadworthy.soc import find
from roadworthy.workshop import Manner


@pytest.fixture
def run(tiny_data, tmp_path):
    """A run over the small data set."""
    return Run(tmp_path / "run", str(tiny_data), None, Manner(call=worker.here))


@pytest.fixture
def case(tiny_card):
    """The small model at batch 4 on the cpu."""
    return Case(tiny_card, find("cpu"), 4)


def timing(*samples: float, steady: bool = True) -> pipeline.Timing:
    """What a session gave."""
    warm = measure.Warmup(steady=steady, windows=(0.1, 0.2, 0.1))
    return pipeline.Timing(samples, warm, 0.0, 1.0, "wall", "CPUExecutionProvider", 1, {"mode": "array"})


def test_throughput_is_three_records_with_their_samples(run, case, tmp_path, monkeypatch):
    """Images/s by the mean of the samples, latency by median and p95, the session's clock, and who ran it."""
    monkeypatch.setattr(pipeline, "timed", lambda *_: timing(*[0.1] * 10, 0.2, 0.2))
    records = run.throughput(case)
    samples = np.load(tmp_path / "run" / records[0].samples)["seconds"]

    assert ["throughput", "latency.median", "latency.p95"] == [r.metric for r in records]
    assert pytest.approx([4 * 12 / 1.4, 100, 200]) == [r.value for r in records]
    assert "array" == records[0].environment["mode"]
    assert {("wall", "onnxruntime", "CPUExecutionProvider", "measured")} == {
        (r.clock, r.runtime, r.provider, r.source) for r in records
    }
    assert [*[0.1] * 10, 0.2, 0.2] == samples.tolist()
    assert records == record.read(tmp_path / "run" / "records.jsonl")


def test_two_runs_never_time_each_other_on_the_cpu(tiny_data, case, tmp_path, monkeypatch):
    """The host is one device, whatever number `--device` gives to chips."""
    monkeypatch.setenv(lease.VARIABLE, str(tmp_path / "leases"))
    monkeypatch.setattr(pipeline, "timed", lambda *_: timing(0.1))
    Run(tmp_path / "run", str(tiny_data), None, Manner(device=3, call=worker.here)).throughput(case)

    assert ["host-0.lock"] == [path.name for path in (tmp_path / "leases").iterdir()]


def test_a_session_that_never_settles_gives_no_number(run, case, monkeypatch):
    """The record says `unstable` and why; nothing was sampled."""
    monkeypatch.setattr(pipeline, "timed", lambda *_: timing(steady=False))
    (lost,) = run.throughput(case)

    assert (None, "unstable") == (lost.value, lost.outcome)
    assert "do not agree (100.0%)" in lost.detail


def test_a_tool_that_tells_a_mean_alone_gives_no_latency(run, case, monkeypatch):
    """One figure has no median and no percentile."""
    monkeypatch.setattr(pipeline, "timed", lambda *_: timing(0.1))

    assert [("throughput", 40.0)] == [(r.metric, r.value) for r in run.throughput(case)]


def test_the_unit_of_throughput_is_the_card(run, tiny_card, monkeypatch):
    """One die of an Ascend310 is measured; a card has four."""
    monkeypatch.setattr(runtimes, "missing", lambda _: None)
    monkeypatch.setattr(pipeline, "build", lambda *_: None)
    monkeypatch.setattr(pipeline, "timed", lambda *_: timing(0.1))
    (record,) = run.throughput(Case(tiny_card, find("Ascend310"), 1))

    assert 40.0 == record.value
    assert "1 measured of 4 on a card; throughput is times 4" == record.environment["dies"]


@pytest.mark.parametrize(("error", "outcome"), [(MemoryError("no page"), "oom"), (None, "crash")])
def test_a_lost_figure_is_a_record_with_its_reason(run, case, monkeypatch, tmp_path, error, outcome):
    """No memory on the host, and one output too few, cost one cell and are written down."""

    class Session:
        provider, threads = "none", 1

        def stream(self, batches: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
            for batch in batches:
                if error:
                    raise error
                yield [np.zeros((len(batch) - 1, 20, 64, 128), np.float32)]

    monkeypatch.setattr(onnxruntime, "open_session", lambda *_: Session())
    (lost,) = run.accuracy(case)

    assert (None, outcome) == (lost.value, lost.outcome)
    assert lost.detail in (
        "tiny-bs4-cpu: does not fit in the host's memory (no page)",
        "tiny-bs4-cpu: the output is 3 x 20 x 64 x 128; by the card it must be 4 x 20 x 64 x 128",
    )
    assert [lost] == record.read(tmp_path / "run" / "records.jsonl")


@pytest.mark.parametrize(("error", "more"), [(OutOfMemory, [("miou", "oom")]), (BadOutput, [])])
def test_frames_that_did_not_fit_a_chip_are_judged_by_memory(run, tiny_card, monkeypatch, error, more):
    """Although the graph alone ran: no other gate judges their loss, as accuracy judges a crash."""

    def lost(*_: object, **__: object) -> None:
        raise error("tiny-bs1-Ascend310: no room")

    monkeypatch.setattr(runtimes, "missing", lambda _: None)
    monkeypatch.setattr(pipeline, "build", lambda *_: None)
    monkeypatch.setattr(pipeline, "timed", lambda *_: timing(0.1))
    monkeypatch.setattr(pipeline, "evaluated", lost)
    case = Case(tiny_card, find("Ascend310"), 1)

    assert [("throughput", "ok")] == [(r.metric, r.outcome) for r in run.memory(case)]

    run.accuracy(case)

    assert [("throughput", "ok"), *more] == [(r.metric, r.outcome) for r in run.memory(case)]


def test_a_case_is_evaluated_once(run, case, monkeypatch):
    """Accuracy, regression and batch invariance ask the same evaluation."""
    seen = []
    good = pipeline.evaluate
    monkeypatch.setattr(
        pipeline, "evaluate", lambda case, *rest, **more: seen.append(case.id) or good(case, *rest, **more)
    )
    assert run.accuracy(case) is run.accuracy(case)
    run.batch_agreement(case)

    assert ["tiny-bs4-cpu", "tiny-bs1-cpu"] == seen


def test_the_matrices_of_all_frames_lie_beside_the_record(run, case, tmp_path):
    """MIoU by any convention can be computed from them later."""
    own, pooled = run.accuracy(case)
    kept = np.load(tmp_path / "run" / own.samples)

    assert (5, 19, 20) == kept["matrices"].shape
    assert "aachen_000000_000019" == kept["stems"][0]
    assert pooled.value == miou.pooled(kept["matrices"]).miou
    assert ("tiny-v1/5", 5, "sample") == (own.data, own.frames, own.source)
    assert own.weights.startswith("tiny.safetensors@")
    assert {"python", "cpu", "onnxruntime", "threads"} <= own.environment.keys()


def test_parity_writes_the_ledger_with_the_effect_of_every_pass(run, case, tmp_path):
    """Agreement, mIoU delta and frames are in it."""
    run.parity(case)
    (entry,) = json.loads((tmp_path / "run" / "tiny-cpu.ledger.json").read_text())

    assert ("floor_bn_weights", ["bn.weight"], 1.0, 0.0, 3) == (
        entry["name"], entry["touched"], entry["agreement"], entry["miou_delta"], entry["frames"]
    )  # fmt: skip


def test_a_chip_that_is_not_here_is_unavailable(run, tiny_card):
    """With the reason."""
    with pytest.raises(Unavailable, match="Ascend310P3 cannot run here: "):
        run.evaluation(Case(tiny_card, find("Ascend310P3"), 1))


def test_measured_throughput_is_compared_with_published_references_only(run, tiny_card):
    """A chip that was not measured has no ratio, whatever its guide says."""
    case = Case(tiny_card, find("Ascend310P3"), 1)

    assert {"Ascend310"} == {r.soc for r in run.throughput_of_chips(case)}
    assert [] == run.records
    assert {"Ascend310", "Ascend310P3"} == {r.soc for r in evidence.Published().throughput_of_chips(case)}


def test_weights_are_found_and_hashed_once_a_run(run, case, monkeypatch):
    """Large networks have hundreds of megabytes of them, and every record names them."""
    asked = []
    for module, name in ((pipeline, "weights_file"), (fingerprint, "of_file")):
        good = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, good=good, name=name: asked.append((name, args)) or good(*args))
    run.accuracy(case)
    weights = run.material.weights(case.card)
    run.parity(case)
    hashed = [args for name, args in asked if name == "of_file" and args == (weights,)]

    assert 1 == [name for name, _ in asked].count("weights_file")
    assert 2 == len(hashed)  # for the graph's place in the cache, and for all records together
