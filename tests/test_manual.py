"""The written guide of a model: its words, its figures, and what comes from records."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy import manual, record, standing, zoo
from roadworthy.problem import Problem
from roadworthy.record import Record

ROOT = Path(__file__).parents[1]
PINS = Path(__file__).with_name("deliver")
MODELS = cards.find([cards.builtin_models()])
MEASURED = Record(
    model="tiny", soc="Ascend310P3", batch=4, metric="throughput", value=140.0, source="measured", clock="device",
    runtime="ascend", when="2026-01-02T03:04:05+00:00",
    environment={"driver": "23.0.rc2", "firmware": "7.1", "cann": "7.0.0", "python": "3.10.9", "torch": "2.4.0"},
)  # fmt: skip
EVERY = [(key, language) for key in sorted(MODELS) for language in ("zh", "en")]

every_guide = pytest.mark.parametrize(("key", "language"), EVERY)


def words(guide: str) -> str:
    """A guide without its shell blocks and its code."""
    return re.sub(r"```.*?```|`[^`\n]*`", "", guide, flags=re.DOTALL)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_guide_of_erfnet_is_pinned_whole(language):
    """As `roadworthy deliver erfnet tests/deliver/zh` (or `en --language en`) writes it."""
    pinned = {path.name: path.read_text(encoding="utf-8") for path in (PINS / language).iterdir()}
    card, records = MODELS["erfnet"], record.read_folder(ROOT / "reports" / "records")
    levels = zoo.text(zoo.levels(card, standing.counted(card, records)))

    assert pinned == {"README.md": manual.text(card, records, language), "modelzoo_level.txt": levels}


def test_versions_of_a_run_without_a_figure_are_not_those_measured_with():
    """A guide that shows no measured figure names no version that one was measured with."""
    soc = MODELS["erfnet"].target.judge
    run = {"model": "erfnet", "soc": soc, "batch": 1, "metric": "throughput", "source": "measured", "runtime": "ascend"}
    unstable = Record(**run, value=None, outcome="unstable", detail="why", environment={"driver": "23.7.0"})

    assert "23.7.0" not in manual.text(MODELS["erfnet"], [unstable], "en")
    assert "23.7.0" in manual.text(
        MODELS["erfnet"], [replace(unstable, value=400.0, outcome="ok", clock="device")], "en"
    )


@every_guide
def test_every_name_in_a_link_is_a_heading(key, language):
    """The list of contents leads somewhere, in the order of the page."""
    guide = manual.text(MODELS[key], [], language)
    headings = [
        re.sub(r"[^\w-]", "", name.lower().replace(" ", "-")) for name in re.findall(r"^## (.*)$", guide, re.MULTILINE)
    ]
    contents = re.findall(r"^- \[.*\]\(#(.*)\)$", guide, re.MULTILINE)

    assert headings == contents
    assert set(re.findall(r"\]\(#([^)]*)\)", guide)) == set(headings)


@every_guide
def test_a_guide_leaves_nothing_to_fill_in(key, language):
    """No mark of the template, no empty cell, no word of Python, no blank at the end of a line."""
    guide = manual.text(MODELS[key], [], language)

    assert [] == re.findall(r"\{[{%]|[%}]\}|\bNone\b|\bTrue\b|\bFalse\b|Undefined|\[\]", words(guide))
    assert [] == [line for line in guide.splitlines() if line != line.rstrip()]
    assert "\n\n\n" not in guide


@pytest.mark.parametrize("key", sorted(MODELS))
def test_a_guide_is_in_one_language(key):
    """No Chinese in the English words but in the guide's own tables, which are the last thing of their section."""
    guide = manual.text(MODELS[key], [], "en")
    head, _, rest = guide.partition("### Results\n")
    tail = rest[min(rest.find(mark) for mark in ("\n> ", "\n## ") if mark in rest) :]

    assert [] == re.findall(r"[\u4e00-\u9fff]+", head + tail)


@every_guide
def test_every_step_pass_and_convention_of_a_card_has_words(key, language):
    """None is shown as its bare name."""
    card, guide = MODELS[key], manual.text(MODELS[key], [], language)

    assert [] == [step for step in card.input.steps if f"   - `{step}`\n" in guide]
    assert [] == [
        step["pass"] for step in card.surgery if re.search(rf"- `{step['pass']}`[^:\uff1a]*$", guide, re.MULTILINE)
    ]
    assert f"`{card.scoring.average}`" not in guide


def test_a_name_without_words_is_shown_as_it_is(tiny_card):
    """A step or pass of a model's own net.py."""
    card = replace(
        tiny_card, input=replace(tiny_card.input, steps=("net.own",)), surgery=({"pass": "net.cut", "n": 2},)
    )
    guide = manual.text(card, [], "en")

    assert "   - `net.own`\n" in guide
    assert "   - `net.cut` (`n = 2`)\n" in guide


def test_the_environment_is_that_of_the_newest_measured_figure(tiny_card):
    """Beside what the published guide states; what is not known is said to be so."""
    older = replace(MEASURED, batch=1, when="2026-01-01", environment={"driver": "1"})
    card = replace(tiny_card, published_=replace(tiny_card.published_, environment={"cann": "5.1.RC1"}))
    guide = manual.text(card, [MEASURED, older, replace(MEASURED, soc="T4", when="2027")], "en")

    assert "| CANN | 5.1.RC1 | 7.0.0 |\n" in guide
    assert "| Driver | not stated | 23.0.rc2 |\n" in guide
    assert "newest record on Ascend310P3 (2026-01-02T03:04:05+00:00)" in guide
    assert "| CANN | 5.1.RC1 |\n" in manual.text(card, [], "en")


def test_graphs_compared_on_the_host_say_nothing_of_the_chips_environment(tiny_card):
    """They are recorded under its name, without driver and CANN where no device was held."""
    alike = replace(MEASURED, metric="agreement.operated", value=1.0, when="2027", environment={"python": "3.11"})

    assert "| CANN | not stated | 7.0.0 |\n" in manual.text(tiny_card, [MEASURED, alike], "en")
    assert "measured with" not in manual.text(tiny_card, [alike], "en")


def test_commands_are_of_the_best_batch(tiny_card):
    """Which a measured figure may change; where there is none, of the card's first."""
    slow = [replace(MEASURED, batch=1, value=500.0)]
    bare = replace(tiny_card, published_=replace(tiny_card.published_, miou={}, throughput={}))

    assert "--input_shape=image:4,3,64,128 " in manual.text(tiny_card, [], "en")
    assert "--input_shape=image:1,3,64,128 " in manual.text(tiny_card, slow, "en")
    assert "--input_shape=image:1,3,64,128 " in manual.text(bare, [], "en")


@pytest.mark.parametrize(("language", "best"), [("zh", "最优 batch。"), ("en", "the best one of the figures below")])
def test_a_batch_is_called_best_only_by_figures(tiny_card, language, best):
    """Where nobody took a throughput of the delivered chip, the card's first batch is no best one."""
    bare = replace(tiny_card, published_=replace(tiny_card.published_, throughput={}))

    assert best in manual.text(tiny_card, [], language)
    assert best not in manual.text(bare, [], language)


@pytest.mark.parametrize(
    ("language", "claim"),
    [("zh", "以上是取得下文数据时的版本"), ("en", "the versions that the figures below were taken with")],
)
def test_no_version_is_claimed_of_figures_that_were_taken_with_another(tiny_card, language, claim):
    """The guide's figures and the newest of the delivered chip are not all: the notes say it of each."""
    other = replace(MEASURED, soc="Ascend310", batch=1, environment={"cann": "8.9"})
    guide = manual.text(tiny_card, [MEASURED, other], language)

    assert "CANN 8.9" in guide.replace("\n", " ")
    assert claim not in guide


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_comes_from_records_starts_no_markup(tiny_card, language):
    """Neither HTML nor a link nor the end of a cell."""
    evil = "<script>alert(1)</script> | [x](http://e) `y`\n# z"
    lost = replace(MEASURED, value=None, outcome="crash", detail=evil, environment={"cann": evil})
    guide = manual.text(tiny_card, [lost], language)

    assert "<script" not in guide
    assert 6 == guide.count("&lt;script>alert(1)&lt;/script> \\| \\[x\\](http://e) \\`y\\` # z |\n")
    assert "\n# z" not in guide


def test_code_holds_what_it_is_given():
    """Backquotes get a longer fence, lines become one, and a bar ends no cell."""
    assert "`a b`" == manual.code("a\nb")
    assert "`` a`b ``" == manual.code("a`b")
    assert "`ab`" == manual.code("a|b")


def test_an_address_is_a_link_only_where_it_is_one():
    """Anything else is shown as code."""
    assert "<https://example.org/a>" == manual.link("https://example.org/a")
    assert "`javascript:x`" == manual.link("javascript:x")
    assert "`https://e> <script>`" == manual.link("https://e> <script>")
    assert "<https://e/a%7Cb>" == manual.link("https://e/a|b")


def test_out_of_memory_of_the_delivered_chip_is_a_known_thing(tiny_card):
    """A tuned variant has the memory of its base; another chip's is not told."""
    target = replace(tiny_card.target, oom={"Ascend310P3": (16,), "Ascend310": (4,)}, judge="Ascend310P3+aoe")
    guide = manual.text(replace(tiny_card, target=target), [], "en")

    assert "- Batch 16 does not fit the memory of Ascend310P3" in guide
    assert "Batch 4 does not fit" not in guide


def test_inference_in_the_framework_is_told_until_it_was_measured_otherwise():
    """ERFNet's T4; no longer where every figure of it was taken with an engine."""
    card = MODELS["erfnet"]
    engine = [
        replace(MEASURED, model="erfnet", soc="T4", batch=batch, runtime="tensorrt") for batch in card.export.batches
    ]
    note = "> **Note:** T4 ran inference in PyTorch (eager, wall clock), not a compiled engine."

    assert note in manual.text(card, [], "en")
    assert note in manual.text(card, engine[1:], "en")
    assert "> **Note:**" not in manual.text(card, engine, "en")


def test_a_recipe_of_many_devices_is_trained_under_torchrun(tiny_card):
    """One device needs none; a card without [train] has no such section."""
    guide = manual.text(tiny_card, [], "en")

    assert '\nroadworthy train tiny --data "$DATA" --recipe 1p ' in guide
    assert '\ntorchrun --nproc-per-node 4 -m roadworthy.train tiny --data "$DATA" --recipe 4p ' in guide
    assert "## Training" not in manual.text(replace(tiny_card, train=None), [], "en")


def test_every_recipe_is_trained_into_a_folder_of_its_own(tiny_card):
    """A second run in the folder of the first is refused; a card's only recipe has the default, and the words name both."""
    many, one = manual.text(tiny_card, [], "zh"), manual.text(MODELS["erfnet"], [], "zh")

    assert ["trained/tiny-1p", "trained/tiny-4p"] == re.findall(r"--recipe \dp --out (\S+) ", many)
    assert "权重、日志与曲线在 `trained/tiny-1p`、`trained/tiny-4p` 中" in many
    assert "--recipe 1p\n" in one
    assert "权重、日志与曲线在 `trained/erfnet` 中" in one


def test_a_card_of_ones_own_is_named_by_its_folder(tiny_card):
    """In every line of ours that takes a card; those that come with roadworthy need no folder."""
    own, known = manual.text(tiny_card, [], "zh"), manual.text(MODELS["icnet"], [], "zh")
    lines = [line.strip() for line in own.splitlines() if re.match(r" *(roadworthy|pytest|torchrun) ", line)]

    assert ["roadworthy doctor"] == [line for line in lines if not line.endswith(' --models "$MODELS"')]
    assert 8 == len(lines)
    assert "MODELS=/path/to/models\n" in own
    assert "MODELS" not in known


@pytest.mark.parametrize(("language", "told"), [("zh", "每个耗时以小时计"), ("en", "which is hours of tuning each")])
def test_hours_of_tuning_are_told_before_the_commands_that_take_them(tiny_card, language, told):
    """In-process runs use no OM that was made by hand; where nothing is tuned, no hours are told."""
    tuned = replace(tiny_card, target=replace(tiny_card.target, judge="Ascend310P3+aoe"))

    assert told in manual.text(tuned, [], language)
    assert told not in manual.text(tiny_card, [], language)


def test_a_guide_is_of_an_ascend_chip(tiny_card):
    """A card that delivers another is refused, with what would be right."""
    card = replace(tiny_card, target=replace(tiny_card.target, judge="T4"))

    with pytest.raises(Problem, match=r"card\.toml: target\.judge is T4; the zoo's guide is of an Ascend chip"):
        manual.text(card, [], "zh")
