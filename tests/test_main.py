"""The command line: figures on stdout, everything else on stderr, one sentence for bad input."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from roadworthy import __version__, record
from roadworthy.__main__ import main

PHOTOGRAPH = "frame.png"


@pytest.fixture
def run(tiny_models: Path, capsys: pytest.CaptureFixture[str]):
    """Runs a verb with the small model known; gives exit status, stdout and stderr."""

    def call(verb: str, *arguments: object) -> tuple[int, str, str]:
        status = main([verb, *map(str, arguments), "--models", str(tiny_models)])
        return status, *capsys.readouterr()

    return call


def test_evaluate_prints_the_figure_of_the_acceptance_run(run, tiny_data, tmp_path):
    """JSON on stdout, where the records are on stderr."""
    words = ("--soc", "cpu", "--batch", 4, "--json")
    status, out, err = run("evaluate", "tiny", "--data", tiny_data, *words, "--out", tmp_path)
    row = json.loads(out)

    assert 0 == status
    assert pytest.approx(0.783, abs=1e-3) == row["miou"]
    assert (19, "dataset", 5) == (len(row["iou"]), row["convention"], row["frames"])
    assert pytest.approx(0.853, abs=1e-3) == row["pixel_accuracy"]
    assert 0 < row["seconds_per_frame"] < 60
    assert f"records: {tmp_path}/records.jsonl" in err


def test_evaluate_runs_the_network_where_no_chip_is_named(run, tiny_data, tmp_path):
    """In torch, which trained it; a chip that is named runs the graph."""
    for words, runtime in (
        ((), "eager"),
        (("--soc", "cpu"), "onnxruntime"),
        (("--runtime", "onnxruntime"), "onnxruntime"),
    ):
        out = tmp_path / "-".join([*words, "run"])
        _, _, err = run("evaluate", "tiny", "--data", tiny_data, "--out", out, *words)

        assert {runtime} == {row.runtime for row in record.read(out / "records.jsonl")}
        assert ("--soc cpu runs the graph" in err) == (runtime == "eager")


def test_evaluate_for_people_names_the_classes(run, tiny_data, tmp_path):
    """A line for the mean, the accuracy and the time of a frame, and one for every class."""
    _, out, _ = run("evaluate", "tiny", "--data", tiny_data, "--out", tmp_path)

    assert re.match(
        r"dataset: mIoU 0\.78\d+ \(pooled 0\.78\d+\), pixel accuracy 0\.\d{6}, 5 frames, \d+\.\d{3} s/frame\n", out
    )
    assert 20 == len(out.splitlines())


def test_preprocess_and_score_are_the_two_ends_of_a_file_run(run, tiny_data, tmp_path):
    """Inputs out, results in: class maps as logits of the truth score 1."""
    status, _, _ = run("preprocess", "tiny", tiny_data, tmp_path / "in")
    results = tmp_path / "out"
    results.mkdir()
    from roadworthy.data import cityscapes, decode  # noqa: PLC0415

    for frame in cityscapes.open_dataset(tiny_data).frames:
        truth = decode.resize_label(decode.read_label(frame.label, frame.label_kind), (64, 128))
        logits = (np.arange(20)[:, None, None] == truth).astype(np.float32)
        logits.tofile(results / f"{frame.stem}_leftImg8bit_0.bin")
    scored, out, _ = run("score", "tiny", results, "--data", tiny_data, "--json")

    assert (0, 0) == (status, scored)
    assert 5 == len(list((tmp_path / "in").iterdir()))
    assert pytest.approx(1.0) == json.loads(out)["miou"]
    assert 1.0 == json.loads(out)["pixel_accuracy"]
    assert "seconds_per_frame" not in json.loads(out)  # the files may have been made anywhere


def test_score_prints_a_row_for_every_convention(run, tiny_data, tmp_path):
    """`--convention all`."""
    from roadworthy.data import cityscapes  # noqa: PLC0415

    for frame in cityscapes.open_dataset(tiny_data).frames:
        np.zeros((20, 64, 128), np.float16).tofile(tmp_path / f"{frame.stem}_leftImg8bit_0.bin")
    _, out, _ = run("score", "tiny", tmp_path, "--data", tiny_data, "--convention", "all")

    names = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert ["clipped:", "dataset:", "pooled:", "running:"] == names
    assert "another order" in out  # why the running figure is not the pooled one


def test_export_writes_graph_and_ledger(run, tiny_data, tmp_path):
    """The graph passes ONNX's checker; the ledger is printed."""
    status, out, _ = run("export", "tiny", tmp_path / "tiny.onnx", "--data", tiny_data)
    onnx.checker.check_model(onnx.load(tmp_path / "tiny.onnx"))

    assert 0 == status
    assert "floor_bn_weights: 1 found: bn.weight" in out
    assert "on 1 frames: 100.0000% of pixels agree, mIoU +0.000000" in out
    assert (tmp_path / "tiny.ledger.json").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("export", "tiny", "o.onnx"), "writes o.onnx (opset 11)"),
        (("preprocess", "tiny", "DATA", "in"), "writes 5 files, in/aachen_000000_000019_leftImg8bit.bin first"),
        (
            ("evaluate", "tiny", "--data", "DATA", "--soc", "Ascend310P3"),
            "frames: DATA (5 frames, drawn by roadworthy)",
        ),
    ],
)
def test_a_dry_run_prints_what_would_be_done(run, tiny_data, tmp_path, monkeypatch, words, told):
    """On stdout; nothing is written, and a chip that is not here ends nothing."""
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(*(str(tiny_data) if word == "DATA" else word for word in words), "--dry-run")

    assert 0 == status
    assert told in out.replace(str(tiny_data), "DATA")
    assert [] == list(tmp_path.iterdir())


def test_a_dry_run_of_score_reads_no_result(run, tiny_data, tmp_path):
    """Empty files are there, and that is all that is asked."""
    for path in tiny_data.rglob("*_leftImg8bit.png"):
        (tmp_path / f"{path.stem}_0.bin").touch()
    status, out, _ = run("score", "tiny", tmp_path, "--data", tiny_data, "--dry-run")

    assert 0 == status
    assert f"compared at the input size with 5 labels of {tiny_data}\n" in out


def test_a_full_disk_behind_a_pipe_is_told(tmp_path):
    """In one line, although no file is named."""
    row = record.Record(model="tiny", soc="T4", batch=1, metric="throughput", value=1.0, source="measured")
    record.append(tmp_path / "a.jsonl", [row])
    words = [sys.executable, "-m", "roadworthy", "merge", str(tmp_path / "a.jsonl")]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert 2 == done.returncode
    assert "roadworthy: No space left on device\n" in done.stderr
    assert "None" not in done.stderr


def test_the_version_can_be_asked_for(capsys):
    """As records and reports tell it."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert (0, f"roadworthy {__version__}\n") == (ended.value.code, capsys.readouterr().out)


def test_deliver_prints_its_files_and_tells_every_level(run, tmp_path):
    """Of records in the folders named, in Chinese unless English is asked for."""
    speed = {"model": "tiny", "batch": 1, "metric": "throughput", "source": "measured", "when": "2026-01-01"}
    for name, soc, value in (("a", "T4", 100.0), ("b", "Ascend310P3", 120.0)):
        rows = [record.Record(**speed, soc=soc, value=value, clock="device")]
        rows += [record.Record(**{**speed, "batch": 4}, soc=soc, value=1.0, clock="device")]
        record.append(tmp_path / name / "tiny.jsonl", rows)
    folders = ("--records", tmp_path / "a", "--records", tmp_path / "b")
    status, out, err = run("deliver", "tiny", tmp_path / "out", *folders)

    assert (0, f"{tmp_path}/out/modelzoo_level.txt\n{tmp_path}/out/README.md\n") == (status, out)
    assert "PerfStatus: PERFECT: best batch over best batch: 120 images/s at 1 over 100 at 1 on T4 is 1.2000\n" in err
    assert "QuantStatus: left out: nothing was quantised to int8\n" in err
    assert "# Tiny 推理指导" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")

    run("deliver", "tiny", tmp_path / "out", "--language", "en", "--records", tmp_path / "a")

    assert "# Tiny: inference guide" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "PerfStatus:PERFECT" in (tmp_path / "out" / "modelzoo_level.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", [["deliver", "tiny", "out"], ["tables"], ["report", "out.html"]])
def test_every_reader_joins_records_alike(run, tmp_path, monkeypatch, verb):
    """A last line cut short is told; two records that contradict each other are refused, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    row = record.Record(
        model="tiny", soc="T4", batch=1, metric="throughput", value=100.0, source="measured", when="2026-01-01"
    )
    record.append(Path("a/a.jsonl"), [row])
    with Path("a/a.jsonl").open("ab") as file:
        file.write(b'{"model"')
    *_, err = run(*verb, "--records", "a")

    assert "a/a.jsonl: the last line was cut short and is left out\n" in err

    shutil.rmtree("out", ignore_errors=True)
    Path("out.html").unlink(missing_ok=True)
    record.append(Path("a/b.jsonl"), [replace(row, value=200.0)])
    status, out, err = run(*verb, "--records", "a")

    assert (2, "") == (status, out)
    assert "roadworthy: a/a.jsonl:1 and a/b.jsonl:1 contradict each other: throughput of tiny-bs1-T4, 2026-01-01" in err
    assert ["a"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("verb", [["deliver", "tiny", "out"], ["tables", "tiny"], ["report", "out.html"]])
def test_every_reader_leaves_out_what_says_nothing(run, tmp_path, monkeypatch, verb):
    """A name mistyped, a value that is no number: told, and not taken for a figure; a file is read as a folder is."""
    monkeypatch.chdir(tmp_path)
    row = record.Record(model="tiny", soc="T4", batch=1, metric="throughput", value=123.4567, source="measured")
    endless = [replace(row, batch=4 + i, value=value) for i, value in enumerate((math.nan, math.inf))]
    record.append(Path("a/a.jsonl"), [row, replace(row, model="Tiny", value=234.5678), *endless])
    status, out, err = run(*verb, "--records", "a/a.jsonl")
    pages = [path.read_text(encoding="utf-8") for path in (Path("out.html"), Path("out/README.md")) if path.exists()]
    shown = "".join([out, *pages])

    assert 0 == status
    assert "Records left out: 1 of models without a card (Tiny; --models takes a folder of cards), 2 whose value" in err
    assert "123.4" in shown
    assert not re.search(r"234\.5|\bnan\b|\binf\b", shown)


@pytest.mark.parametrize("verb", [["deliver", "tiny", "out"], ["tables"], ["report", "out.html"]])
def test_every_reader_refuses_an_empty_file(run, tmp_path, monkeypatch, verb):
    """It is no wish for the guides' figures; nothing is written."""
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").touch()
    status, out, err = run(*verb, "--records", "a.jsonl")

    assert (2, "") == (status, out)
    assert (
        "roadworthy: a.jsonl: holds no record; --records takes a file, or a folder of *.jsonl, such as a run's\n" == err
    )
    assert ["a.jsonl"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("encoding", ["gbk", "ascii", "utf-8"])
def test_a_terminal_without_some_letters_shows_their_escapes(tmp_path, encoding):
    """As one in GBK, which is ordinary in China; JSON lines are in UTF-8 whatever the terminal."""
    row = record.Record(
        model="erfnet", soc="T4", batch=1, metric="throughput", value=1.0, source="measured", weights="\xe9\U0001f600"
    )
    record.append(tmp_path / "a.jsonl", [row])

    def output(*words: str) -> tuple[bytes, bytes]:
        command = [sys.executable, "-m", "roadworthy", *words]
        settings = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, env=settings)
        return done.stdout, done.stderr

    tables, _ = output("tables", "erfnet", "--language", "en")
    merged, _ = output("merge", "a.jsonl")
    record.append(tmp_path / "a.jsonl", [replace(row, model="\U0001f600")])
    _, told = output("tables", "erfnet", "--records", "a.jsonl")

    assert ("\xb9 T4" if encoding == "utf-8" else "\\xb9 T4") in tables.decode(encoding)
    assert record.line(row) == merged
    assert ("\U0001f600" if encoding == "utf-8" else "\\U0001f600") in told.decode(encoding)


def test_demo_prints_where_the_picture_is_and_what_it_shows(run, tiny_data, tmp_path):
    """The path alone on the first line, the classes with their shares on the second."""
    frame = next(tiny_data.rglob("*_leftImg8bit.png"))
    status, out, err = run("demo", "tiny", frame, tmp_path / "new" / "seen.png")
    path, shares = out.splitlines()

    assert 0 == status
    assert "untrained" not in err
    assert str(tmp_path / "new" / "seen.png") == path
    assert re.match(r"(\w[\w ]+ (\d+\.\d|<0\.1)%(, )?)+, unlabelled \(void\) \d\.\d%$", shares)
    with Image.open(path) as picture:
        assert (2 * 256 + 3 * 16) == picture.width


def test_doctor_says_what_is_missing(run):
    """A line for every chip."""
    status, out, _ = run("doctor")

    assert 0 == status
    assert "ok       cpu              onnxruntime" in out
    assert "missing  Ascend310P3      ascend" in out

    _, out, _ = run("doctor", "--json")

    assert {"soc": "cpu", "runtime": "onnxruntime", "missing": None} in json.loads(out)["socs"]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["evaluate", "huge"], 2, "huge: there is no such model; known: deeplabv3, erfnet, hrnet, icnet, tiny"),
        (["evaluate", "tiny", "--soc", "310P3"], 2, "did you mean Ascend310P3?"),
        (["evaluate", "tiny", "--soc", "Ascend310P3"], 4, "Ascend310P3 cannot run here: "),
        (["evaluate", "tiny", "--data", "nowhere"], 2, "nowhere: no photographs"),
        (["evaluate", "tiny", "--weights", "none.pth"], 2, "none.pth: there is no such file"),
        (["preprocess", "tiny", "none.png", "out.bin"], 2, "none.png: there is no such photograph"),
        (["score", "tiny", ".", "--data", "nowhere"], 2, "nowhere: no photographs"),
        (
            ["evaluate", "tiny", "--convention", "mean"],
            2,
            "--convention mean: there is no such convention; known: card",
        ),
        (["score", "tiny", ".", "--order", "nofile"], 2, "nofile: No such file or directory"),
        (["demo", "tiny", "none.jpg", "out.png"], 2, "none.jpg: cannot be read (No such file or directory)"),
        (["demo", "tiny", __file__, "out.png"], 2, "test_main.py: is no JPEG or PNG, or is damaged"),
        (["demo", "tiny", PHOTOGRAPH, "out.gif"], 2, "out.gif: the picture's name must end in .png, .jpg or .jpeg"),
        (["demo", "tiny", PHOTOGRAPH, f"{__file__}/out.png"], 2, "out.png: the picture cannot be written here ("),
        (["demo", "tiny", PHOTOGRAPH, PHOTOGRAPH], 2, "frame.png: is the photograph itself"),
        (["demo", "tiny", PHOTOGRAPH, "out.png", "--weights", "none.pth"], 2, "none.pth: there is no such file"),
        (["demo", "tiny", PHOTOGRAPH, "out.png", "--soc", "Ascend310P3"], 4, "Ascend310P3 cannot run here: "),
        (["train", "tiny", "--data", "nowhere"], 2, "nowhere: no photographs"),
        (["deliver", "huge", "out"], 2, "huge: there is no such model; known: deeplabv3, erfnet, hrnet, icnet, tiny"),
        (["deliver", "tiny", "out", "--records", "nowhere"], 2, "nowhere: there is no such file or folder of records"),
        (["deliver", "tiny", "."], 2, ".: holds frame.png and no README.md of deliver; name a new or empty folder"),
        (["export", "tiny", "o.onnx", "--weights", "none.pth", "--dry-run"], 2, "none.pth: there is no such file"),
        (["preprocess", "tiny", "nowhere", "o", "--dry-run"], 2, "nowhere: there is no such photograph, and no folder"),
        (["score", "tiny", ".", "--dry-run"], 2, "results are missing"),
        (["evaluate", "tiny", "--weights", "none.pth", "--dry-run"], 2, "none.pth: there is no such file"),
        (["tables", "--check", "--readme", "none.md"], 2, "none.md: there is no such file"),
        (["tables", "--write", "--records", "nowhere"], 2, "nowhere: there is no such file or folder of records"),
        (["tables", "--records", "."], 2, ".: there is no *.jsonl in this folder; a run writes records.jsonl"),
        (["deliver", "tiny", "out", "--records", "."], 2, ".: there is no *.jsonl in this folder; a run writes"),
    ],
)
def test_bad_input_is_told_in_one_sentence(run, tiny_data, tmp_path, monkeypatch, arguments, status, told):
    """Exit status 2, or 4 for a chip that is not there; nothing on stdout, no traceback, nothing written."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (128, 64)).save(PHOTOGRAPH)
    data = ["--data", tiny_data] if arguments[0] in ("evaluate", "score") and "--data" not in arguments else []
    found, out, err = run(*arguments, *data)

    assert (status, "") == (found, out)
    assert told in err
    assert 1 == len(err.strip().splitlines())
    assert [PHOTOGRAPH] == [path.name for path in tmp_path.iterdir()]


def test_sample_refuses_a_folder_in_use(run, tmp_path):
    """Nothing of the user's is written over."""
    (tmp_path / "mine").write_text("")
    status, _, err = run("sample", tmp_path)

    assert 2 == status
    assert "the folder is not empty" in err


def test_sample_writes_a_cityscapes_folder(run, tmp_path):
    """As many frames as asked for."""
    status, out, _ = run("sample", tmp_path / "new", "--frames", 1, "--split", "train")

    assert (0, f"{tmp_path / 'new'}\n") == (status, out)
    assert 1 == len(list((tmp_path / "new" / "leftImg8bit" / "train" / "sample").iterdir()))


def test_a_reader_that_has_seen_enough_is_no_error():
    """`roadworthy doctor | head -1` ends quietly."""
    script = f"{sys.executable} -m roadworthy doctor | head -c 1 && exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)  # noqa: S607

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--keep-frames", -1), "--keep-frames -1: it must be 0"),
        (("--time-limit", 0), "--time-limit 0: it must be more than 0 seconds"),
        (("--convention", "none"), "none"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would_refuse(run, tiny_data, words, told):
    """Before it shows anything."""
    status, out, err = run("evaluate", "tiny", "--data", tiny_data, "--dry-run", *words)

    assert 2 == status
    assert told in err
    assert "" == out


def test_an_interrupt_while_modules_load_is_one_line(tmp_path):
    """Ctrl-C within the first moments, before any verb has begun."""
    (tmp_path / "argparse.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    command = [sys.executable, "-c", "import sys; from roadworthy.__main__ import main; sys.exit(main(['doctor']))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)})

    assert (130, "", "roadworthy: interrupted\n") == (done.returncode, done.stdout, done.stderr)
