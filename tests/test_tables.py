"""Tables: rendered whole from cards and records; nothing unjudged is called passed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy import tables
from roadworthy.__main__ import main
from roadworthy.card import ModelCard
from roadworthy.layout import Column, Layout
from roadworthy.problem import Problem
from roadworthy.published import Published
from roadworthy.record import Record

MODELS = cards.find([cards.builtin_models()])
EVERY = {name: text for card in MODELS.values() for name, text in tables.of_card(card, []).items()}
for key, card in MODELS.items():
    EVERY |= {f"{key}.en": tables.results(card, [], "en"), f"{key}.zh": tables.results(card, [], "zh")}
EVERY |= {"summary": tables.summary(MODELS.values(), []), "summary.zh": tables.summary(MODELS.values(), [], "zh")}
PINS = Path(__file__).parent / "tables"  # of a table that changed on purpose: `roadworthy tables` prints it anew
MEASURED = PINS / "measured"  # with records of training besides
SAMPLE = Record(
    model="tiny", soc="cpu", batch=1, metric="miou", value=0.7831, source="sample", runtime="onnxruntime",
    data="sample-v1/24", when="2026-01-01",
)  # fmt: skip
SPEED = Record(
    model="tiny", soc="Ascend310P3", batch=1, metric="throughput", value=222.0, source="measured", runtime="ascend",
    clock="device", when="2026-01-01", environment={"driver": "24.1", "firmware": "7.3", "cann": "8.0", "python": "3.9"},
)  # fmt: skip
MIOU = replace(SPEED, metric="miou", value=0.91, data="val", frames=500)
ACCURACY = """\
**Accuracy: mIoU, %**

| batch | Ascend310P3 | target |
| ----- | ----------- | ------ |
| 1     | 89.50       | 90.00  |
| 4     | 89.50       | 90.00  |

- All figures: published in the guide.
"""
SPEEDS = """\
**Throughput: images/s**

| batch | Ascend310     | Ascend310P3 | Ascend310P3 / Ascend310 |
| ----- | ------------- | ----------- | ----------------------- |
| 1     | **100**       | 110         | 1.100                   |
| 4     | out of memory | **130**     |                         |
| best  | 100           | 130         | 1.300                   |

- The best batch of each chip is bold and enters the last row; ratios are computed from the figures as measured.
- All figures: published in the guide.
"""
TINY = f"{ACCURACY}\n{SPEEDS}"
SUMMARY = """\
| model | chip        | best batch | images/s | x T4 | x 310 | mIoU % | target % | verdict |
| ----- | ----------- | ---------- | -------- | ---- | ----- | ------ | -------- | ------- |
| tiny  | Ascend310P3 | 4          | 130.00   |      | 1.300 | 89.50  | 90.00    | passed  |

- Ratios are of best batches; mIoU is the lowest of all batch sizes.
- All figures: published in the guide.
"""


def speeds(card: ModelCard, records: list[Record]) -> str:
    """The table of throughput among a model's results."""
    return tables.results(card, records).partition("**Throughput: images/s**")[2]


def cells(markdown: str) -> list[list[str]]:
    """The rows of a Markdown table without its head, and without marks of notes."""
    plain = re.sub("[⁰¹²³⁴-⁹]", "", markdown)
    return [[cell.strip() for cell in line[2:-2].split(" | ")] for line in plain.splitlines() if "|" in line][2:]


def printed(texts: dict[str, str]) -> str:
    """What the verb prints."""
    return "\n".join(f"{name}\n\n{text}" for name, text in texts.items())


@pytest.fixture
def chips(tiny_card):
    """A card of the same model that publishes nothing."""
    return replace(tiny_card, published_=Published())


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_table_is_pinned_whole(name):
    """As in the file of its name: all that the guides publish, in their words, ratios computed."""
    pinned = (PINS / f"{name}.md").read_text(encoding="utf-8")

    assert pinned == EVERY[name]


def test_no_pin_is_of_a_table_that_is_gone():
    """A renamed table takes its file along."""
    assert {path.stem for path in PINS.glob("*.md")} == set(EVERY)


def test_a_card_without_a_layout_has_the_tables_of_every_model(tiny_card):
    """Best batches bold, out of memory in words, the last row best over best; the origin of all figures in one line."""
    assert TINY == tables.results(tiny_card, [])
    assert {"tiny.en": TINY} == tables.of_card(tiny_card, [])


def test_a_chip_without_a_name_is_shown_and_enters_no_ratio(tiny_card):
    """As a guide's GPU of which nobody knows which one it was."""
    rows = [replace(SPEED, soc="T4", value=65.0, runtime=None), replace(SPEED, soc="GPU", value=70.0)]

    assert [
        ["1", "**100**", "110", "**65**", "**70**", "1.692", "1.100"],
        ["4", "out of memory", "**130**", "", "", "", ""],
        ["best", "100", "130", "65", "70", "2.000", "1.300"],
    ] == cells(speeds(tiny_card, rows))


MIXED = """

| batch | Ascend310¹    | Ascend310P3 | T4²    | Ascend310P3 / T4³ | Ascend310P3 / Ascend310 |
| ----- | ------------- | ----------- | ------ | ----------------- | ----------------------- |
| 1     | **100**       | 110¹        | **65** | 1.692             | 1.100                   |
| 4     | out of memory | **222**⁴    |        |                   |                         |
| best  | 100           | 222⁴        | 65     | 3.415             | 2.220                   |

- The best batch of each chip is bold and enters the last row; ratios are computed from the figures as measured.
- ¹ published in the guide.
- ² measured on 2026-02-03, by eager.
- ³ T4 was timed by the wall clock of eager, the chip divided by it by the device clock: this ratio compares unlike.
- ⁴ measured on 2026-01-01, by ascend, driver 24.1, firmware 7.3, CANN 8.0.
"""


def test_every_figure_says_where_it_comes_from(tiny_card):
    """A mark at a head is for its column; a ratio of unlike clocks is marked; when, by what, driver, CANN of what was measured."""
    eager = replace(
        SPEED, soc="T4", value=65.0, runtime="eager", clock="wall", when="2026-02-03T04:05:06", environment={}
    )
    records = [replace(SPEED, batch=4), eager]

    assert MIXED == speeds(tiny_card, records)


@pytest.mark.parametrize(("expected", "marks"), [((), 1), ((4,), 0)])
def test_a_batch_that_nobody_expected_to_be_lost_is_marked(chips, expected, marks):
    """The card lists what must not fit; the guide's words for it are kept."""
    card = replace(chips, target=replace(chips.target, oom={"Ascend310P3": expected}))
    lost = replace(SPEED, batch=4, value=None, outcome="oom")

    assert marks == speeds(card, [SPEED, lost]).count("out of memory, which the card does not expect")
    assert "out of memory" in speeds(card, [SPEED, lost])


def test_the_guides_words_for_memory_stand_in_both_languages():
    """In Chinese alone, in English behind what they say."""
    assert "| 内存分配失败 |" in EVERY["erfnet.zh"]
    assert "| out of memory (内存分配失败) |" in EVERY["erfnet.en"]


def test_a_card_without_a_figure_says_so(chips):
    """One sentence in place of its tables, also where it lays some out, and an unjudged row of the summary."""
    laid_out = tuple(Layout(name, "batches", (Column("batch", "batch"),)) for name in ("one", "two"))
    sentence = "Nothing of Tiny is published or measured.\n"

    assert sentence == tables.results(chips, [])
    assert "Tiny尚无公布或实测的数据。\n" == tables.results(chips, [], "zh")
    assert sentence == tables.known_tables([replace(chips, table=laid_out)], [])["tiny"]
    assert [["tiny", "Ascend310P3", "", "", "", "", "", "90.00", "unjudged"]] == cells(tables.summary([chips], []))


def test_the_best_batch_of_a_chip_that_ran_is_a_measured_one(tiny_card):
    """As in verdict, summary and level: its guide's faster batch stays in its row, and is the best of nothing."""
    rendered = speeds(tiny_card, [replace(SPEED, value=105.0)])

    assert [
        ["1", "**100**", "**105**", "1.050"],
        ["4", "out of memory", "130", ""],
        ["best", "100", "105", "1.050"],
    ] == cells(rendered)


def test_a_measured_figure_replaces_the_published_one_of_its_cell(tiny_card):
    """The newest, in whatever order the files have them; out of memory is a result too."""
    older = replace(SPEED, value=200.0, when="2025-01-01")
    lost = replace(SPEED, batch=4, value=None, outcome="oom")
    rendered = speeds(tiny_card, [SPEED, older, lost])

    assert ["1", "**100**", "**222**", "2.220"] == cells(rendered)[0]
    assert ["4", "out of memory", "out of memory", ""] == cells(rendered)[1]


def test_a_run_measured_anew_replaces_the_published_one_of_its_group():
    """The guide has a row of that name; a run of the same name in another group is another run."""
    trained = Record(
        model="icnet", soc="NPU", batch=16, metric="train.miou", value=0.7, source="measured", run="NPU-8p",
        data="val-0/500", frames=500, settings={"group": "result"}, when="2026-01-01",
    )  # fmt: skip
    elsewhere = replace(trained, value=0.1, settings={"group": "other"})
    rendered = tables.of_card(MODELS["icnet"], [trained, elsewhere])

    assert cells(EVERY["icnet.training"].replace("68.1", "70.0")) == cells(rendered["icnet.training"])
    assert "| 70.0² |" in rendered["icnet.training"]
    assert "- ² measured on 2026-01-01.\n" in rendered["icnet.training"]
    assert EVERY["icnet.training-npu"] == rendered["icnet.training-npu"]


def trained(**more: object) -> list[Record]:
    """What a training run on H100s leaves."""
    row = Record(
        model="icnet", soc="H100", batch=16, metric="train.miou", value=0.6812, source="measured", data="val-0/500",
        frames=500, weights="untrained-icnet.safetensors@0", run="H100-8p", devices=8,
        settings={"group": "result", "batch_size": 16, "lr": 0.1, "loss_scale": 32}, when="2026-01-02",
    )  # fmt: skip
    values = {"train.miou": 0.6812, "train.best_miou": 0.685, "train.throughput": 412.345}
    return [replace(row, **{"metric": metric, "value": value, **more}) for metric, value in values.items()]


SEARCH = {"run": "H100-8p lr 0.2", "settings": {"group": "NPU-8p", "batch_size": 16, "lr": 0.2, "loss_scale": 128}}


@pytest.mark.parametrize("name", ["icnet.training", "icnet.training-gpu", "icnet.training-npu"])
def test_measured_training_has_rows_of_its_own(name):
    """The newest of every run, in the table of its group; one on drawn data or a cpu, and a mIoU of few frames, in none."""
    few = {"run": "L4-1p", "soc": "L4", "devices": 1, "frames": 9, "when": "2026-01-03"}
    records = [
        *trained(),
        *trained(value=0.1, when="2026-01-01"),
        *trained(**SEARCH),
        *trained(**few),
        *trained(soc="cpu", run="cpu-8p"),
        *trained(source="sample", run="T4-8p", soc="T4"),
        *trained(run="A100-8p", soc="A100", value=None, outcome="unstable"),
    ]

    assert (MEASURED / f"{name}.md").read_text(encoding="utf-8") == tables.of_card(MODELS["icnet"], records)[name]


def test_measured_training_changes_nothing_of_inference():
    """Also of a chip that both know: its batch is of crops, its runs stand in no summary."""
    records = trained(soc="Ascend310P3", run="Ascend310P3-8p")
    found = tables.of_card(MODELS["icnet"], records)

    assert EVERY["summary"] == tables.summary(MODELS.values(), records)
    assert EVERY["icnet.inference"] == found["icnet.inference"]
    assert EVERY["icnet.training"] != found["icnet.training"]


def test_a_cell_that_crashed_last_shows_no_older_figure(tiny_card):
    """A chip that no longer runs does not keep the figure of its guide: the cell says what became of it."""
    rendered = speeds(tiny_card, [replace(SPEED, value=None, outcome="crash")])

    assert ["1", "**100**", "crash", ""] == cells(rendered)[0]


@pytest.mark.parametrize(
    "record",
    [
        replace(SPEED, source="sample"),
        replace(SPEED, source="emulated"),
        replace(SPEED, soc="cpu"),
        replace(SPEED, runtime="standin"),
        replace(SPEED, model="other"),
        replace(MIOU, frames=9),
        replace(MIOU, weights="untrained-0.safetensors@0"),
    ],
    ids=["sample", "emulated", "cpu", "standin", "other-model", "few-frames", "untrained"],
)
def test_what_never_enters(tiny_card, record):
    """No figure of drawn frames, of the CPU, of a stand-in, of other frames than all of val or of untrained weights."""
    assert TINY == tables.results(tiny_card, [record])
    assert SUMMARY == tables.summary([tiny_card], [record])


def test_an_unstable_run_shows_no_figure_and_takes_the_guides_from_the_verdict(tiny_card):
    """As in a run and in the report: the chip ran, and nobody knows how fast; the guide's figures stay, none is the best."""
    unstable = replace(SPEED, value=None, outcome="unstable")

    assert [
        ["1", "**100**", "110", "1.100"],
        ["4", "out of memory", "130", ""],
        ["best", "100", "", ""],
    ] == cells(speeds(tiny_card, [unstable]))
    (row,) = cells(tables.summary([tiny_card], [unstable]))
    assert ["tiny", "Ascend310P3", "", "", "", "", "89.50", "90.00"] == row[:8]
    assert "passed; unjudged: throughput against Ascend310" == row[8]


def test_the_summary_has_a_row_for_every_chip_delivered(tiny_card):
    """The judged chip and its tuned variants that have figures; not the chips that they are compared with."""
    tuned = replace(SPEED, soc="Ascend310P3+aoe", batch=4, value=150.0)
    found = cells(tables.summary([tiny_card], [tuned, replace(SPEED, soc="T4", value=100.0)]))

    assert [
        ["tiny", "Ascend310P3", "4", "130.00", "1.300", "1.300", "89.50", "90.00", "passed"],
        ["tiny", "Ascend310P3+aoe", "4", "150.00", "1.500", "1.500", "", "90.00", "passed; unjudged: accuracy"],
    ] == found


P3, OTHER = SPEED.soc, "Ascend310"
RATIO = [replace(SPEED, value=120.0), replace(SPEED, soc=OTHER, value=100.0)]


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ([MIOU, *RATIO], "passed"),
        ([*RATIO], "passed; unjudged: accuracy"),
        ([MIOU, RATIO[0]], "passed; unjudged: throughput against Ascend310"),
        ([MIOU], "passed; unjudged: throughput against Ascend310"),
        ([RATIO[0]], "unjudged"),
        ([RATIO[1]], "unjudged"),
        ([replace(MIOU, value=0.88), *RATIO], "failed: accuracy"),
        ([replace(MIOU, value=0.88)], "failed: accuracy"),
        ([MIOU, replace(MIOU, batch=4, value=0.88), *RATIO], "failed: accuracy"),
        ([replace(MIOU, value=None, outcome="crash"), *RATIO], "failed: accuracy"),
        ([MIOU, replace(RATIO[0], value=119.0), RATIO[1]], "failed: throughput against Ascend310"),
        ([replace(MIOU, value=0.88), replace(RATIO[0], value=119.0), RATIO[1]],
         "failed: accuracy, throughput against Ascend310"),
        ([MIOU, *RATIO, replace(SPEED, batch=4, value=None, outcome="oom")], "failed: memory"),
        ([MIOU, *RATIO, replace(MIOU, batch=4, value=None, outcome="oom")], "failed: memory"),
        ([MIOU, *RATIO, replace(SPEED, batch=4, value=None, outcome="crash")], "failed: memory"),
        ([MIOU, *RATIO, replace(SPEED, soc=OTHER, batch=4, value=None, outcome="oom")], "passed"),
    ],
)  # fmt: skip
def test_the_verdict_names_what_failed_or_could_not_be_judged(chips, records, verdict):
    """Passed alone is said of what was judged whole; that a batch fits the memory makes nothing passed."""
    assert verdict == cells(tables.summary([chips], records))[0][-1]


def test_the_summary_judges_a_chip_that_ran_by_what_was_measured(tiny_card):
    """Its guide's faster batch is no longer its best."""
    found = cells(tables.summary([tiny_card], [replace(SPEED, batch=1, value=105.0)]))

    assert ["tiny", P3, "1", "105.00", "", "1.050"] == found[0][:6]
    assert "failed: throughput against Ascend310" == found[0][-1]


def test_a_ratio_below_the_required_one_is_not_rounded_to_it(chips):
    """The verdict beside it says that it failed."""
    rows = [MIOU, replace(SPEED, value=119.9996), replace(SPEED, soc=OTHER, value=100.0)]
    (row,) = cells(tables.summary([chips], rows))

    assert ("1.199996", "failed: throughput against Ascend310") == (row[5], row[8])


def test_a_known_loss_of_memory_is_no_failure(chips):
    """The card lists the batch; no mIoU is missed there either."""
    card = replace(chips, target=replace(chips.target, oom={P3: (4,)}))
    lost = [replace(record, batch=4, value=None, outcome="oom") for record in (SPEED, MIOU)]

    assert "passed" == cells(tables.summary([card], [MIOU, *RATIO, *lost]))[0][-1]


def test_a_ratio_that_nobody_asks_for_is_told_and_not_judged(chips):
    """T4 has its column whatever the card asks."""
    card = replace(chips, target=replace(chips.target, vs={}))
    found = cells(tables.summary([card], [MIOU, SPEED, replace(SPEED, soc="T4", value=444.0)]))

    assert [["tiny", P3, "1", "222.00", "0.500", "", "91.00", "90.00", "passed"]] == found


def test_the_summary_shows_the_lowest_miou(chips):
    """Every batch size is judged, and none hides behind another."""
    found = cells(tables.summary([chips], [MIOU, replace(MIOU, batch=4, value=0.905), *RATIO]))

    assert ["90.50", "90.00", "passed"] == found[0][-3:]


def test_sample_figures_have_a_table_of_their_own():
    """The newest of each cell, in per cent; published and measured figures and untrained weights stay out."""
    rows = [
        replace(SAMPLE, value=0.5, when="2025-01-01"),
        SAMPLE,
        replace(SAMPLE, metric="pooled_miou", value=0.8),
        replace(SAMPLE, source="measured", value=0.1, batch=2),
        replace(SAMPLE, value=0.2, batch=4, weights="untrained-0.safetensors@0"),
        replace(SAMPLE, value=0.2, when="2027-01-01", weights="untrained-0.safetensors@0"),
    ]

    assert (
        "| model | soc | runtime     | sample data  | batch | mIoU % | pooled mIoU % |\n"
        "| ----- | --- | ----------- | ------------ | ----- | ------ | ------------- |\n"
        "| tiny  | cpu | onnxruntime | sample-v1/24 | 1     | 78.31  | 80.00         |\n"
    ) == tables.sample(rows)
    assert tables.sample(rows[3:]) == "No figure on sample data is committed.\n"


def test_sample_figures_of_unlike_runs_stay_apart_and_what_is_unknown_is_blank():
    """A runtime of its own is a row of its own; a figure without a pooled one, or of no named runtime, is shown."""
    torch = replace(SAMPLE, runtime="eager", value=0.5)
    rows = [SAMPLE, replace(SAMPLE, metric="pooled_miou", value=0.8), torch, replace(SAMPLE, runtime=None, batch=4)]

    assert [
        ["tiny", "cpu", "", "sample-v1/24", "4", "78.31", ""],
        ["tiny", "cpu", "eager", "sample-v1/24", "1", "50.00", ""],
        ["tiny", "cpu", "onnxruntime", "sample-v1/24", "1", "78.31", "80.00"],
    ] == cells(tables.sample(rows))


def test_a_figure_of_all_batch_sizes_changes_no_others(tiny_card):
    """It has no batch size to show."""
    every = replace(SPEED, batch=None, value=500.0)

    assert tables.sample([SAMPLE]) == tables.sample([SAMPLE, replace(every, soc="cpu"), replace(SAMPLE, batch=None)])
    assert ["", "500.00"] == cells(tables.summary([tiny_card], [every]))[0][2:4]


def test_notes_from_files_act_on_no_terminal(tiny_card):
    """Neither colours nor marks that turn the direction of reading."""
    strange = replace(SPEED, environment={"cann": "8\x1b[31m\x07\u202eRTL"})

    assert "CANN 8\\[31mRTL.\n" in tables.results(tiny_card, [strange])


def test_names_from_files_end_no_cell_no_line_and_no_table():
    """A pipe is escaped, a line break is a blank, HTML is none."""
    found = tables.sample([replace(SAMPLE, data="a|b\n<!-- roadworthy:end -->")])

    assert "| a\\|b &lt;!-- roadworthy:end --> |" in found
    assert 3 == len(found.splitlines())


def test_columns_line_up_although_chinese_letters_are_wide():
    """Every line takes as many columns of a terminal."""
    widths = {
        sum(1 + ("\u2e80" <= letter) for letter in line)
        for line in EVERY["icnet.inference"].splitlines()
        if line.startswith("|")
    }

    assert 1 == len(widths)


def test_words_of_cards_start_no_markup(tiny_card, chips):
    """Neither a column's head nor a model's name."""
    column = Column("*speed* | <b>", "throughput", "Ascend310P3")
    laid_out = replace(tiny_card, table=(Layout("t", "batches", (column,)),))

    assert "| \\*speed\\* \\| &lt;b> |\n" in tables.of_card(laid_out, [])["tiny.t"]
    assert "Nothing of \\*Tiny\\* is" in tables.results(replace(chips, name="*Tiny*"), [])


def test_notes_from_files_start_no_html(tiny_card):
    """A version is a text."""
    strange = replace(SPEED, environment={"cann": "8<script>alert(1)</script>\n- x"})

    assert "CANN 8&lt;script>alert(1)&lt;/script> - x.\n" in tables.results(tiny_card, [strange])


def test_notes_from_files_start_no_line_and_no_link(tiny_card):
    """A carriage return ends a line of Markdown too, and a page that is read again has another one in its place."""
    strange = replace(SPEED, environment={"cann": "8\r- [x](http://example.org)"})

    assert "CANN 8 - \\[x\\](http://example.org).\n" in tables.results(tiny_card, [strange])


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    """A page with the markers of three tables."""
    path = tmp_path / "README.md"
    names = ("summary", "tiny", "tiny.en")
    text = "".join(f"<!-- roadworthy:table {name} -->\nold\n<!-- roadworthy:end -->\n" for name in names)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_page_names_tables_by_model_and_name(readme, tiny_card):
    """`summary`, all tables of a model, or one of them."""
    assert "-old" in tables.check(readme, [tiny_card], [])

    tables.write(readme, [tiny_card], [])

    assert "" == tables.check(readme, [tiny_card], [])
    assert [SUMMARY, TINY, TINY] == [part.split("<!--")[0][1:-1] for part in readme.read_text().split(" -->\n")[1::2]]


def test_a_models_name_is_all_of_its_tables(tiny_card):
    """One after the other, a blank line between."""
    one, two = (Layout(name, "batches", (Column(name, "batch"),), batches=(1,)) for name in ("one", "two"))

    found = tables.known_tables([replace(tiny_card, table=(one, two))], [])

    assert ["summary", "summary.zh", "sample", "tiny", "tiny.one", "tiny.two", "tiny.en", "tiny.zh"] == list(found)
    assert "| one |\n| --- |\n| 1   |\n\n| two |\n| --- |\n| 1   |\n" == found["tiny"]


def test_an_unknown_name_lists_the_known_ones(readme, chips):
    """The sentence names the page."""
    text = readme.read_text().replace("tiny.en", "tiny.speed")
    readme.write_text(text)

    with pytest.raises(
        Problem, match=r"no table 'tiny\.speed'; known: summary, summary\.zh, sample, tiny, tiny\.en, tiny\.zh"
    ):
        tables.write(readme, [chips], [])


@pytest.fixture
def run(tiny_models, tmp_path, monkeypatch, capsys):
    """The verb `tables` with the model `tiny` beside those that come along: exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["tables", "--models", str(tiny_models), *arguments])
        return status, *capsys.readouterr()

    return run


def test_the_verb_prints_the_tables_of_the_models_named(run, tiny_card):
    """Each under a line with its name; without a model the summary and all."""
    erfnet = {name: EVERY[name] for name in ("erfnet.accuracy", "erfnet.throughput")}
    summary = tables.summary([*MODELS.values(), tiny_card], [])
    laid_out = {name: text for key in MODELS for name, text in tables.of_card(MODELS[key], []).items()}

    assert (0, printed({"tiny.en": TINY, **erfnet}), "") == run("tiny", "erfnet")
    assert (0, printed({"summary": summary, **laid_out, "tiny.en": TINY}), "") == run()


def test_the_verb_prints_results_in_a_language(run, tiny_card):
    """Those of every model in the same form, below the summary in that language."""
    summary = tables.summary([*MODELS.values(), tiny_card], [], "zh")
    every = {**{f"{key}.zh": EVERY[f"{key}.zh"] for key in MODELS}, "tiny.zh": tables.results(tiny_card, [], "zh")}

    assert (0, printed({"erfnet.zh": EVERY["erfnet.zh"]}), "") == run("erfnet", "--language", "zh")
    assert (0, printed({"summary": summary, **every}), "") == run("--language", "zh")


def test_the_verb_takes_pages_one_after_the_other(run, readme):
    """By default README.md and all of reports/; status 1 and the difference where one is stale."""
    assert (0, "", "") == run("--write")

    guides = readme.parent / "reports" / "guides.md"
    guides.parent.mkdir()
    guides.write_text("<!-- roadworthy:table tiny -->\nold\n<!-- roadworthy:end -->\n")
    status, out, err = run("--check")

    assert 1 == status
    assert "--- reports/guides.md\n+++ records\n" in out
    assert "README" not in out
    assert "reports/guides.md is stale; `roadworthy tables --write --readme reports/guides.md` renders it anew\n" == err
    assert (0, "", "") == run("--check", "--readme", "README.md")
    assert (0, "", "") == run("--write", "--readme", "README.md", "--readme", "reports/guides.md")
    assert (0, "", "") == run("--check")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["huge"], "huge: there is no such model; known: deeplabv3, erfnet, hrnet, icnet, tiny"),
        (["tiny", "--check"], "tiny: --write and --check take whole pages"),
        (["--write", "--language", "zh"], "--language zh: --write and --check take each table in the"),
        (["--check"], "README.md: there is no such file"),
    ],
)
def test_the_verb_tells_what_is_wrong(run, arguments, told):
    """Status 2, one sentence, nothing on stdout."""
    status, out, err = run(*arguments)

    assert (2, "") == (status, out)
    assert err.startswith(f"roadworthy: {told}")
