"""Options to cases."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from roadworthy import card as cards
from roadworthy import record
from roadworthy.problem import Problem
from roadworthy.record import Record
from roadworthy.selection import Selection


def ids(selection: Selection) -> list[str]:
    """The ids of the cases."""
    return [case.id for case in selection.cases]


def test_the_cpu_runs_batches_up_to_eight_unless_more_are_asked_for(tiny_models):
    """A laptop is not asked for batch 16 by a card; --batch may."""
    assert ["tiny-bs1-cpu", "tiny-bs4-cpu"] == ids(Selection.of([tiny_models], [], []))
    assert ["tiny-bs16-cpu"] == ids(Selection.of([tiny_models], ["cpu"], [16, 16]))


def test_a_chip_runs_all_batches_of_the_card(tiny_models):
    """The guide's batch sizes, in its order."""
    selection = Selection.of([tiny_models], ["Ascend310P3"], [])

    assert ["tiny-bs1-Ascend310P3", "tiny-bs4-Ascend310P3", "tiny-bs16-Ascend310P3"] == ids(selection)
    assert ["tiny-bs4-Ascend310P3", "tiny-bs16-Ascend310P3"] == [case.id for case in selection.batched()]
    assert ["tiny-bs1-Ascend310P3"] == [case.id for case in selection.per_chip()]


def test_published_cells_are_those_of_the_guide(tiny_models):
    """Chips and batch sizes of the guide's table, narrowed by --soc and --batch."""
    assert 4 == len(Selection.of([tiny_models], [], [], published=True).cases)
    assert ["tiny-bs4-Ascend310"] == ids(Selection.of([tiny_models], ["Ascend310"], [4], published=True))


def test_a_chip_without_a_name_is_no_cell(tiny_models):
    """HRNet's GPU and ICNet's NPU are references; nobody can ask for them."""
    with pytest.raises(Problem, match="--soc GPU: is how guides speak of a chip"):
        Selection.of([tiny_models], ["GPU"], [])
    published = Selection.of([cards.builtin_models()], [], [], published=True)

    assert {"T4", "Ascend310", "Ascend310P3", "Ascend310P3+aoe"} == {case.soc.name for case in published.cases}
    assert 1 == ids(published).count("hrnet-bs1-Ascend310P3")


def test_ratios_are_of_delivered_chips(tiny_models):
    """One for each chip to compare with, with what is required."""
    selection = Selection.of([tiny_models], [], [], published=True, profile="modelzoo-310p")

    assert [("Ascend310P3", "T4", 1.6), ("Ascend310P3", "Ascend310", 1.2)] == [
        (case.soc.name, other, required) for case, other, required in selection.ratios()
    ]
    assert [] == Selection.of([tiny_models], ["cpu"], []).ratios()


def test_a_batch_size_below_one_is_refused(tiny_models):
    """Zero frames are no batch."""
    with pytest.raises(Problem, match="--batch 0: a batch size is 1 or more"):
        Selection.of([tiny_models], [], [0])


TRAINED = Record(
    model="icnet", soc="H100", batch=16, metric="train.miou", value=0.68, source="measured", run="H100-8p", devices=8,
    settings={"group": "result"}, when="2026-01-02",
)  # fmt: skip
ALONE = replace(TRAINED, devices=1, run="H100-1p", metric="train.throughput", value=110.0)


def kept(folder: Path, *records: Record) -> Path:
    """The folder of a training run that holds these records."""
    record.append(folder / "records.jsonl", records)
    return folder


def trained(selection: Selection) -> list[str]:
    """The ids of the cases of training."""
    return [case.id for case in selection.training]


def test_published_training_is_that_of_the_guides_results():
    """Four rows of ICNet's guide: not its searches, nor what names no chip. --soc and --batch choose others."""
    selection = Selection.of([cards.builtin_models()], [], [], published=True)

    assert ["icnet-1p-GPU", "icnet-8p-GPU", "icnet-1p-NPU", "icnet-8p-NPU"] == trained(selection)
    assert [("icnet-1p-NPU", "GPU", 0.99), ("icnet-8p-NPU", "GPU", 0.99)] == [
        (case.id, other, share) for case, other, share in selection.training_ratios()
    ]
    assert ["icnet-8p-GPU", "icnet-8p-NPU"] == [case.id for case in selection.scaled()]
    assert {"published"} == {r.source for r in selection.training_records()}
    for chosen in (["T4"], []), ([], [4]):
        assert [] == trained(Selection.of([cards.builtin_models()], *chosen, published=True))


def test_a_search_of_the_guide_is_no_cell(tmp_path):
    """Settings that were tried promise nothing."""
    text = (cards.builtin_models() / "icnet" / "card.toml").read_text(encoding="utf-8")
    row = '[[published.training]]\nname = "NPU-4p lr 1"\ngroup = "NPU-4p"\nchip = "NPU"\ndevices = 4\nmiou = 60.0\n'
    (tmp_path / "icnet").mkdir()
    (tmp_path / "icnet" / "card.toml").write_text(
        text.replace("[[published.training]]", row + "[[published.training]]", 1)
    )

    assert "icnet-4p-NPU" not in trained(Selection.of([tmp_path], [], [], published=True))


def test_measured_training_is_that_of_the_folders_named(tmp_path):
    """The guide's figures are what it is compared with; processes of a cpu are compared with no chip."""
    folder = kept(tmp_path / "out", TRAINED, ALONE, replace(TRAINED, soc="cpu"), replace(TRAINED, metric="miou"))
    selection = Selection.of([cards.builtin_models()], [], [], trained=[folder, folder])

    assert ["icnet-8p-H100", "icnet-1p-H100", "icnet-8p-cpu"] == trained(selection)
    assert ["icnet-8p-H100", "icnet-1p-H100"] == [case.id for case, _, _ in selection.training_ratios()]
    assert [TRAINED, ALONE, replace(TRAINED, soc="cpu")] == selection.training_records()[-3:]
    assert "published" == selection.training_records()[0].source
    assert ["icnet-8p-cpu"] == trained(Selection.of([cards.builtin_models()], ["cpu"], [], trained=[folder]))
    assert [] == trained(Selection.of([cards.builtin_models()], [], [8], trained=[folder]))
    assert [] == trained(Selection.of([cards.builtin_models()], [], []))


def test_training_of_a_value_that_is_no_number_is_not_judged(tmp_path):
    """As tables and report leave it out; neither of a folder named nor of committed ones."""
    endless = replace(TRAINED, value=math.nan, when="2030-01-01")
    run, committed = kept(tmp_path / "run", TRAINED, endless), kept(tmp_path / "records", replace(endless, devices=1))
    both = Selection.of([cards.builtin_models()], [], [], trained=[run], committed=committed)

    assert [TRAINED] == [r for r in both.training_records() if r.source == "measured"]


def test_a_folder_named_replaces_committed_runs_of_its_cells(tmp_path):
    """However old it is; of committed runs the newest stands last, and of drawn data or unknown models none."""
    other = [
        replace(TRAINED, model="gone"),
        replace(TRAINED, soc="Gone1"),
        replace(TRAINED, devices=None),
        replace(TRAINED, devices=2, source="sample"),
    ]
    newer, older = (replace(ALONE, when=f"{year}-01-01") for year in (2028, 2027))
    committed = kept(tmp_path / "records", newer, replace(TRAINED, when="2029-01-01"), older, *other)
    run = kept(tmp_path / "run", TRAINED)
    both = Selection.of([cards.builtin_models()], [], [], trained=[run], committed=committed)
    alone = Selection.of([cards.builtin_models()], [], [], committed=committed)

    assert [older, newer, TRAINED] == both.training_records()[-3:]
    assert {"icnet-1p-H100", "icnet-8p-H100"} == set(trained(both)) == set(trained(alone))
    assert [TRAINED] == both.of_run(run, both.training)
    assert [] == both.of_run(run, [case for case in both.training if case.devices == 1])


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (None, "records.jsonl: there is no such file; --trained takes the folder of a training run"),
        ([replace(TRAINED, metric="miou")], "records.jsonl: holds no record of training"),
        (
            [replace(TRAINED, model="other")],
            "records.jsonl: is of the model 'other'; known: deeplabv3, erfnet, hrnet, icnet",
        ),
        ([replace(TRAINED, soc="h100")], "records.jsonl: h100: there is no chip of this name; did you mean H100"),
    ],
    ids=["missing", "no-training", "unknown-model", "unknown-chip"],
)
def test_a_wrong_folder_of_training_is_told_by_its_file(tmp_path, rows, told):
    """One sentence."""
    if rows is not None:
        kept(tmp_path / "run", *rows)
    with pytest.raises(Problem) as caught:
        Selection.of([cards.builtin_models()], [], [], trained=[tmp_path / "run"])

    assert str(caught.value).startswith(f"{tmp_path / 'run'}/{told}")


def test_guides_and_measured_training_are_not_judged_at_once(tmp_path):
    """A cell has one verdict."""
    with pytest.raises(
        Problem, match=r"--trained .*: judges what was measured, --published what the guides say; give one"
    ):
        Selection.of([cards.builtin_models()], [], [], published=True, trained=[kept(tmp_path, TRAINED)])


def test_a_test_asks_for_cases_by_a_known_word(tiny_models):
    """A wrong word lists the right ones."""
    selection = Selection.of([tiny_models], [], [])

    assert (("case",), ["tiny-bs1-cpu", "tiny-bs4-cpu"]) == (
        selection.cells("all")[0], [name for name, _ in selection.cells("all")[1]],
    )  # fmt: skip
    assert (("case", "other", "required"), []) == selection.cells("training_ratios")
    with pytest.raises(
        Problem, match=r"'any'.: there are no such cases; known: all, batched, per_chip, ratios, training"
    ):
        selection.cells("any")
