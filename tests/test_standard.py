"""The tables of every model: what there are figures of, in one form."""

from __future__ import annotations

from dataclasses import replace

from roadworthy import card as cards
from roadworthy.layout import Column, Layout
from roadworthy.published import Published
from roadworthy.record import Record
from roadworthy.standard import layouts

MODELS = cards.find([cards.builtin_models()])


def heads(key: str, language: str = "en") -> dict[str, list[str]]:
    """The heads of a model's tables by their captions."""
    card = MODELS[key]
    found = layouts(card, card.published(), language)  # type: ignore[arg-type]
    return {caption: [column.head for column in layout.columns] for caption, layout in found.items()}


def test_columns_are_the_chips_that_have_figures():
    """Ratios of delivered chips to those that they are compared with; none of a chip without a name."""
    assert {
        "Accuracy: mIoU, %": ["batch", "Ascend310", "Ascend310P3", "target"],
        "Throughput: images/s": ["batch", "GPU", "Ascend310", "Ascend310P3", "Ascend310P3 / Ascend310"],
    } == heads("hrnet")


def test_training_has_a_table_for_every_group_with_the_settings_that_its_runs_have():
    """A column without any figure is left out; a group whose runs have settings is a search for them."""
    found = heads("icnet")

    assert ["run", "devices", "final mIoU, %", "images/s"] == found["Training: the result"]
    settings = ["batch_size", "lr", "loss_scale", "opt_level"]
    searched = ["run", "devices", *settings, "final mIoU, %", "best mIoU, %"]
    assert searched == found["Training: NPU-8p, search for settings"]


def test_chinese_heads_carry_the_same_units():
    """Captions and heads; names of chips and settings stay."""
    assert ["精度：mIoU（%）", "性能：吞吐率（帧/秒）"] == list(heads("icnet", "zh"))[:2]
    assert ["名称", "卡数", "最终mIoU（%）", "吞吐率（帧/秒）"] == heads("icnet", "zh")["训练：结果"]


def test_nothing_known_is_no_table(tiny_card):
    """Nor a table of accuracy of a model that has throughput alone."""
    speed = Record(model="tiny", soc="T4", batch=1, metric="throughput", value=1.0, source="measured")
    bare = replace(tiny_card, published_=Published())

    assert {} == layouts(bare, [], "en")
    assert ["Throughput: images/s"] == list(layouts(bare, [speed], "en"))


def test_a_lost_batch_has_the_words_of_its_guide(tiny_card):
    """Those for the chip, else those that the guide has at all, else our own."""
    lost = Record(model="icnet", soc="T4", batch=1, metric="throughput", value=None, outcome="oom", source="measured")

    def words(card: object, language: str) -> str:
        (layout,) = layouts(card, [lost], language).values()  # type: ignore[arg-type]
        return layout.columns[1].oom

    assert "out of memory (内存不足，无法推理)" == words(MODELS["icnet"], "en")
    assert "内存不足，无法推理" == words(MODELS["icnet"], "zh")
    assert "内存不足" == words(tiny_card, "zh")


def test_each_chip_has_the_words_of_its_own_column(tiny_card):
    """A guide may say it in two ways."""
    own = [Column(soc, "throughput", soc, oom=oom) for soc, oom in (("Ascend310", "one"), ("T4", "two"))]
    card = replace(tiny_card, table=(Layout("t", "batches", tuple(own)),))
    lost = [
        Record(model="tiny", soc=soc, batch=1, metric="throughput", value=None, outcome="oom", source="measured")
        for soc in ("T4", "Ascend310")
    ]
    (layout,) = layouts(card, lost, "zh").values()

    assert ["two", "one"] == [column.oom for column in layout.columns if column.show == "throughput"]
