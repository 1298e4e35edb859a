"""Where figures come from: environments by chip, and commands that can be typed."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from roadworthy.record import Record
from roadworthy.report import origins
from roadworthy.verbs import flags


def test_a_column_for_every_chip_of_its_newest_run(chip):
    """Driver, firmware, CANN, packages, weights and data; commands stand elsewhere."""
    newer = replace(chip, when="2026-11-01T00:00:00+00:00", environment={**chip.environment, "driver": "25.0"})
    host = replace(chip, soc="cpu", environment={"cpu": "some", "python": "3.12"})
    table = origins.environments([chip, host, newer])
    found = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}

    assert ["what", "cpu", "Ascend310P3"] == [head.text for head in table.heads]
    assert (["", "25.0"], ["", "8.0.RC3"], ["3.12", "3.11.7"]) == (found["driver"], found["cann"], found["python"])
    assert ["erfnet_pretrained.pth@0123456789abcdef"] * 2 == found["weights"]
    assert "om" not in found


def test_throughput_has_the_data_of_the_same_weights(chip):
    """It is of no data itself, and may be what was measured last."""
    scored = replace(chip, metric="miou", value=0.7, clock=None, data="val-1a2b/500")
    speed = replace(scored, metric="throughput", value=1.0, data=None, when="2026-11-01T00:00:00+00:00")
    table = origins.environments([scored, speed])

    assert ["val-1a2b/500"] == [row[1].text for row in table.rows if row[0].text == "data"]
    assert [""] == [row[1].text for row in origins.environments([speed]).rows if row[0].text == "data"]


def test_nothing_measured_has_no_environment(models):
    """Guides do not tell theirs."""
    assert origins.environments(models["erfnet"].published()) is None


def test_the_command_of_a_chip_can_be_typed(models, chip):
    """Data, weights and batches as recorded, then what built the OM; words of records are quoted."""
    rows = [replace(chip, batch=b, data="my frames-1a2b3c4d/500", weights="a;rm -rf.pth@0") for b in (4, 1)]
    rows.append(replace(rows[0], batch=16, data=None))
    (command,) = origins.commands(models, rows)

    assert [
        *("pytest", "acceptance", "-k", "erfnet", "--soc", "Ascend310P3", "--data", "my frames"),
        *("--weights", "a;rm -rf.pth", "--batch", "1", "--batch", "4", "--batch", "16"),
    ] == shlex.split(command.lines[0])
    assert ("# the OM was built by", chip.environment["om"]) == command.lines[1:]


@pytest.mark.parametrize(
    ("soc", "suites"),
    [("cpu", ["acceptance -k erfnet", "bench -k 'throughput and erfnet'"]), ("Ascend310P3", ["acceptance -k erfnet"])],
)
def test_what_repeats_throughput_is_a_suite_that_measures_it(models, chip, soc, suites):
    """On the cpu acceptance times nothing, on a chip it does; a run that only timed is repeated by the one that times."""
    scored = replace(chip, soc=soc, metric="miou", value=0.7, clock=None, data="sample-v1/24", environment={})
    timed = replace(chip, soc=soc, batch=8, data=None, environment={})
    both, alone = origins.commands(models, [scored, timed]), origins.commands(models, [timed])
    batches = {"cpu": [["1"], ["8"]], "Ascend310P3": [["1", "8"]]}[soc]

    assert suites == [command.lines[0].removeprefix("pytest ").partition(" --soc")[0] for command in both]
    assert batches == [[w for w in shlex.split(command.lines[0]) if w.isdigit()] for command in both]
    assert ["bench"] == [shlex.split(command.lines[0])[1] for command in alone]


def test_every_runtime_that_was_timed_has_its_command(models, chip):
    """Of one nothing repeats what another measured."""
    timed = replace(chip, soc="cpu", data=None, environment={}, runtime="onnxruntime")
    found = origins.commands(models, [timed, replace(timed, runtime="eager", batch=4)])

    words = [shlex.split(command.lines[0]) for command in found]

    assert [["--batch", "1"], ["--batch", "4", "--runtime", "eager"]] == [own[own.index("--batch") :] for own in words]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"data": "sample-v1/24", "weights": "erfnet_sample.safetensors@0"}, []),
        ({"weights": "untrained-erfnet.safetensors@0"}, []),
        ({"runtime": "ais_bench", "weights": None}, ["--runtime", "ais_bench"]),
    ],
)
def test_what_is_the_default_is_not_typed(models, chip, more, words):
    """Drawn frames, shipped weights and weights that nobody trained need no flag; another runtime does."""
    (command,) = origins.commands(models, [replace(chip, environment={}, **more)])

    assert ["--soc", "Ascend310P3", "--batch", "1", *words] == shlex.split(command.lines[0])[4:]


def test_a_card_of_ones_own_is_found_by_its_folder(tiny_card, chip):
    """Of inference and of training; the folder stands there by its name, as data and weights do."""
    run = replace(chip, model="tiny", metric="train.miou", value=0.6, run="r", devices=1, settings={})
    found = origins.commands({"tiny": tiny_card}, [replace(chip, model="tiny"), run])
    folder = tiny_card.path.parents[1].name

    assert [["--models", folder]] * 2 == [shlex.split(command.lines[0])[-2:] for command in found]


def test_the_command_of_a_training_run_is_one_of_the_verb(models):
    """Its flags are known to `roadworthy train`; many devices go through torchrun."""
    settings = {
        "group": "result", "recipe": "8p", "batch_size": 16, "accumulate": 1, "lr": 0.1, "epochs": 200, "crop": "960x960",
        "max_steps": None, "warmup": 3, "schedule": "cosine", "optimizer": "sgd", "precision": "fp16", "seed": 0,
    }  # fmt: skip
    row = Record(
        model="icnet", soc="H100", batch=16, metric="train.miou", value=0.69, source="measured", data="val-1a2b3c4d/500",
        run="H100-8p", devices=8, when="2026-01-02", settings=settings,
    )  # fmt: skip
    (command,) = origins.commands(models, [row])
    words = shlex.split(command.lines[0])
    options = flags.parser().parse_args(["train", *words[5:]])

    assert ["torchrun", "--nproc-per-node", "8", "-m", "roadworthy.train"] == words[:5]
    assert ("icnet", "val", "8p", 16, 0.1, "960x960") == (
        options.model, options.data, options.recipe, options.batch, options.rate, options.crop,
    )  # fmt: skip
