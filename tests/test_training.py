"""The rim of training: flags and what they say, the dry run, a whole run and how it goes on, problems in a sentence."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image

from roadworthy import record
from roadworthy.__main__ import main
from roadworthy.train import checkpoint, curves

SHORT = ("--crop", "32", "--batch", "2", "--epochs", "2")  # two steps an epoch of five frames


@pytest.fixture
def run(tiny_models, tiny_splits, tmp_path, capsys, monkeypatch):
    """Runs `roadworthy train tiny` on the small data, into `tmp_path / run`; gives status, stdout and stderr.

    Curves are drawn where a test wants them: they take ten times as long as the run.
    """
    draw = curves.draw

    def call(
        *flags: object, model: str = "tiny", data: Path = tiny_splits, pictures: bool = False
    ) -> tuple[int, str, str]:
        monkeypatch.setattr(curves, "draw", draw if pictures else lambda *_: None)
        where = ["--data", data, "--out", tmp_path / "run", "--models", tiny_models, "--device", "cpu"]
        status = main(["train", model, *map(str, [*where, *flags])])
        return status, *capsys.readouterr()

    return call


def lines(out: str) -> dict[str, str]:
    """The lines of a dry run by what they are of."""
    return {line[:14].strip(): line[15:] for line in out.splitlines()}


def test_a_run_leaves_checkpoints_records_curves_and_a_log(run, tmp_path):
    """Figures are on stdout, everything else on stderr; the folder holds what a run leaves."""
    status, out, err = run(*SHORT, "--window", "1", pictures=True)
    figures, speed, path = out.splitlines()
    found, best = re.fullmatch(r"mIoU (\d\.\d{6}), best (\d\.\d{6}) \(epoch [12]\)", figures).groups()
    rows = {row.metric: row for row in record.read(tmp_path / "run" / "records.jsonl")}

    assert 0 == status
    assert (found, best) == tuple(f"{rows[m].value:.6f}" for m in ("train.miou", "train.best_miou"))
    assert re.fullmatch(r"\d+\.\d\d images/s \(cpu-1p batch 2 lr 0\.1 O0\)", speed)
    assert Path(path).parent == tmp_path / "run"
    assert re.fullmatch(r"tiny_[12]_0\.\d{3}_best_model\.pth", Path(path).name)
    assert {Path(path).name, "last.pth", "curves.png", "train.log", "records.jsonl", "samples"} <= {
        entry.name for entry in (tmp_path / "run").iterdir()
    }
    assert "epoch 2: mIoU" in err
    assert f"roadworthy evaluate tiny --weights {path}" in err
    log = (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert "step 4/4  loss" in log
    assert "global batch   2 = 1 devices x 2 crops x 1" in log
    assert ("sample", "tiny-v1/5", "fresh", "cpu", 4) == (
        rows["train.miou"].source, rows["train.miou"].data, rows["train.miou"].weights, rows["train.miou"].soc,
        rows["train.miou"].settings["steps"],
    )  # fmt: skip


def test_the_figure_is_that_of_evaluate(run, tiny_models, tiny_splits, tmp_path, capsys):
    """The command that the run tells gives the very same mIoU."""
    _, out, _ = run(*SHORT)
    path, best = out.splitlines()[-1], re.search(r"best (\d\.\d+)", out)[1]
    data = ["--data", tiny_splits, "--out", tmp_path / "evaluated", "--models", tiny_models]
    main(["evaluate", "tiny", "--weights", path, *map(str, data)])

    assert f"dataset: mIoU {best} " in capsys.readouterr().out


def test_a_run_goes_on_to_the_same_figures(run, tmp_path):
    """`--max-steps` ends it, `--resume` alone goes on; flags that make the run are remembered."""
    run(*SHORT, "--max-steps", "3")
    status, on, _ = run("--resume")
    (tmp_path / "run").rename(tmp_path / "first")
    run(*SHORT)
    states = [checkpoint.read(tmp_path / name / "last.pth", "tiny") for name in ("first", "run")]

    assert 0 == status
    assert "mIoU" in on
    assert [4, 4] == [state["step"] for state in states]
    assert all(torch.equal(value, states[1]["state_dict"][name]) for name, value in states[0]["state_dict"].items())


def test_a_run_of_one_look_has_no_speed_and_says_why(run):
    """No images/s are made up of steps that warm up."""
    _, out, _ = run(*SHORT, "--max-steps", "1")

    assert "no images/s: 1 steps: the first 10 warm up, and images/s are of the others (cpu-1p" in out


def test_a_run_by_the_cards_numbers_has_the_guides_name(run):
    """No flag changes a number: it is the 1p run."""
    _, out, _ = run("--max-steps", "1", "--validate", "0")

    assert out.splitlines()[0].endswith("(cpu-1p)")


def test_ctrl_c_keeps_the_step_and_exits_as_interrupted(run, tmp_path, monkeypatch):
    """One signal stops after a whole step; the run says how to go on, and handlers are put back."""
    before, save = signal.getsignal(signal.SIGINT), checkpoint.save

    def interrupted(content, path):  # the first state is written before the first step
        save(content, path)
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(checkpoint, "save", interrupted)
    status, _, err = run(*SHORT)

    assert 130 == status
    assert f"stopped after step 1; --resume --out {tmp_path / 'run'} goes on" in " ".join(err.split())
    assert 1 == checkpoint.read(tmp_path / "run" / "last.pth", "tiny")["step"]
    assert before == signal.getsignal(signal.SIGINT)


def test_best_weights_are_shipped_in_half_precision(run, tmp_path):
    """With the command, the plan and the commit in the header."""
    _, out, _ = run(*SHORT, "--safetensors")
    path = tmp_path / "run" / "tiny.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        header = file.metadata()

    assert str(path) == out.splitlines()[-1]
    assert ("2", "4", "0", "tiny-v1") == tuple(header[key] for key in ("batch", "steps", "seed", "data"))
    assert header["command"].startswith("roadworthy ")
    assert header["commit"]


def test_a_run_begins_with_weights_and_says_so_when_it_goes_on(run, tiny_models, tmp_path):
    """The record names the file and its digest, also after --resume."""
    weights = tiny_models / "tiny" / "tiny.safetensors"
    run(*SHORT, "--finetune", weights, "--max-steps", "1")
    run("--resume")
    told = {row.weights for row in record.read(tmp_path / "run" / "records.jsonl")}

    assert 1 == len(told)
    assert told.pop().startswith("tiny.safetensors@")


def test_a_run_that_breaks_leaves_a_record_with_the_reason(run, tmp_path):
    """One sentence, exit status 2, and the same sentence in record and log."""
    status, out, err = run(*SHORT, "--rate", "inf", "--warmup", "0")
    (row,) = record.read(tmp_path / "run" / "records.jsonl")

    assert (2, "") == (status, out)
    assert ("crash", None) == (row.outcome, row.value)
    assert f"roadworthy: {row.detail}" == err.splitlines()[-1]
    assert row.detail in (tmp_path / "run" / "train.log").read_text(encoding="utf-8")
    assert re.match(r"the (loss is nan at|weights are no longer finite after) step \d, learning rate inf", row.detail)


def test_the_dry_run_shows_the_configuration_and_makes_nothing(run, tmp_path):
    """A line for every number, the data, the device; no folder, no download, no device needed."""
    status, out, err = run("--dry-run")
    told = lines(out)

    assert (0, "") == (status, err)
    assert not (tmp_path / "run").exists()
    assert ("tiny", "cpu", "gloo, not used by one process") == tuple(told[k] for k in ("model", "device", "backend"))
    assert "2 = 1 devices x 2 crops x 1" == told["global batch"]
    assert ("1p", "8", "0.1", "64x128", "2", "cosine", "fp32", "nearest", "-", "0") == tuple(
        told[key]
        for key in (
            *("recipe", "epochs", "rate", "crop", "warmup", "schedule", "precision", "shrink", "max steps", "seed"),
        )
    )


def test_a_dry_run_shows_what_a_run_would_go_on_with(run, tmp_path):
    """Where a run is, --dry-run --resume shows its numbers, and a dry run alone is no collision."""
    run(*SHORT, "--rate", "0.3", "--max-steps", "1")
    before = (tmp_path / "run" / "last.pth").read_bytes()

    assert ("0.3", "2") == tuple(lines(run("--resume", "--dry-run")[1])[key] for key in ("rate", "epochs"))
    assert "0.1" == lines(run("--dry-run")[1])["rate"]
    assert before == (tmp_path / "run" / "last.pth").read_bytes()


@pytest.mark.parametrize("model", ["tiny", "icnet", "erfnet"])
@pytest.mark.parametrize("device", ["cuda", "npu"])
def test_roads_differ_in_device_and_backend_alone(run, model, device):
    """With the precision given, not another line differs; without it the cpu takes float32. No such device is needed."""
    given = [
        lines(run("--dry-run", "--device", kind, "--precision", "bf16", model=model)[1]) for kind in ("cpu", device)
    ]
    free = [lines(run("--dry-run", "--device", kind, model=model)[1]) for kind in ("cpu", device)]
    differing = [{key for key in a | b if a.get(key) != b.get(key)} for a, b in (given, free)]

    assert {"device", "backend"} == differing[0]
    assert {"device", "backend"} <= differing[1] <= {"device", "backend", "precision"}
    assert (device, {"cuda": "nccl", "npu": "hccl"}[device]) == (given[1]["device"], given[1]["backend"].split(",")[0])


@pytest.mark.parametrize("devices", [2, 4])
def test_among_many_the_backend_is_used_and_the_first_alone_speaks(run, monkeypatch, devices):
    """As torchrun tells a process: how many there are, and which one this is."""
    for word, value in {"WORLD_SIZE": devices, "RANK": 0, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": devices}.items():
        monkeypatch.setenv(word, str(value))
    told = lines(run("--dry-run", "--device", "npu")[1])
    monkeypatch.setenv("RANK", "1")

    assert ("hccl", {2: "1p", 4: "4p"}[devices]) == (told["backend"], told["recipe"])
    assert told["global batch"].endswith(f"= {devices} devices x {2 if devices == 2 else 1} crops x 1")
    assert (0, "", "") == run("--dry-run")


def test_one_device_does_what_the_recipe_does_on_many(run):
    """`--recipe 4p` on one accumulates four batches; the step and its rate are the same."""
    told = lines(run("--dry-run", "--recipe", "4p")[1])

    assert ("4p", "0.2", "12", "4 = 1 devices x 1 crops x 4") == tuple(
        told[key] for key in ("recipe", "rate", "epochs", "global batch")
    )


def test_drawn_frames_shrink_a_large_network(run, tiny_data):
    """The small data say that they are drawn: ICNet is trained at a quarter of its size, crops with it."""
    told = lines(run("--dry-run", model="icnet", data=tiny_data)[1])

    assert told["data"].endswith("input 256x512")
    assert ("240x240", "128x512") == (told["crop"], told["short"])


FLAGS = [
    (("--epochs", "0"), "--epochs 0: it must be 1 or more"),
    (("--batch", "-1"), "--batch -1: it must be 1 or more"),
    (("--accumulate", "0"), "--accumulate 0: it must be 1 or more"),
    (("--window", "0"), "--window 0: it must be 1 or more"),
    (("--seed", "-1"), "--seed -1: it must be from 0 on"),
    (("--rate", "-0.1"), "--rate -0.1: it must be above 0"),
    (("--loss-scale", "0"), "--loss-scale 0: it must be above 0"),
    (("--crop", "100"), "--crop 100x200: height and width must be multiples of 8"),
    (("--crop", "x"), "--crop x: it must be a height, or height x width"),
    (("--recipe", "8p"), "--recipe 8p: tiny has 1p, 4p"),
    (("--device", "tpu"), "--device tpu: it must be auto, cpu, cuda, npu"),
    (("--workers", "0"), "--workers 0: it must be 1 or more"),
    (("--resume",), "last.pth: there is no run to go on with"),
    (("--finetune", "none.pth"), "none.pth: there is no such file"),
    (("--batch", "6"), "5 training frames are fewer than the 6 of one step (1 devices x 6 crops x 1 batches)"),
]


@pytest.mark.parametrize(("flags", "told"), FLAGS, ids=[" ".join(flags) for flags, _ in FLAGS])
def test_a_wrong_flag_is_one_sentence(run, flags, told):
    """Exit status 2, nothing on stdout, no traceback."""
    status, out, err = run(*flags)

    assert (2, "") == (status, out)
    assert told in err
    assert 1 == len(err.strip().splitlines())


@pytest.mark.parametrize("device", ["cuda", "npu"])
def test_a_device_that_is_not_there_is_one_sentence(run, tmp_path, device):
    """Exit status 4, as for every chip; nothing is left."""
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    status, out, err = run("--device", device)

    assert (4, "") == (status, out)
    assert err.startswith(f"roadworthy: --device {device}: ")
    assert 1 == len(err.strip().splitlines())
    assert not (tmp_path / "run").exists()


def test_an_environment_that_torchrun_would_not_make_is_told(run, monkeypatch):
    """One of its variables alone."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    status, _, err = run("--dry-run")

    assert 2 == status
    assert "the environment is not what torchrun makes ('RANK'); it sets RANK, WORLD_SIZE, LOCAL_RANK" in err


def test_a_run_is_never_written_over(run, tmp_path):
    """Neither by a new one nor by another that goes on in its folder; both say what would do."""
    run(*SHORT, "--max-steps", "1")
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    before = (tmp_path / "run" / "last.pth").read_bytes()
    told = f"{tmp_path / 'run' / 'last.pth'}: a run is there already; --resume goes on with it, --out names another"

    for flags in ((), ("--resume", tmp_path / "other" / "last.pth")):
        status, _, err = run(*flags)
        assert 2 == status
        assert told in err
    assert before == (tmp_path / "run" / "last.pth").read_bytes()
    assert 0 == run("--resume", tmp_path / "run" / "last.pth", "--max-steps", "2")[0]  # its own file, by name


def test_a_run_goes_on_from_a_file_in_a_new_folder(run, tmp_path):
    """The folder then holds the state and the best weights, which the run names."""
    run(*SHORT, "--max-steps", "2")
    (tmp_path / "run").rename(tmp_path / "older")
    status, out, _ = run("--resume", tmp_path / "older" / "last.pth", "--validate", "0")

    assert 0 == status
    assert Path(out.splitlines()[-1]).is_file()
    assert Path(out.splitlines()[-1]).parent == tmp_path / "run"


def test_a_run_does_not_go_on_as_another(run, tmp_path):
    """The file and the flag are named; weights alone, or another model's run, are nothing to go on with."""
    _, out, _ = run(*SHORT, "--max-steps", "2")
    last, best = tmp_path / "run" / "last.pth", out.splitlines()[-1]
    for flags, told in (
        (
            ("--resume", "--rate", "0.5"),
            f"{last}: --rate 0.5: the run to go on with was begun with 0.1; leave the flag",
        ),
        (("--resume", "--batch", "4"), f"{last}: the run to go on with has 2 crops a step; 1 devices x 4 crops"),
        (("--resume", "--finetune", best), "--finetune begins a run and --resume goes on with one: give one of them"),
        (("--resume", best, "--out", tmp_path / "new"), f"{best}: weights without the state of a run"),
    ):
        status, _, err = run(*flags)
        assert 2 == status
        assert told in err
        assert 1 == len(err.strip().splitlines())
    status, _, err = run("--resume", last, "--out", tmp_path / "new", model="erfnet")
    assert f"{last}: the run of another model: tiny, not erfnet" in err


def test_data_without_a_split_are_told(run, tiny_data, tmp_path):
    """No frames to train on; none to validate on, with the way to do without."""
    only_train = tmp_path / "only"
    for kind in ("leftImg8bit", "gtFine"):
        shutil.copytree(tiny_data / kind / "val", only_train / kind / "train")

    assert f"{tiny_data}: no photographs; a Cityscapes folder holds leftImg8bit/train/" in run(data=tiny_data)[2]
    assert "; --validate 0 trains without validation" in run(data=only_train)[2]
    assert 0 == run(*SHORT, "--validate", "0", "--max-steps", "1", data=only_train)[0]


def test_a_bad_frame_to_validate_on_is_known_before_the_first_step(run, tiny_splits, tmp_path):
    """All files of the split are read, and what is wrong is listed; nothing was trained."""
    shutil.copytree(tiny_splits, tmp_path / "data")
    label = next((tmp_path / "data" / "gtFine" / "val").glob("*/*.png"))
    Image.fromarray(np.zeros((64, 128), np.uint8)).save(label)
    status, _, err = run(data=tmp_path / "data")

    assert 2 == status
    assert f"{label}: 128x64, but its photograph is 256x128" in err
    assert not (tmp_path / "run").exists()


def test_a_bad_frame_to_train_on_is_told_by_name(run, tiny_splits, tmp_path):
    """One sentence, and a record that says so."""
    shutil.copytree(tiny_splits, tmp_path / "data")
    image = next((tmp_path / "data" / "leftImg8bit" / "train").glob("*/*.png"))
    image.write_bytes(image.read_bytes()[:500])
    status, _, err = run("--batch", "5", data=tmp_path / "data")

    assert 2 == status
    assert f"roadworthy: {image}: is damaged, truncated, or no PNG" in err
    assert ["crash"] == [row.outcome for row in record.read(tmp_path / "run" / "records.jsonl")]


def test_a_model_that_cannot_be_trained_says_so(run):
    """DeepLabV3's card has no [train]."""
    status, _, err = run(model="deeplabv3")

    assert 2 == status
    assert "deeplabv3 cannot be trained: its card has no [train] table" in err
