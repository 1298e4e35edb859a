"""A plan: the card's numbers, flags before them, nothing that cannot be; and the same run on other devices."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy.problem import Problem
from roadworthy.train import plan as plans
from roadworthy.train.plan import Plan

CARDS = cards.find([cards.builtin_models()])
ICNET = CARDS["icnet"]
SMALL = ICNET.at_sample_size()


def icnet(devices: int = 1, device: str = "npu", card: cards.ModelCard = ICNET, **given: object) -> Plan:
    """A plan of ICNet."""
    return plans.resolve(card, ICNET, devices, device, given)


def test_the_numbers_are_the_cards():
    """The guide's run on eight devices."""
    plan = icnet(8)

    assert ("icnet", "8p", 8, 16, 1, 200, 0.1) == (
        plan.model, plan.recipe, plan.devices, plan.batch, plan.accumulate, plan.epochs, plan.rate,
    )  # fmt: skip
    assert ("sgd", 0.9, 1e-4, "cosine", 3) == (plan.optimizer, plan.momentum, plan.decay, plan.schedule, plan.warmup)
    assert ((960, 960), (512, 2048), 0.5) == (plan.crop, plan.short, plan.blur)
    assert ("fp16", 32, "nearest", "train.loss") == (plan.precision, plan.loss_scale, plan.shrink, plan.loss)
    assert (0, None, 1, 10) == (plan.seed, plan.max_steps, plan.validate, plan.window)
    assert 128 == plan.global_batch


@pytest.mark.parametrize(
    ("devices", "recipe", "batch", "rate"), [(1, "1p", 7, 0.01), (2, "1p", 7, 0.01), (8, "8p", 16, 0.1)]
)
def test_the_recipe_goes_by_the_number_of_devices(devices, recipe, batch, rate):
    """Each takes what its recipe says; nothing is accumulated unless asked for."""
    plan = icnet(devices)

    assert (recipe, batch, rate, 1) == (plan.recipe, plan.batch, plan.rate, plan.accumulate)


@pytest.mark.parametrize(("devices", "accumulate"), [(1, 8), (2, 4), (4, 2), (8, 1), (16, 1)])
def test_a_recipe_asked_for_keeps_its_global_batch(devices, accumulate):
    """One device does by accumulation what the recipe does on eight; more devices than it names do more."""
    plan = icnet(devices, recipe="8p")

    assert ("8p", 16, accumulate) == (plan.recipe, plan.batch, plan.accumulate)
    assert (128 == plan.global_batch) == (devices in (1, 2, 4, 8))


def test_a_recipe_whose_steps_the_devices_cannot_take_is_refused():
    """Unless it is said how: what would come out is another global batch at the same rate."""
    with pytest.raises(Problem, match=r"--recipe 8p: 3 devices cannot take its steps; 1, 2, 4, 8 can, or --accumulate"):
        icnet(3, recipe="8p")

    assert 3 * 16 * 2 == icnet(3, recipe="8p", accumulate=2).global_batch


FLAGS = {
    "momentum": 0.8, "decay": 0.1, "blur": 0.25, "class_weights": 1.5, "optimizer": "adam", "schedule": "poly",
    "epochs": 3, "batch": 5, "accumulate": 2, "rate": 0.5, "warmup": 2, "loss_scale": 128.0, "seed": 7,
    "max_steps": 11, "validate": 0, "window": 3, "precision": "bf16", "shrink": "bilinear",
}  # fmt: skip


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_stands_before_the_card_and_changes_nothing_else(flag):
    """Also one of zero; epochs alone bound the warm-up."""
    before, after = icnet(), icnet(**{flag: FLAGS[flag]})
    expected = {flag: FLAGS[flag]} | ({"warmup": 0} if flag == "epochs" else {})

    assert replace(before, **expected) == after
    assert before != after


@pytest.mark.parametrize(("epochs", "warmup"), [(1, 0), (3, 0), (4, 1), (8, 2), (12, 3), (200, 3)])
def test_a_short_trial_does_more_than_warm_up(epochs, warmup):
    """The card's three epochs, and at most a quarter of all."""
    assert warmup == icnet(epochs=epochs).warmup


@pytest.mark.parametrize(
    ("text", "crop"), [("192x384", (192, 384)), ("192", (192, 192)), ("8x16", (8, 16)), (None, (960, 960))]
)
def test_a_crop_is_a_height_or_both(text, crop):
    """A height alone has the card's proportion."""
    assert crop == icnet(crop=text).crop


def test_a_height_alone_keeps_the_proportion_of_the_card():
    """ERFNet's crops are twice as wide as high."""
    erfnet = CARDS["erfnet"]

    assert (128, 256) == plans.resolve(erfnet, erfnet, 1, "cpu", {"crop": "128"}).crop


def test_at_sample_size_everything_shrinks_with_the_input():
    """A quarter of the size: crops (multiples of 8) and sides before the cut; the numbers of learning stay."""
    plan = icnet(card=SMALL)

    assert ((240, 240), (128, 512)) == (plan.crop, plan.short)
    assert replace(icnet(), crop=plan.crop, short=plan.short) == plan


def test_a_cpu_takes_float32_unless_asked():
    """Mixed precision is for accelerators."""
    assert ("fp16", "fp16", "fp32") == tuple(icnet(device=device).precision for device in ("npu", "cuda", "cpu"))
    assert "bf16" == icnet(device="cpu", precision="bf16").precision


def test_devices_differ_in_nothing_else():
    """The road of NPUs is the road of GPUs and the cpu's, but for the precision."""
    npu = icnet(8)

    assert npu == icnet(8, "cuda") == replace(icnet(8, "cpu"), precision="fp16")
    assert icnet(8, precision="bf16") == icnet(8, "cpu", precision="bf16")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        *(({key: 0}, f"--{key} 0: it must be 1 or more") for key in ("batch", "accumulate", "epochs", "window")),
        *(({key: -3}, f"--{key} -3: it must be 1 or more") for key in ("batch", "accumulate", "epochs", "window")),
        *(({key: -1}, "-1: it must be 0 or more") for key in ("validate", "warmup", "max_steps")),
        *(({"seed": seed}, "it must be from 0 on and below 2**63") for seed in (-1, 2**63)),
        ({"warmup": 5, "epochs": 5}, "--warmup 5: of 5 epochs the rate must rise in fewer"),
        ({"momentum": 1.0}, "--momentum 1: it must be from 0 on and below 1"),
        ({"decay": -0.1}, "--decay -0.1: it must be 0 or more"),
        ({"blur": 2.0}, "--blur 2: it must be a share of the crops"),
        ({"class_weights": 1.0}, "--class-weights 1: it must be above 1"),
        ({"scales": "2-1"}, "--scales 2-1: it must be the lowest and the highest part"),
        ({"rate": 0.0}, "--rate 0: it must be above 0"),
        ({"rate": float("nan")}, "--rate nan: it must be above 0"),
        ({"loss_scale": 0.0}, "--loss-scale 0: it must be above 0, and finite"),
        ({"loss_scale": float("inf")}, "--loss-scale inf: it must be above 0, and finite"),
        ({"crop": "100"}, "--crop 100x100: height and width must be multiples of 8"),
        ({"crop": "0"}, "--crop 0x0: height and width must be multiples of 8"),
        ({"crop": "64x100"}, "--crop 64x100: height and width must be multiples of 8"),
        ({"crop": "big"}, "--crop big: it must be a height, or height x width, such as 192 or 192x384"),
        ({"crop": "64x"}, "--crop 64x: it must be a height, or height x width"),
        ({"crop": "-64"}, "--crop -64: it must be a height, or height x width"),
        ({"recipe": "4p"}, "--recipe 4p: icnet has 1p, 8p"),
    ],
)
def test_a_flag_that_cannot_be_is_one_sentence(given, told):
    """It names the flag, what was given and what would be right."""
    with pytest.raises(Problem, match=re.escape(told)) as caught:
        icnet(**given)

    assert "\n" not in str(caught.value)


def test_a_card_without_a_train_table_says_so():
    """DeepLabV3 is judged and not trained."""
    card = CARDS["deeplabv3"]

    with pytest.raises(Problem, match=re.escape(f"{card.path}: deeplabv3 cannot be trained: its card has no [train]")):
        plans.resolve(card, card, 1, "cpu", {})


@pytest.mark.parametrize(
    ("frames", "steps", "total", "last"), [(127, 0, 0, 0), (128, 1, 200, 50), (300, 2, 400, 50), (2975, 23, 4600, 50)]
)
def test_an_epoch_is_of_whole_steps_and_max_steps_ends_before_the_schedule(frames, steps, total, last):
    """What is left over waits; the rates stay those of all epochs."""
    plan = icnet(8, max_steps=50)

    assert (steps, total, last) == (plan.steps_of_epoch(frames), plan.total(frames), plan.last(frames))
    assert total == replace(plan, max_steps=None).last(frames)


def test_settings_are_in_the_words_of_the_guide():
    """Batch of a device, rate, scale and level of precision, and what else makes the run."""
    told = icnet(8).settings()

    assert (16, 128, 0.1, 32, "O1") == tuple(
        told[key] for key in ("batch_size", "global_batch", "lr", "loss_scale", "opt_level")
    )
    assert "32" == str(told["loss_scale"])  # as the guide's tables show it
    assert 0.5 == icnet(loss_scale=0.5).settings()["loss_scale"]
    assert "shrink" not in told
    assert "bilinear" == icnet(shrink="bilinear").settings()["shrink"]
    assert "loss_scale" not in icnet(device="cpu").settings()
    assert ("O0", "bf16") == tuple(icnet(precision=p).settings()["opt_level"] for p in ("fp32", "bf16"))
    assert "dynamic" == replace(icnet(), loss_scale=None).settings()["loss_scale"]


def test_a_plan_comes_back_from_a_checkpoint():
    """Plain values there and a plan again; one of another version is refused."""
    plan = icnet(8, max_steps=3)
    saved = plan.saved()

    assert {int, float, str, list, type(None)} >= {type(value) for value in saved.values()}
    assert plan == Plan.of_saved(saved)
    for other in ({**saved, "new": 1}, {key: value for key, value in saved.items() if key != "seed"}):
        with pytest.raises(Problem, match="of another version of roadworthy; --finetune begins with its best weights"):
            Plan.of_saved(other)


EIGHT = icnet(8)


@pytest.mark.parametrize(
    ("devices", "given", "batch", "accumulate"),
    [
        (8, {}, 16, 1),
        (1, {}, 16, 8),
        (4, {"batch": 8}, 8, 4),
        (16, {"batch": 8}, 8, 1),
        (2, {"batch": 32, "accumulate": 2}, 32, 2),
    ],
)
def test_a_run_goes_on_on_other_devices_by_the_same_global_batch(devices, given, batch, accumulate):
    """Only who computes has changed."""
    plan = plans.resumed(EIGHT, devices, given)

    assert 128 == plan.global_batch
    assert replace(EIGHT, devices=devices, batch=batch, accumulate=accumulate) == plan


@pytest.mark.parametrize(
    ("devices", "given", "told"),
    [
        (
            3,
            {},
            "the run to go on with has 128 crops a step; 3 devices x 16 crops x any number of batches make another",
        ),
        (16, {}, "16 devices x 16 crops x any number of batches make another number"),
        (8, {"batch": 8, "accumulate": 1}, "8 devices x 8 crops x 1 batches make another number"),
        (8, {"rate": 0.2}, "--rate 0.2: the run to go on with was begun with 0.1; leave the flag out"),
        (8, {"epochs": 100}, "--epochs 100: the run to go on with was begun with 200; leave the flag out"),
        (8, {"seed": 1}, "--seed 1: the run to go on with was begun with 0; leave the flag out"),
        (8, {"recipe": "1p"}, "--recipe 1p: the run to go on with was begun with 8p; leave the flag out"),
        (8, {"precision": "fp32"}, "--precision fp32: the run to go on with was begun with fp16; leave the flag out"),
        (8, {"shrink": "bilinear"}, "--shrink bilinear: the run to go on with was begun with nearest"),
        (8, {"loss_scale": 8.0}, "--loss-scale 8.0: the run to go on with was begun with 32.0; leave the flag out"),
        (8, {"crop": "192"}, "--crop 192x192: the run to go on with was begun with 960x960; leave the flag out"),
        (8, {"batch": 0}, "--batch 0: it must be 1 or more"),
        (8, {"accumulate": 0}, "--accumulate 0: it must be 1 or more"),
    ],
)
def test_a_run_does_not_go_on_as_another(devices, given, told):
    """The sentence names the flag, or the batches that do not make the step."""
    with pytest.raises(Problem, match=re.escape(told)):
        plans.resumed(EIGHT, devices, given)


def test_a_run_goes_on_with_its_own_numbers_and_watched_otherwise():
    """Flags that say what is so anyway are no contradiction; how long and how often are free; an old end is forgotten."""
    begun = replace(EIGHT, max_steps=5)
    same = {"rate": 0.1, "crop": "960", "epochs": 200, "seed": 0}

    assert EIGHT == plans.resumed(begun, 8, {**same, "max_steps": None})
    assert replace(EIGHT, max_steps=9, validate=0, window=2) == plans.resumed(
        begun, 8, {"max_steps": 9, "validate": 0, "window": 2}
    )
