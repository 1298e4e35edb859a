"""Batches: the same crops whoever asks for them, every frame at most once an epoch, a bad file told by its name."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from roadworthy.data import cityscapes, decode, preprocess
from roadworthy.problem import Problem
from roadworthy.train import feed


def taken(card, dataset, plan, first=0, rank=0):
    """All batches of a process."""
    return list(feed.batches(card, dataset, plan, first, rank))


def equal(a, b) -> bool:
    """Whether two lists of batches hold the same."""
    return all(torch.equal(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


def test_batches_are_images_as_the_network_takes_them_and_labels(tiny_card, dataset, plan):
    """Whole batches of crops of the plan's size, float32 by the card's steps, int64; as many as the plan has steps."""
    found = taken(tiny_card, dataset, plan)

    assert 10 == len(found)
    assert {((4, 3, 32, 64), (4, 32, 64))} == {(tuple(i.shape), tuple(n.shape)) for i, n in found}
    assert {(torch.float32, torch.int64)} == {(i.dtype, n.dtype) for i, n in found}
    assert {*range(19), 255} >= set(torch.cat([n for _, n in found]).unique().tolist())


def test_a_crop_is_cut_from_its_frame_and_goes_the_way_of_a_photograph(tiny_card, dataset, plan):
    """As large as the frame, it is the frame or its mirror image by the card's pre-processing."""
    whole = replace(plan, crop=(128, 256), short=(128, 128), max_steps=1)
    ((images, labels),) = taken(tiny_card, dataset, whole)
    recipe = replace(preprocess.recipe(tiny_card), size=None)
    jobs = list(feed.dealt(whole, len(dataset), 0, 0))

    for image, ids, (_, index) in zip(images.numpy(), labels.numpy(), jobs, strict=True):
        frame = dataset.frames[index]
        truth, way = decode.read_label(frame.label, frame.label_kind), 1
        if not np.array_equal(truth, ids):
            way = -1
        assert np.array_equal(truth[:, ::way], ids)
        assert np.array_equal(preprocess.apply(recipe, decode.read_image(frame.image))[..., ::way], image)


@pytest.mark.parametrize(("devices", "accumulate"), [(2, 1), (2, 2), (4, 1), (1, 4)])
def test_processes_share_a_step_as_one_accumulates_it(tiny_card, dataset, plan, devices, accumulate):
    """Micro-batch by micro-batch, the ranks in turn see what one process sees one after the other."""
    one = taken(tiny_card, dataset, replace(plan, batch=2, accumulate=devices * accumulate))
    many = replace(plan, batch=2, devices=devices, accumulate=accumulate)
    parts = [taken(tiny_card, dataset, many, rank=rank) for rank in range(devices)]

    assert len(one) > 2
    assert equal(one, [batch for together in zip(*parts, strict=True) for batch in together])


@pytest.mark.parametrize("step", [1, 4, 5, 7])
def test_a_run_that_goes_on_sees_what_it_would_have_seen(tiny_card, dataset, plan, step):
    """Within an epoch, at its end, and in the next."""
    double = replace(plan, batch=2, accumulate=2)

    assert equal(taken(tiny_card, dataset, double)[2 * step :], taken(tiny_card, dataset, double, first=step))


def test_every_frame_comes_at_most_once_an_epoch_in_another_order(dataset, plan):
    """Twenty frames in steps of three: eighteen an epoch, and not always the same."""
    many = replace(plan, batch=3, epochs=10)
    epochs = {epoch: [] for epoch in range(10)}
    for epoch, index in feed.dealt(many, len(dataset), 0, 0):
        epochs[epoch].append(index)
    left_over = [set(range(20)) - set(order) for order in epochs.values()]

    assert {18} == {len(order) for order in epochs.values()} == {len(set(order)) for order in epochs.values()}
    assert 10 == len({tuple(order) for order in epochs.values()})
    assert len(set.union(*left_over)) > 5


def test_a_seed_makes_order_and_crops(tiny_card, dataset, plan):
    """The same twice, by any number of threads; other ones by another seed, and by another epoch of the same frame."""
    short = replace(plan, max_steps=2)
    first = taken(tiny_card, dataset, short)
    other = replace(short, seed=1)
    one = list(feed.batches(tiny_card, dataset, short, workers=1))
    alone = replace(dataset, frames=dataset.frames[:1])
    epochs = taken(tiny_card, alone, replace(plan, batch=1, epochs=4))

    assert equal(first, one)
    assert equal(first, taken(tiny_card, dataset, short))
    assert list(feed.dealt(short, 20, 0, 0)) != list(feed.dealt(other, 20, 0, 0))
    assert not equal(first, taken(tiny_card, dataset, other))
    assert len({images.numpy().tobytes() for images, _ in epochs}) > 2


def test_max_steps_ends_the_batches(dataset, plan):
    """No crop is made that no step takes."""
    assert 12 == len(list(feed.dealt(replace(plan, max_steps=3), len(dataset), 0, 0)))


@pytest.fixture
def broken(tiny_splits, tmp_path):
    """Training frames of which a test may spoil the files."""
    shutil.copytree(tiny_splits, tmp_path / "data")
    return cityscapes.open_dataset(tmp_path / "data", "train")


def test_a_label_of_another_size_is_told(tiny_card, broken, plan):
    """Both sizes, width first as photographs are described."""
    label = broken.frames[2].label
    Image.fromarray(np.zeros((64, 256), np.uint8)).save(label)

    with pytest.raises(Problem, match=re.escape(f"{label}: 256x64, but its photograph is 256x128")) as caught:
        taken(tiny_card, broken, replace(plan, batch=5))

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["image", "label"])
def test_a_damaged_file_is_told(tiny_card, broken, plan, kind):
    """Cut in the middle; one sentence names the file."""
    path = getattr(broken.frames[3], kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(Problem, match=re.escape(f"{path}: is damaged, truncated, or no PNG")) as caught:
        taken(tiny_card, broken, replace(plan, batch=5))

    assert "\n" not in str(caught.value)


def test_weights_of_classes_are_those_of_enet(tiny_card, dataset):
    """1/ln(c + share of the labelled pixels at the network's size); a channel without a class weighs nothing."""
    labels = [decode.read_label(f.label, f.label_kind)[1::2, 1::2] for f in dataset.frames]  # as PIL NEAREST does
    counts = np.bincount(np.concatenate(labels, None), minlength=256)[:19]
    weight = feed.class_weights(tiny_card, dataset, 1.1)

    assert (20, torch.float32, 0.0) == (len(weight), weight.dtype, float(weight[19]))
    assert np.allclose(1 / np.log(1.1 + counts / counts.sum()), weight[:19], rtol=1e-6)
