"""Training: learns, repeats itself, and refuses what cannot be trained."""

from __future__ import annotations

import shutil

import pytest
import safetensors
import torch

from roadworthy import network, train
from roadworthy.data import cityscapes
from roadworthy.problem import Problem


@pytest.fixture(scope="module")
def dataset(tiny_data, tmp_path_factory):
    """The five frames as a training split."""
    root = tmp_path_factory.mktemp("train")
    for kind in ("leftImg8bit", "gtFine"):
        shutil.copytree(tiny_data / kind / "val", root / kind / "train")
    return cityscapes.open_dataset(root, "train")


PLAN = train.Plan(epochs=30, batch=2, crop=32, rate=0.1)


def test_the_loss_falls(tiny_card, dataset):
    """Sixty steps of the small network learn the colours; progress counts every step."""
    steps = []
    train.train(tiny_card, dataset, PLAN, steps.append)

    assert list(range(1, 61)) == [step.number for step in steps]
    assert {60} == {step.total for step in steps}
    assert sum(s.loss for s in steps[-5:]) < 0.6 * sum(s.loss for s in steps[:5])


def test_a_seed_repeats_a_run(tiny_card, dataset):
    """Same seed, same weights; another seed, others."""
    plans = [train.Plan(batch=2, crop=32, max_steps=3, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (train.train(tiny_card, dataset, plan, lambda _: None).state_dict() for plan in plans)

    assert torch.equal(first["conv.weight"], again["conv.weight"])
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


def test_crops_are_pixels_of_their_frames_and_their_labels(tiny_card, dataset):
    """Image and label are cut and flipped alike: classes have their colours."""
    for images, labels in train.batches(tiny_card, dataset, train.Plan(epochs=1, batch=1, crop=32)):
        assert (1, 3, 32, 64) == tuple(images.shape)
        assert (1, 32, 64) == tuple(labels.shape)
        pixels = images[0].permute(1, 2, 0)[labels[0] == 3]
        if len(pixels) > 50:
            near = (pixels - pixels.median(0).values).abs().amax(1) < 0.25
            assert near.float().mean() > 0.6


def test_weights_are_saved_with_what_made_them(tiny_card, dataset, tmp_path):
    """Float16, loadable, with plan, command and commit in the header."""
    module = train.train(tiny_card, dataset, train.Plan(batch=2, crop=32, max_steps=1, seed=4), lambda _: None)
    train.save(module, tmp_path / "new" / "w.safetensors", PLAN, {"command": "roadworthy train", "commit": "abc"})
    with safetensors.safe_open(tmp_path / "new" / "w.safetensors", "pt") as file:
        header = file.metadata()
    loaded = network.load(tiny_card, tmp_path / "new" / "w.safetensors")

    assert ("roadworthy train", "abc", "0") == (header["command"], header["commit"], header["seed"])
    assert torch.allclose(module.state_dict()["conv.weight"], loaded.state_dict()["conv.weight"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (train.Plan(batch=6), "5 training frames are fewer than one batch of 6"),
        (train.Plan(crop=65), "--crop 65: it must be a multiple of 8 up to 64"),
        (train.Plan(crop=72), "--crop 72: it must be a multiple of 8 up to 64"),
        (train.Plan(batch=2, crop=32, rate=float("inf")), "the loss is nan at step 2"),
    ],
)
def test_what_cannot_be_trained_is_refused(tiny_card, dataset, plan, told):
    """One sentence with the number that is wrong."""
    with pytest.raises(Problem, match=told):
        train.train(tiny_card, dataset, plan, lambda _: None)
