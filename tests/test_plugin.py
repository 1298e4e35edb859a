"""The plugin from outside: options, ids, header, verdicts, exit status. Real runs of the small model."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import safetensors.torch
import torch  # here, since pytester forgets what a test imports, and torch cannot be imported twice

from roadworthy import record
from roadworthy.record import Record

ROOT = Path(__file__).parents[1]


@pytest.fixture
def suite(pytester: pytest.Pytester, tiny_models: Path, tiny_data: Path):
    """Runs the project's acceptance suite on the small model in a folder of its own."""
    shutil.copytree(ROOT / "acceptance", pytester.path / "acceptance")
    pytester.makeini("[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\n")

    def run(*options: str, data: Path | None = tiny_data, models: bool = True) -> pytest.RunResult:
        common = ["-p", "roadworthy.plugin", "acceptance", "--out", str(pytester.path / "out")]
        common += ["--data", str(data)] if data else []
        common += ["--models", str(tiny_models), "-k", "tiny"] if models else []
        return pytester.runpytest_subprocess(*common, *options)

    return run


def test_workers_of_xdist_run_nothing_and_say_so(suite, pytester):
    """Each would have a part of the verdicts, and two would hold one chip: one error, whatever the number of cases."""
    pytest.importorskip("xdist", reason="pytest-xdist is not installed: pip install -e '.[test]'")
    result = suite("-n", "2", "--soc", "cpu")

    result.assert_outcomes(errors=1)
    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        ["-n (pytest-xdist): cases run one at a time, in one process; run the suite without it"]
    )
    assert not (pytester.path / "out").exists()


def test_a_run_judges_every_case_and_prints_its_verdicts(suite, pytester):
    """One test per model, batch and chip; the header says what is judged; records are in the run folder."""
    result = suite("--soc", "cpu", "-v")

    result.assert_outcomes(passed=6, skipped=2)
    assert 0 == result.ret
    result.stdout.fnmatch_lines(
        [
            "judging cpu on *tiny* (5 frames, drawn by roadworthy)",
            "weights of tiny: *tiny.safetensors (????????????????)",
            "versions: roadworthy *, torch *, onnx *, onnxruntime *",
            "*test_accuracy[[]tiny-bs1-cpu] PASSED*",
            "*verdicts*",
            "tiny-bs1-cpu  accuracy passed: observed mIoU 0.78* required >= 0.7821*; the sample target of card.toml is*",
            "tiny-bs1-cpu  regression unjudged: *no committed record*",
            "tiny-bs1-cpu  parity passed: *",
            "tiny-bs4-cpu  batch invariance passed: *",
            "records: *out/records.jsonl",
        ]
    )
    rows = record.read(pytester.path / "out" / "records.jsonl")
    assert {"sample"} == {r.source for r in rows}
    assert {"CPUExecutionProvider"} == {r.provider for r in rows}
    assert all((pytester.path / "out" / r.samples).is_file() for r in rows if r.metric == "miou")
    assert (pytester.path / "out" / "tiny-cpu.ledger.json").is_file()


def test_records_are_committed_only_when_asked_and_then_judge_the_next_run(suite, pytester):
    """--update-records adds them with their samples; the regression gate then has something to compare with."""
    suite()
    assert not (pytester.path / "reports").exists()

    suite("--update-records")
    result = suite()

    assert (pytester.path / "reports" / "records" / "tiny.jsonl").is_file()
    assert list((pytester.path / "reports" / "records" / "samples").glob("*.npz"))
    result.stdout.fnmatch_lines(["tiny-bs1-cpu  regression passed: *the committed record of 20* is 0.78*"])
    result.assert_outcomes(passed=8)


def test_the_worst_frames_of_every_case_are_kept_and_committed_with_the_records(suite, pytester):
    """A record and a file for each batch; tables and gates go on as without them."""
    result = suite("--keep-frames", "2", "--update-records")
    again = suite("-k", "tiny and regression")
    folder = pytester.path / "reports" / "records"
    rows = [row for row in record.read(folder / "tiny.jsonl") if row.metric == "frame.miou"]

    result.assert_outcomes(passed=6, skipped=2)
    again.assert_outcomes(passed=2)
    assert [1, 4] == [row.batch for row in rows]
    assert all((folder / row.samples).is_file() for row in rows)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--soc", "310P3"], "310P3: there is no chip of this name; did you mean Ascend310P3?"),
        (["--batch", "0"], "--batch 0: a batch size is 1 or more"),
        (["--keep-frames", "-2"], "--keep-frames -2: it must be 0 (none is kept) or more"),
        (["--weights", "none.pth"], "none.pth: there is no such file"),
        (["--models", "nowhere"], "nowhere: there is no <model>/card.toml in this folder"),
        (["--soc", "Ascend310P3"], "Ascend310P3 is not there: *go on with --published *--dry-run *another chip*"),
    ],
)
def test_bad_options_end_the_run_with_status_4_and_one_sentence(suite, options, told):
    """A chip that is asked for by name and is not there is among them."""
    result = suite(*options)

    assert 4 == result.ret
    printed = result.stdout.str() + result.stderr.str()
    assert all(part in printed for part in told.split("*")), printed
    assert "Traceback" not in printed


def test_a_wrong_batch_ends_the_run_without_other_options(suite):
    """Also where nothing makes the plugin read cards before collection."""
    result = suite("--batch", "0", data=None, models=False)

    assert 4 == result.ret
    assert "--batch 0: a batch size is 1 or more" in result.stderr.str()
    assert "Traceback" not in result.stdout.str()


def test_bad_frames_are_listed_all_at_once_before_the_run(suite, tiny_data, tmp_path):
    """A missing label ends the run before anything is judged."""
    shutil.copytree(tiny_data, tmp_path / "data")
    for path in sorted((tmp_path / "data" / "gtFine").rglob("*.png"))[:2]:
        path.unlink()
    result = suite(data=tmp_path / "data")

    assert 4 == result.ret
    assert 2 == result.stderr.str().count("missing label of")


def test_weights_of_another_network_end_the_run_once(suite, tmp_path):
    """One sentence, not one for every case."""
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    result = suite("--weights", str(tmp_path / "other.pth"))

    assert 4 == result.ret
    assert 1 == result.stderr.str().count("not the weights of tiny")


def test_a_failed_gate_fails_the_run_with_its_verdict(suite, tiny_models, tmp_path):
    """A broken model: observed, required, because; no traceback."""
    shutil.copytree(tiny_models, tmp_path / "models")
    card = tmp_path / "models" / "tiny" / "card.toml"
    card.write_text(card.read_text().replace("floor = 0.01", "floor = 1.0"))
    result = suite("--models", str(tmp_path / "models"), "-k", "tiny", models=False)

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["parity failed: observed *% of pixels, required >= 99.90%; the graph after surgery*"])
    assert "Traceback" not in result.stdout.str()


def test_a_run_that_judges_nothing_is_no_success(suite):
    """All skipped is exit status 5."""
    result = suite("-k", "tiny and regression")

    result.assert_outcomes(skipped=2)
    assert 5 == result.ret


@pytest.mark.parametrize("options", [["--batch", "1", "-k", "invariance"], ["--published", "--soc", "cpu"]])
def test_a_selection_without_cases_judges_nothing(suite, options):
    """No case is compared with batch 1 where there is only batch 1; no guide publishes figures of a cpu."""
    result = suite(*options, data=None, models=False)

    assert 5 == result.ret
    assert "INTERNALERROR" not in result.stdout.str()
    result.stdout.fnmatch_lines(["nothing was judged"])


def test_one_bad_model_does_not_stop_the_others(suite, tiny_models, tmp_path):
    """A net.py that cannot be imported fails its own cases in one sentence; the other model is judged."""
    shutil.copytree(tiny_models / "tiny", tmp_path / "more" / "tiny2")
    (tmp_path / "more" / "tiny2" / "net.py").write_text("import nosuchmodule\n")
    result = suite("--models", str(tmp_path / "more"), "--batch", "1")

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["*tiny2*net.py: cannot be imported (No module named 'nosuchmodule')"])
    result.stdout.fnmatch_lines(["tiny-bs1-cpu  *accuracy passed*"])
    assert "Traceback" not in result.stdout.str()


BROKEN = {
    "fails when made": ("super().__init__()", "raise KeyError('x')", "net.Tiny(20) fails: KeyError('x')"),
    "fails when run": ("return self.conv", "return self.cov", "has no attribute 'cov'"),
    "is not there": (None, None, "net.py: there is no such file"),
}


@pytest.mark.parametrize("kind", list(BROKEN))
def test_a_broken_network_ends_the_run_in_one_sentence(suite, tiny_models, tmp_path, kind):
    """Whatever a model's own code raises, with the file it is in; without a traceback or an internal error."""
    old, new, told = BROKEN[kind]
    shutil.copytree(tiny_models, tmp_path / "models")
    path = tmp_path / "models" / "tiny" / "net.py"
    if old is None:
        path.unlink()
    else:
        path.write_text(path.read_text().replace(old, new))
    result = suite("--models", str(tmp_path / "models"), "-k", "tiny", models=False)

    assert 4 == result.ret, result.stdout.str()
    assert told in result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_a_batch_that_the_graph_cannot_have_is_unjudged_with_its_reason(suite, tiny_models, tmp_path):
    """Every test of the cell has a line among the verdicts; nothing of it is green."""
    shutil.copytree(tiny_models, tmp_path / "models")
    card = tmp_path / "models" / "tiny" / "card.toml"
    card.write_text(card.read_text().replace("batches = [1, 4, 16]", "batches = [1]"))
    result = suite("--models", str(tmp_path / "models"), "-k", "tiny", "--batch", "4", models=False)

    assert 5 == result.ret
    result.assert_outcomes(skipped=5)
    result.stdout.fnmatch_lines(
        [
            f"tiny-bs4-cpu  {gate} unjudged: *is for batch 1 alone, by its guide"
            for gate in ("accuracy", "parity", "memory")
        ]
    )


def test_a_run_that_failed_adds_no_records(suite, pytester, tmp_path, tiny_models):
    """A regression must not become what later runs are compared with."""
    shutil.copytree(tiny_models, tmp_path / "models")
    card = tmp_path / "models" / "tiny" / "card.toml"
    card.write_text(card.read_text().replace("miou    = 78.31", "miou    = 99.0"))
    result = suite("--models", str(tmp_path / "models"), "-k", "tiny", "--update-records", models=False)

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["records not added: only a run that passed *"])
    assert not (pytester.path / "reports" / "records").exists()


def test_records_that_cannot_be_added_are_told_after_the_verdicts(suite, pytester):
    """The verdicts are printed, the reason is one sentence, the exit status is not 0."""
    (pytester.path / "reports").write_text("a file where the folder should be")
    result = suite("--update-records")

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["tiny-bs1-cpu  accuracy passed*", "records not added: *could not be written*"])
    assert "Traceback" not in result.stdout.str()


def test_a_committed_line_that_is_no_record_ends_the_run_at_once(suite, pytester):
    """File and line are named before an hour of work."""
    (pytester.path / "reports" / "records").mkdir(parents=True)
    (pytester.path / "reports" / "records" / "tiny.jsonl").write_text("{}\n")
    result = suite()

    assert 4 == result.ret
    assert "tiny.jsonl:1: not a record: schema_version is missing" in result.stderr.str()


def test_published_figures_are_judged_without_a_chip(suite):
    """Accuracy and ratios of the guide; tests that need a run are left out."""
    result = suite("--published", data=None)

    assert {"passed": 7, "skipped": 3} == {k: v for k, v in result.parseoutcomes().items() if k != "deselected"}
    result.stdout.fnmatch_lines(["tiny-bs4-Ascend310    *memory passed: observed out of memory, *"])
    result.stdout.fnmatch_lines(["tiny-Ascend310P3-vs-Ascend310 *passed: observed 1.300 x Ascend310, *"])


def test_a_profile_judges_ratios_that_the_card_does_not_ask_for(suite, tiny_models, tmp_path):
    """The higher of two demands holds; an unknown profile ends the run."""
    shutil.copytree(tiny_models, tmp_path / "models")
    card = tmp_path / "models" / "tiny" / "card.toml"
    card.write_text(card.read_text() + "T4 = [100.0, 100.0]\n")
    options = ["--models", str(tmp_path / "models"), "-k", "tiny and ratio", "--published"]
    without = suite(*options, data=None, models=False)
    asked = suite(*options, "--profile", "modelzoo-310p", data=None, models=False)

    assert (0, 1) == (without.ret, asked.ret)
    without.stdout.fnmatch_lines(["*throughput against T4 unjudged: observed 1.300 x T4; no ratio is required*"])
    asked.stdout.fnmatch_lines(["*throughput against T4 failed: observed 1.300 x T4, required >= 1.6 x T4; *"])
    asked.stdout.fnmatch_lines(["*throughput against Ascend310 passed: *required >= 1.2 x Ascend310; *"])

    wrong, idle = suite("--profile", "zoo"), suite("--profile", "modelzoo-310p", "--soc", "cpu")
    assert 4 == wrong.ret == idle.ret
    assert "--profile zoo: there is no such profile; known: modelzoo-310p" in wrong.stderr.str()
    assert "--profile modelzoo-310p: judges Ascend310P3, which is not among the chips" in idle.stderr.str()


def test_a_dry_run_shows_every_case_and_runs_nothing(suite, pytester):
    """The plan of each case, also of chips that are not there."""
    result = suite("--dry-run", "--soc", "cpu", "--soc", "Ascend310P3")

    assert 0 == result.ret
    result.stdout.fnmatch_lines(
        ["tiny-bs4-cpu:", "*surgery pass=floor_bn_weights match=*", "*onnxruntime: no build*batch 4*"]
    )
    result.stdout.fnmatch_lines(
        [
            "tiny-bs16-Ascend310P3:",
            "*atc --framework=5 * --input_shape=image:16,3,64,128 --soc_version=Ascend310P3 *",
            "*not here: atc is not on PATH; *",
        ]
    )
    assert not (pytester.path / "out").exists()


def test_nan_in_the_output_fails_the_case_and_names_the_frame(suite, tiny_card, tmp_path):
    """A network that gives NaN has no mIoU."""
    state = safetensors.torch.load_file(tiny_card.path.parent / "tiny.safetensors")
    state["conv.bias"][3] = float("nan")
    safetensors.torch.save_file(state, tmp_path / "nan.safetensors")
    result = suite("--weights", str(tmp_path / "nan.safetensors"))

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["*accuracy failed: observed crash*frame aachen_000000_000019: *NaN*"])


@pytest.mark.usefixtures("suite")
def test_an_interrupted_run_keeps_what_was_measured(pytester, tiny_models, tiny_data):
    """Ctrl-C in the middle: exit status 2, the records made so far are there."""
    (pytester.path / "acceptance" / "test_slow.py").write_text(
        "import threading, pytest\n@pytest.mark.roadworthy('all')\ndef test_slow(case):\n    threading.Event().wait(60)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "roadworthy.plugin", "acceptance/test_accuracy.py"]
    command += ["acceptance/test_slow.py", "-k", "tiny", "--models", tiny_models, "--data", tiny_data, "--out", "out"]
    listen = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731  a job in the background ignores it
    running = subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True, preexec_fn=listen)  # noqa: PLW1509
    records = pytester.path / "out" / "records.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (records.exists() and len(records.read_text().splitlines()) >= 4):
        threading.Event().wait(0.1)  # until both cases are judged and the slow test runs
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)

    assert 2 == running.returncode, output
    assert 4 == len(record.read(records))
    assert "tiny-bs1-cpu  accuracy passed" in output


TRAINED = Record(
    model="icnet", soc="H100", batch=16, metric="train.miou", value=0.68, source="measured", data="val-0/500", frames=500,
    run="H100-8p", devices=8, settings={"group": "result"}, when="2026-01-01", samples="samples/H100-8p.npz",
)  # fmt: skip


@pytest.fixture
def trained(tmp_path) -> Path:
    """The folder of training on an H100, on 8 devices and on 1."""
    speed = replace(TRAINED, metric="train.throughput", value=830.0)
    alone = replace(speed, devices=1, run="H100-1p", batch=7, value=110.0, samples=None)
    record.append(tmp_path / "trained" / "records.jsonl", [TRAINED, speed, alone])
    (tmp_path / "trained" / "samples").mkdir()
    (tmp_path / "trained" / "samples" / "H100-8p.npz").write_bytes(b"losses")
    return tmp_path / "trained"


def test_the_guides_training_is_judged_with_its_other_figures(suite):
    """Scaling above linear fails on both chips; what is not published is unjudged."""
    result = suite("--published", "-k", "icnet and (1p or 8p)", data=None, models=False)

    assert 1 == result.ret
    result.assert_outcomes(passed=4, failed=2, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "judging GPU, NPU by the figures that the guides publish",
            "icnet-8p-GPU         training accuracy passed: observed mIoU 0.683000, required >= 0.677160; *",
            "icnet-1p-NPU         training accuracy unjudged: *there is no mIoU of NPU-1p",
            "icnet-8p-NPU         training accuracy passed: observed mIoU 0.681000, *",
            "icnet-8p-NPU-vs-GPU  training against GPU passed: observed 0.997 x mIoU and 1.000 x images/s, *",
            "icnet-8p-NPU         scaling failed: observed 1.116 of linear, *batch 16 a device against 7*",
        ]
    )


def test_measured_training_is_judged_without_chip_data_and_weights(suite, trained):
    """--trained names its folder; what is asked for by --soc need not be there, nor what is wrong for a run."""
    options = ["--trained", str(trained), "--soc", "H100", "--weights", "none.pth", "-k", "test_training"]
    result = suite(*options, data=Path("nowhere"), models=False)

    assert 0 == result.ret, result.stderr.str()
    result.assert_outcomes(passed=3, skipped=2)
    result.stdout.fnmatch_lines(
        [
            f"judging training on H100 by the records in {trained}",
            "versions: *",
            "icnet-8p-H100         training accuracy passed: observed mIoU 0.680000, *",
            "icnet-1p-H100-vs-GPU  training against GPU passed: *",
            "icnet-8p-H100         scaling unjudged: observed 0.943 of linear; *",
        ]
    )


def test_a_dry_run_shows_the_records_of_training(suite, trained):
    """Nothing is judged."""
    result = suite("--trained", str(trained), "--dry-run", "-k", "test_training", data=None, models=False)

    assert 0 == result.ret
    result.stdout.fnmatch_lines(
        [
            "icnet-8p-H100:",
            "  train.miou 0.68 of H100-8p, measured 2026-01-01",
            "  train.throughput 830 of H100-8p, measured 2026-01-01",
            "icnet-1p-H100:",
        ]
    )
    result.stdout.no_fnmatch_line("*verdicts*")


def test_training_is_committed_once_and_judged_from_then_on(suite, pytester, trained):
    """With its samples, only if it passed, and only what was judged."""
    only = ["-k", "test_training and 8p"]
    suite("--trained", str(trained), "--update-records", *only, data=None, models=False)
    again = suite("--trained", str(trained), "--update-records", *only, data=None, models=False)
    rows = record.read(pytester.path / "reports" / "records" / "icnet.jsonl")
    later = suite("-k", "test_training", data=None, models=False)

    again.stdout.fnmatch_lines(["records added to *records"])
    assert ["train.miou", "train.throughput"] == [r.metric for r in rows]
    assert b"losses" == (pytester.path / "reports" / "records" / "samples" / "H100-8p.npz").read_bytes()
    later.stdout.fnmatch_lines(
        ["judging training on H100 by the records in *reports/records", "icnet-8p-H100 * passed:*"]
    )

    record.append(trained / "records.jsonl", [replace(TRAINED, value=0.1, when="2026-01-02")])
    failed = suite("--trained", str(trained), "--update-records", *only, data=None, models=False)

    assert 1 == failed.ret
    failed.stdout.fnmatch_lines(["records not added: only a run that passed *"])
    assert rows == record.read(pytester.path / "reports" / "records" / "icnet.jsonl")


@pytest.mark.parametrize("content", [None, "{}\n"])
def test_a_broken_folder_of_training_ends_the_run_with_status_4(suite, tmp_path, content):
    """One sentence that names the file."""
    if content is not None:
        (tmp_path / "records.jsonl").write_text(content)
    result = suite("--trained", str(tmp_path), data=None, models=False)

    assert 4 == result.ret
    assert f"{tmp_path}/records.jsonl:" in result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.fixture
def page(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of a step on GitHub, whose environment the runs get."""
    page = pytester.path / "page.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    return page


def properties(path: Path, case: str) -> dict[str, str]:
    """Of a case in JUnit's XML."""
    found = next(node for node in ET.parse(path).iter("testcase") if node.get("name") == case)  # noqa: S314
    return {node.get("name"): node.get("value") for node in found.iter("property")}


def test_a_ci_is_told_figures_verdicts_and_what_failed(suite, pytester, page):
    """Numbers in JUnit's XML, a table on the page with what failed first, an annotation for that alone."""
    result = suite("--published", "-k", "erfnet or (icnet and 8p)", "--junitxml=junit.xml", data=None, models=False)
    rows = [line.split(" | ") for line in page.read_text(encoding="utf-8").splitlines()[4:] if line]
    outcomes = [row[2] for row in rows]
    told = [line for line in result.outlines if line.startswith("::")]
    accuracy = properties(pytester.path / "junit.xml", "test_accuracy[erfnet-bs1-Ascend310P3]")
    ratio = properties(pytester.path / "junit.xml", "test_ratio[erfnet-Ascend310P3-vs-Ascend310]")
    memory = properties(pytester.path / "junit.xml", "test_memory[erfnet-bs4-Ascend310P3]")
    scaling = properties(pytester.path / "junit.xml", "test_scaling[icnet-8p-NPU]")

    assert 1 == result.ret
    assert (0.722, 0.71478) == (float(accuracy["miou"]), pytest.approx(float(accuracy["required_miou"])))
    assert {"observed": "1.327 x Ascend310", "required": ">= 1.2 x Ascend310"}.items() <= ratio.items()
    assert [292.137, 220.2016, 1.2] == [
        float(ratio[name]) for name in ("throughput", "reference_throughput", "required_ratio")
    ]
    assert pytest.approx(292.137 / 220.2016) == float(ratio["ratio"])
    assert "192.398" == memory["throughput"]
    assert {"observed": "1.116 of linear", "train.throughput": "83.0"}.items() <= scaling.items()
    assert sorted(outcomes, key=["failed", "unjudged", "passed"].index) == outcomes
    assert outcomes.count("failed") == len(told) == result.parseoutcomes()["failed"]
    assert any(line.startswith("::error title=icnet-8p-NPU scaling::observed 1.116 of linear, ") for line in told)
    assert len(rows) == sum(result.parseoutcomes()[word] for word in ("passed", "failed", "skipped"))


def test_a_test_that_breaks_is_told_as_well(suite, pytester, page):
    """Whatever keeps a case from its verdict is no success of it."""
    (pytester.path / "acceptance" / "test_broken.py").write_text(
        "import pytest\n"
        "@pytest.mark.roadworthy('per_chip')\n"
        "def test_broken(case):\n    raise ZeroDivisionError('a | b')\n"
        "@pytest.fixture\n"
        "def lost():\n    raise KeyError('card')\n"
        "@pytest.mark.roadworthy('per_chip')\n"
        "def test_unfixed(case, lost):\n    pass\n"
    )
    result = suite("--published", "-k", "(broken or unfixed) and erfnet and T4", data=None, models=False)

    assert 1 == result.ret
    result.stdout.fnmatch_lines(["::error title=erfnet-bs1-T4 broken::observed nothing; ZeroDivisionError: a | b"])
    assert "| erfnet-bs1-T4 | broken | failed | nothing |  | ZeroDivisionError: a \\| b |" in page.read_text()
    assert "| erfnet-bs1-T4 | unfixed | failed | nothing |  | KeyError: 'card' |" in page.read_text()


def test_a_run_that_judges_nothing_tells_no_ci_of_success(suite, page):
    """A dry run tells nothing at all."""
    suite("--published", "-k", "hrnet and regression", data=None, models=False)

    assert "### roadworthy: nothing was judged\n\n" == page.read_text()

    page.unlink()
    suite("--dry-run", "--published", "-k", "erfnet", data=None, models=False)

    assert not page.exists()


def test_other_peoples_tests_keep_their_own_case_fixture(pytester):
    """An installed plugin takes nothing over."""
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.fixture\n"
        "def case():\n    return 7\n"
        "def test_own(case):\n    assert case == 7\n"
        "@pytest.mark.parametrize('case', [1, 2])\n"
        "def test_parametrized(case):\n    assert case < 3\n"
    )
    result = pytester.runpytest_subprocess("-p", "roadworthy.plugin")

    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("judging *")
