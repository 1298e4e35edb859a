"""How a model is trained, as its card says it: the guide's numbers, wrong ones refused, a recipe for so many devices."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from roadworthy import card as cards
from roadworthy.problem import Problem
from roadworthy.recipe import Recipe, Training

ONE = Recipe(devices=1, batch=2, rate=0.1, epochs=8)
TOLD = Training(
    loss="train.loss", crop=(64, 128), optimizer="sgd", schedule="cosine", best="{epoch}.pth", recipe={"1p": ONE}
)


def test_the_icnet_card_holds_the_guides_numbers():
    """SGD, one rate for all groups, 3 epochs of warm-up; 8 devices take 16 crops each and ten times the rate of one."""
    told = cards.find([cards.builtin_models()])["icnet"].train

    assert ("sgd", 0.9, 1e-4, "cosine", 3) == (told.optimizer, told.momentum, told.decay, told.schedule, told.warmup)
    assert ((960, 960), (0.5, 2.0), 0.5) == (told.crop, told.scales, told.blur)
    assert Recipe(devices=8, batch=16, rate=0.1, epochs=200) == told.recipe["8p"]
    assert Recipe(devices=1, batch=7, rate=0.01, epochs=200) == told.recipe["1p"]
    assert "rankid0_icnet_resnet50_192_0.687_best_model.pth" == told.best.format(epoch=192, miou=0.687)


@pytest.mark.parametrize(
    ("devices", "name"), [(1, "2p"), (2, "2p"), (3, "2p"), (7, "2p"), (8, "8p"), (9, "8p"), (64, "8p")]
)
def test_a_number_of_devices_has_a_recipe(devices, name):
    """Its own, else that of the next fewer, else of the fewest; the order in the card does not matter."""
    two, eight = replace(ONE, devices=2), replace(ONE, devices=8)

    assert name == replace(TOLD, recipe={"8p": eight, "2p": two}).recipe_for(devices)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"recipe": {}}, "recipe is missing; [train.recipe.1p] holds the numbers of one device"),
        ({"recipe": {"a": ONE, "b": ONE}}, "recipe has two for 1 devices; each number stands once"),
        ({"crop": (64,)}, "crop is [64]; it must be [height, width]"),
        ({"crop": (64, 0)}, "crop is [64, 0]; it must be [height, width]"),
        ({"scales": (2.0, 0.5)}, "scales is [2.0, 0.5]; it must be [lowest, highest]"),
        ({"scales": (0.0, 0.5)}, "scales is [0.0, 0.5]; it must be [lowest, highest]"),
        ({"scales": (1.0,)}, "scales is [1.0]; it must be [lowest, highest]"),
        ({"blur": 1.5}, "blur is 1.5; it must be a share of the crops, from 0 to 1"),
        ({"blur": -0.5}, "blur is -0.5; it must be a share of the crops, from 0 to 1"),
        ({"momentum": 1.0}, "momentum is 1.0; it must be 0 or more and below 1"),
        ({"momentum": -0.1}, "momentum is -0.1; it must be 0 or more and below 1"),
        ({"decay": -1e-4}, "decay is -0.0001; it must be 0 or more"),
        ({"warmup": -1}, "warmup is -1; it must be 0 or more"),
        ({"class_weights": 1.0}, "class_weights is 1.0; it must be above 1"),
        ({"loss_scale": 0.0}, "loss_scale is 0.0; it must be above 0"),
        ({"best": "best.pth"}, "best is 'best.pth'; it must name a file by {epoch}"),
        ({"best": "{miou}.pth"}, "best is '{miou}.pth'; it must name a file by {epoch}"),
        ({"best": "{epoch}_{step}.pth"}, "best is '{epoch}_{step}.pth'; it must name a file by {epoch}"),
        ({"best": "x/{epoch}.pth"}, "best is 'x/{epoch}.pth'; it must name a file by {epoch}"),
    ],
)
def test_numbers_that_cannot_train_are_refused(changed, told):
    """The sentence names the key, what was found and what would be right."""
    with pytest.raises(ValueError, match=re.escape(told)):
        replace(TOLD, **changed)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"devices": 0}, "devices is 0; it must be 1 or more"),
        ({"batch": 0}, "batch is 0; it must be 1 or more"),
        ({"epochs": -1}, "epochs is -1; it must be 1 or more"),
        ({"rate": 0.0}, "rate is 0.0; it must be above 0"),
    ],
)
def test_a_recipe_of_nothing_is_refused(changed, told):
    """Every count is at least one, and a rate of zero learns nothing."""
    with pytest.raises(ValueError, match=re.escape(told)):
        replace(ONE, **changed)


def test_a_wrong_recipe_in_a_card_names_file_and_key(tiny_models, tmp_path):
    """As every other key of a card."""
    text = (tiny_models / "tiny" / "card.toml").read_text(encoding="utf-8")
    path = tmp_path / "tiny" / "card.toml"
    path.parent.mkdir()
    path.write_text(text.replace("epochs  = 12", "epochs  = 0"), encoding="utf-8")

    with pytest.raises(Problem, match=re.escape(f"{path}: train.recipe.4p.epochs is 0; it must be 1 or more")):
        cards.load(path)
