"""Training: learns, repeats itself, and refuses what cannot be trained."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import safetensors
import torch

from roadworthy import network, train
from roadworthy.data import cityscapes, stream
from roadworthy.problem import Problem


@pytest.fixture(scope="module")
def dataset(tiny_data, tmp_path_factory):
    """The five frames as a training split."""
    root = tmp_path_factory.mktemp("train")
    for kind in ("leftImg8bit", "gtFine"):
        shutil.copytree(tiny_data / kind / "val", root / kind / "train")
    return cityscapes.open_dataset(root, "train")


def trained(card, dataset, plan):
    """The card's network after the plan."""
    module = train.fresh(card, plan.seed)
    train.train(module, card, dataset, plan, lambda _: None)
    return module


PLAN = train.Plan(epochs=30, batch=2, crop=32, rate=0.1)


def test_the_loss_falls(tiny_card, dataset):
    """Sixty steps of the small network learn the colours; progress counts every step."""
    steps = []
    module = train.fresh(tiny_card, 0)
    train.train(module, tiny_card, dataset, PLAN, steps.append)

    assert list(range(1, 61)) == [step.number for step in steps]
    assert {60} == {step.total for step in steps}
    assert not module.training
    assert sum(s.loss for s in steps[-5:]) < 0.6 * sum(s.loss for s in steps[:5])


def test_a_seed_repeats_a_run(tiny_card, dataset):
    """Same seed, same weights; another seed, others."""
    plans = [train.Plan(batch=2, crop=32, max_steps=3, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (trained(tiny_card, dataset, plan).state_dict() for plan in plans)

    assert torch.equal(first["conv.weight"], again["conv.weight"])
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


def test_image_and_label_are_cut_and_mirrored_alike(tiny_card, dataset):
    """A crop as large as the frame is the frame or its mirror image, and so is its label; both occur."""
    frames = list(stream.batches(tiny_card, dataset, 1))
    mirrored = []
    for images, labels in train.batches(tiny_card, dataset, train.Plan(epochs=4, batch=1, crop=64)):
        ways = [
            flip
            for flip in (1, -1)
            for frame in frames
            if np.array_equal(frame.inputs[0][..., ::flip], images[0])
            and np.array_equal(frame.labels[0][:, ::flip], labels[0])
        ]
        assert 1 == len(ways)
        mirrored += ways

    assert {1, -1} == set(mirrored)


def test_crops_lie_anywhere_in_the_frame(tiny_card, dataset):
    """Smaller crops are windows of a frame, at different places."""
    plan = train.Plan(epochs=4, batch=1, crop=32)
    sizes = {(tuple(images.shape), tuple(labels.shape)) for images, labels in train.batches(tiny_card, dataset, plan)}
    firsts = {float(images[0, 0, 0, 0]) for images, _ in train.batches(tiny_card, dataset, plan)}

    assert {((1, 3, 32, 64), (1, 32, 64))} == sizes
    assert len(firsts) > 10


def test_weights_are_saved_with_what_made_them(tiny_card, dataset, tmp_path):
    """Float16, loadable, with plan, command and commit in the header."""
    module = trained(tiny_card, dataset, train.Plan(batch=2, crop=32, max_steps=1, seed=4))
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
        trained(tiny_card, dataset, plan)
