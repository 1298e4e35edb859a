"""The plan of a dry run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy import plan
from roadworthy.card import Sample
from roadworthy.case import Case, TrainCase
from roadworthy.runtimes import ais_bench, aoe, atc
from roadworthy.schema import load_toml
from roadworthy.selection import Selection
from roadworthy.soc import find

ATC = Path(__file__).with_name("standins") / "bin" / "atc"
COMMANDS = load_toml(Path(__file__).with_name("guide_commands.toml"))["command"]
CHIPS = ("Ascend310", "Ascend310P3", "Ascend310P3+aoe")
OUTPUTS = {"icnet": "output1:0", "hrnet": "output1:0;output2:0"}  # the others keep the one that they have
TYPED = ais_bench.Tool(("python3", "-m", "ais_bench"), frozenset({"--model"}))

every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command['model']}-{command['as']}")


@pytest.fixture(scope="module")
def selection():
    """All built-in models on all Ascend chips, at the batch sizes of their guides."""
    return Selection.of([cards.builtin_models()], CHIPS, [])


def planned(case: Case) -> list[list[str]]:
    """The commands of the vendor's tools in a case's plan, as words."""
    lines = [re.sub(r'^TUNE_BANK_PATH="\$PWD"/\S+-bank ', "", line) for line in plan.lines(case, "DATA", None)]
    return [shlex.split(line) for line in lines if line.startswith(("atc ", "aoe ", "python3 "))]


def flags(words: list[str]) -> dict[str, str]:
    """Value by flag of `--flag=value` and `--flag value`; `program` is what stands before the first one."""
    program = list(takewhile(lambda word: not word.startswith("--"), words))
    found, rest = {"program": " ".join(program)}, iter(words[len(program) :])
    for word in rest:
        flag, equals, value = word.partition("=")
        assert flag.startswith("--"), word
        assert flag[2:] not in found, word
        found[flag[2:]] = value if equals else next(rest)
    return found


def filled(command: dict) -> str:
    """A guide's command with what a reader puts in the place of its variables."""
    text = command["text"]
    for name, value in command.get("given", {}).items():
        assert re.search(rf"\{{{name}\}}", text), name
        text = re.sub(rf"\$?\{{{name}\}}", value, text)
    assert "{" not in text
    return text


def test_a_plan_runs_nothing_and_names_every_step(tiny_card):
    """Export, surgery, build, run."""
    told = plan.lines(Case(tiny_card, find("cpu"), 4), "DATA", None)

    assert ["roadworthy", "  surgery", "onnxruntime:", "roadworthy"] == [
        line.split(" p")[0].split(" e")[0].split(" no")[0] for line in told
    ]
    assert "--data DATA" in told[-1]


def test_a_plan_says_what_weights_and_size_a_large_network_gets(tiny_card):
    """No --weights that nobody gave; drawn frames small."""
    large = replace(tiny_card, sample=Sample(size=(32, 64), frames=2))
    told = plan.lines(Case(large, find("cpu"), 1), "sample", None)

    assert "  weights untrained, made from the parameters' names; --weights takes tiny.pth" in told
    assert "  drawn frames at 32x64, the first 2" in told
    assert "--weights" not in told[-1]


@pytest.mark.realdata
@every_command
def test_a_guides_command_stands_in_the_guide_word_for_word(shared, command):
    """What the plan is compared with is no memory of the guide."""
    lines = (shared / "guides" / command["guide"]).read_text(encoding="utf-8").splitlines()

    assert command["text"] in [line.strip() for line in lines]


@pytest.mark.realdata
def test_no_command_of_a_guide_is_left_out(shared):
    """Every line of the four inference guides that starts atc, aoe or ais_bench is in the table."""
    tool = re.compile(r"\s*(?:atc |aoe |python\S* (?:-m ais_bench|\S*ais_infer\.py) )")
    guides = {command["guide"] for command in COMMANDS}
    found = [
        (guide.name, line.strip())
        for guide in sorted((shared / "guides").glob("*-inference.md"))
        for line in guide.read_text(encoding="utf-8").splitlines()
        if tool.match(line)
    ]

    assert {card.key for card in cards.find([cards.builtin_models()]).values()} == {c["model"] for c in COMMANDS}
    assert 4 == len(guides)
    assert sorted(found) == sorted((command["guide"], command["text"]) for command in COMMANDS)


@every_command
def test_every_difference_from_a_guides_command_is_explained(command):
    """No flag differs without a sentence, and no sentence outlives its difference."""
    card = cards.find([cards.builtin_models()])[command["model"]]
    built, files, pure = planned(Case(card, find("Ascend310P3"), 1))
    ours = flags({"atc": built, "files": files, "pure": pure}[command["as"]])
    theirs = flags(shlex.split(filled(command)))

    assert {flag for flag in ours | theirs if ours.get(flag) != theirs.get(flag)} == set(command["differs"])
    assert all(re.fullmatch(r"[A-Z].{20,}\.", sentence) for sentence in command["differs"].values())


def test_every_model_is_judged_on_every_chip(selection):
    """What the next test asks of each of them is asked of all."""
    assert {(key, chip) for key in cards.find([cards.builtin_models()]) for chip in CHIPS} == {
        (case.card.key, case.soc.name) for case in selection.cases
    }


@pytest.mark.parametrize("chip", CHIPS)
def test_every_case_of_a_chip_has_its_compilation_and_two_runs(selection, chip):
    """One atc, or two aoe by job type; the OM made of the exported graph is run by files and in pure inference."""
    for case in [case for case in selection.cases if case.soc.name == chip]:
        *built, files, pure = planned(case)
        onnx, om, inputs = flags(built[0])["model"], flags(built[0])["output"], flags(files)["input"]
        results, speed = flags(files)["output"], flags(pure)["output"]
        tuned = [aoe.arguments(case, onnx, om, job_type) for job_type in (1, 2)]
        loop = ["--loop", "100", "--warmup_count", "3"]

        assert ["roadworthy", "export", case.card.key, onnx] == shlex.split(plan.lines(case, "DATA", None)[0])
        assert (tuned if case.soc.tuned else [atc.arguments(case, onnx, om)]) == built
        assert ais_bench.arguments(TYPED, case, f"{om}.om", results, 0, "--input", inputs) == files
        assert ais_bench.arguments(TYPED, case, f"{om}.om", speed, 0, *loop) == pure
        assert results != speed  # or the second run would write over the first one's summary
        assert {str(case.batch)} == {flags(words)["batchsize"] for words in (files, pure)}
        assert {str(case.batch)} == {flags(words)["input_shape"].split(":")[1].split(",")[0] for words in built}
        assert OUTPUTS.get(case.card.key) == flags(built[0]).get("out_nodes")
        assert ([None, None] if case.soc.tuned else [chip]) == [flags(words).get("soc_version") for words in built]
        assert (["1", "2"] if case.soc.tuned else [None]) == [flags(words).get("job_type") for words in built]


def test_two_chips_or_batches_never_share_an_om(selection):
    """A person who types all plans in one folder overwrites nothing."""
    names = [flags(planned(case)[0])["output"] for case in selection.cases]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("chip", ["Ascend310", "Ascend310P3"])
@pytest.mark.parametrize("key", ["erfnet", "hrnet"])
def test_the_compiler_takes_the_planned_words(tmp_path, key, chip):
    """The stand-in knows the chip and every flag: it misses the graph alone, which is not there."""
    card = cards.find([cards.builtin_models()])[key]
    (words, *_) = planned(Case(card, find(chip), 4))
    done = subprocess.run(
        [sys.executable, str(ATC), *words[1:]],
        cwd=tmp_path,
        env={**os.environ, "STANDIN_FAULT": ""},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert f"--soc_version={chip}" in words
    assert f"Value [{key}.onnx] for parameter [--model] is invalid. Reason: there is no such file" in done.stdout


def test_training_runs_nothing_and_is_planned_by_its_records():
    """Of the run that is judged: what it says, whose it is, and when it ended."""
    card = cards.find([cards.builtin_models()])["icnet"]
    lost = replace(
        card.published()[-1], metric="train.throughput", value=None, outcome="oom", source="measured", soc="NPU",
        devices=8, run="NPU-8p", when="2026-01-01",
    )  # fmt: skip

    assert ["train.miou 0.681 of NPU-8p, published", "train.throughput 83 of NPU-8p, published"] == plan.of_training(
        TrainCase(card, find("NPU"), 8), card.published()
    )
    assert ["train.throughput oom of NPU-8p, measured 2026-01-01"] == plan.of_training(
        TrainCase(card, find("NPU"), 8), [*card.published(), lost]
    )
